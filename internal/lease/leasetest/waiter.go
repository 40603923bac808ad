package leasetest

import (
	"errors"
	"testing"
	"time"

	"github.com/lockd/lockd/internal/lease"
)

// A waiter is an acquisition that stands in line, and what it was told since.
type waiter struct {
	lease.Acquisition
	Subject // where it waits
	place   int
	ticket  int64
	turns   chan lease.Handover
}

// waiting returns a as one who is ready to wait, and where its turn arrives.
func waiting(a lease.Acquisition) (lease.Acquisition, chan lease.Handover) {
	turns := make(chan lease.Handover, 16) // a store that calls too often must not block
	a.Turn = func(h lease.Handover) { turns <- h }
	a.Until = time.Now().Add(ttl)
	return a, turns
}

// beside is another server's store on the same data.
func (s Subject) beside(t *testing.T) Subject {
	t.Helper()
	s.Store = s.Beside(t)
	return s
}

// inLineWith is another server's store with which s shares its lines.
func (s Subject) inLineWith(t *testing.T) Subject {
	t.Helper()
	if s.OwnLine {
		return s
	}
	return s.beside(t)
}

// queued has a take its place in line, which it must get.
func (s Subject) queued(t *testing.T, a lease.Acquisition) *waiter {
	t.Helper()
	w := &waiter{Subject: s}
	w.Acquisition, w.turns = waiting(a)
	_, err := s.acquire(t, w.Acquisition)
	w.place, w.ticket = wantPlace(t, "Acquire(a place in line)", err)
	return w
}

// wantPlace fails the test unless err says that who asked has a place in line; it answers that.
func wantPlace(t *testing.T, what string, err error) (place int, ticket int64) {
	t.Helper()
	var held *lease.HeldError
	if !errors.As(err, &held) || held.Place <= 0 || held.Ticket <= 0 {
		t.Fatalf("%s = %+v, want *HeldError with a place and a ticket", what, err)
	}
	return held.Place, held.Ticket
}

// turn waits until w's turn has come.
func (w *waiter) turn(t *testing.T) lease.Lease {
	t.Helper()
	select {
	case h := <-w.turns:
		return h.Lease
	case <-time.After(callTime):
		t.Fatalf("no turn for %s within %s", w.Owner, callTime)
		return lease.Lease{}
	}
}

// served waits until w's turn has come, looks whether it holds the name, and has it release.
func (w *waiter) served(t *testing.T) lease.Lease {
	t.Helper()
	l := w.turn(t)
	w.stands(t, w.Name, l.Token)
	if r := w.released(t, w.Acquisition); r.Outcome != lease.Held {
		t.Errorf("Release(handed over to %s) = %d, want Held", w.Owner, r.Outcome)
	}
	return l
}

// unserved fails the test if a turn has come to w. It is asked when the turn would have come.
func (w *waiter) unserved(t *testing.T) {
	t.Helper()
	select {
	case h := <-w.turns:
		t.Errorf("a turn with token %d came to %s (%v), want none", h.Lease.Token, w.Owner, w.Tag)
	default:
	}
}

// crowd has n wait for name, at each of the subjects in turn, owners telling them apart.
func crowd(t *testing.T, name string, n int, at ...Subject) []*waiter {
	t.Helper()
	var all []*waiter
	for i := range n {
		all = append(all, at[i%len(at)].queued(t, numbered(name, i)))
	}
	return all
}

// numbered is a claim whose owner tells it apart.
func numbered(name string, i int) lease.Acquisition {
	a := claim(name)
	a.Owner = "waiter/" + string(rune('a'+i%26))
	a.Principal = "token:" + a.Owner
	return a
}

// inLine fails the test unless exactly these are present in line for name, in this order.
func (s Subject) inLine(t *testing.T, name string, want ...*waiter) {
	t.Helper()
	standing := s.standing(t, name)
	if standing.Waiting != len(want) || len(standing.Waiters) != len(want) {
		t.Errorf("Get(%q) = %d waiters, %d shown, want %d", name, standing.Waiting, len(standing.Waiters), len(want))
		return
	}
	for i, w := range standing.Waiters {
		if w.Owner != want[i].Owner || w.Principal != want[i].Principal || w.Ticket != want[i].ticket {
			t.Errorf("Get(%q): place %d is %s's (%s) with ticket %d, want %s (%s), %d", name, i+1, w.Owner, w.Principal, w.Ticket, want[i].Owner, want[i].Principal, want[i].ticket)
		}
	}
}

// empty fails the test unless name is free and nobody waits for it.
func (s Subject) empty(t *testing.T, name string) {
	t.Helper()
	s.free(t, name)
	s.inLine(t, name)
}
