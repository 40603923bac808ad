package leasetest

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockd/lockd/internal/lease"
)

var lineTests = []test{
	{"FreeName", testLineFreeName},
	{"Order", testLineOrder},
	{"OrderBeside", testLineOrderBeside},
	{"Newcomers", testLineNewcomers},
	{"Places", testLinePlaces},
	{"Handover", testLineHandover},
	{"Expire", testLineExpire},
	{"ExpiresByItself", testLineExpiresByItself},
	{"Force", testLineForce},
	{"Holder", testLineHolder},
	{"ReleaseByWaiter", testLineReleaseByWaiter},
	{"Told", testLineTold},
	{"OutOfWait", testLineOutOfWait},
	{"Late", testLineLate},
	{"OtherNames", testLineOtherNames},
	{"Full", testLineFull},
}

// Who is ready to wait for a free name need not: the answer is the lease, and no turn comes.
func testLineFreeName(t *testing.T, s Subject) {
	a, turns := waiting(claim("job"))
	s.granted(t, a)
	s.inLine(t, "job")
	s.released(t, a)
	if len(turns) != 0 {
		t.Error("a turn came to one who never waited, want none")
	}
}

// First come, first served: each release hands the name to who has waited longest, once, and the
// tokens along the line strictly increase.
func testLineOrder(t *testing.T, s Subject) { lineOrder(t, s, s) }

// The order is one over all servers.
func testLineOrderBeside(t *testing.T, s Subject) { lineOrder(t, s, s.inLineWith(t)) }

func lineOrder(t *testing.T, s, other Subject) {
	t.Helper()
	const many = 24
	holder := claim("job")
	last := s.granted(t, holder).Token
	all := crowd(t, "job", many, s, other, other)
	s.inLine(t, "job", all...)
	s.released(t, holder)
	for i, w := range all {
		l := w.served(t)
		if l.Token <= last {
			t.Errorf("hand-over %d: token went from %d to %d, want larger", i, last, l.Token)
		}
		last = l.Token
	}
	s.empty(t, "job")
	for _, w := range all {
		w.unserved(t)
	}
}

// Nobody overtakes who waits: neither one who does not wait nor one who comes later, whatever is freed
// meanwhile, here or through another server.
func testLineNewcomers(t *testing.T, s Subject) {
	other := s.inLineWith(t)
	holder := claim("job")
	s.granted(t, holder)
	first, second := s.queued(t, claim("job")), other.queued(t, claim("job"))
	s.released(t, holder)
	handed := first.turn(t)
	for _, at := range []Subject{s, other} {
		_, err := at.acquire(t, claim("job"))
		wantHeld(t, "Acquire(overtaking)", err, handed)
		w := at.queued(t, claim("job"))
		if w.place <= second.place-1 {
			t.Errorf("a newcomer got place %d, want one behind those who wait", w.place)
		}
		at.undone(t, w.Acquisition)
	}
	s.released(t, first.Acquisition)
	second.served(t)
	s.empty(t, "job")
}

// The refusal says which place was got, 1 being next; Get shows the line in order, as much of it as is
// asked for, with how many wait in all. Tickets strictly increase.
func testLinePlaces(t *testing.T, s Subject) {
	held := s.granted(t, claim("job"))
	const many = 5
	all := crowd(t, "job", many, s, s.inLineWith(t))
	for i, w := range all {
		if w.place != i+1 {
			t.Errorf("waiter %d got place %d, want %d", i, w.place, i+1)
		}
		if i > 0 && w.ticket <= all[i-1].ticket {
			t.Errorf("ticket went from %d to %d, want larger", all[i-1].ticket, w.ticket)
		}
	}
	s.inLine(t, "job", all...)
	_, err := s.acquire(t, claim("job"))
	var refused *lease.HeldError
	if !errors.As(err, &refused) || refused.Place != 0 || refused.Ticket != 0 {
		t.Errorf("Acquire(without a wait) = %+v, want *HeldError with neither place nor ticket", err)
	}
	wantHeld(t, "Acquire(without a wait)", err, held)

	for _, most := range []int{0, 2} {
		ctx, cancel := call(t)
		standing, err := s.Get(ctx, lease.GetRequest{Name: "job", Waiters: most})
		cancel()
		if err != nil || standing.Waiting != many || len(standing.Waiters) != most {
			t.Errorf("Get(%d waiters) = %d of %d, %v, want %d of %d", most, len(standing.Waiters), standing.Waiting, err, most, many)
		}
		for _, w := range standing.Waiters {
			wantBetween(t, "Since, ago", time.Since(w.Since), -slack, slack)
		}
	}
}

// What comes to a waiter is what it asked for, with a whole ttl; and Began is before that ttl began.
func testLineHandover(t *testing.T, s Subject) {
	for _, at := range []Subject{s, s.inLineWith(t)} {
		holder := claim("job")
		before := s.granted(t, holder)
		a := claim("job")
		a.Owner, a.Metadata, a.TTL = "the next@host:9", map[string]string{"job": "43"}, 2*ttl
		w := at.queued(t, a)
		freeing := time.Now()
		s.released(t, holder)
		var h lease.Handover
		select {
		case h = <-w.turns:
		case <-time.After(callTime):
			t.Fatalf("no turn within %s", callTime)
		}
		got := h.Lease
		if got.Name != "job" || got.Owner != a.Owner || !cmp.Equal(got.Metadata, a.Metadata) || got.Token <= before.Token {
			t.Errorf("handed over was %+v, want owner %s, metadata %v, a token above %d", got, a.Owner, a.Metadata, before.Token)
		}
		wantBetween(t, "Since, ago", time.Since(got.Since), -slack, slack)
		wantFresh(t, "what was handed over", got, 2*ttl)
		if h.Began.Before(freeing) || h.Began.After(time.Now()) {
			t.Errorf("Began is %s after the release was called, want it between that and now", h.Began.Sub(freeing))
		}
		held, _ := s.get(t, "job")
		sameLease(t, "Get", held, got)
		wantFresh(t, "Get", held, 2*ttl)
		s.released(t, a)
		s.empty(t, "job")
	}
}

// A lease that runs out goes to the first in line.
func testLineExpire(t *testing.T, s Subject) {
	before := s.granted(t, claim("job"))
	for _, w := range crowd(t, "job", 4, s, s.inLineWith(t)) {
		s.Expire(t, "job")
		next := w.turn(t)
		if next.Token <= before.Token {
			t.Errorf("token over an expiry went from %d to %d, want larger", before.Token, next.Token)
		}
		s.stands(t, "job", next.Token)
		before = next
	}
	s.Expire(t, "job")
	s.empty(t, "job")
}

// The store notices by itself that a lease runs out, one that was handed over too, while somebody waits.
func testLineExpiresByItself(t *testing.T, s Subject) {
	short := claim("job")
	short.TTL = time.Millisecond
	s.granted(t, short)
	second := claim("job")
	second.TTL = time.Millisecond
	all := []*waiter{s.queued(t, second), s.inLineWith(t).queued(t, claim("job"))}
	for _, w := range all {
		w.turn(t)
	}
	s.released(t, all[1].Acquisition)
	s.empty(t, "job")
}

// A lease that is ended by force goes to the first in line.
func testLineForce(t *testing.T, s Subject) {
	before := s.granted(t, claim("job"))
	for _, w := range crowd(t, "job", 4, s, s.inLineWith(t)) {
		s.forced(t, "job", before.Token)
		next := w.turn(t)
		if next.Token <= before.Token {
			t.Errorf("token over a force went from %d to %d, want larger", before.Token, next.Token)
		}
		s.stale(t, "job", before.Token)
		s.stands(t, "job", next.Token)
		before = next
	}
	s.forced(t, "job", before.Token)
	s.empty(t, "job")
}

// Who holds the name does not wait for it: asked again with the same lease id, ready to wait, the
// answer is that lease.
func testLineHolder(t *testing.T, s Subject) {
	holder := claim("job")
	first := s.granted(t, holder)
	w := s.queued(t, claim("job"))
	for _, at := range []Subject{s, s.inLineWith(t)} {
		again, turns := waiting(again(holder, 2))
		sameLease(t, "the holder's", at.granted(t, again), first)
		s.inLine(t, "job", w)
		if len(turns) != 0 {
			t.Error("a turn came to the holder, want none")
		}
	}
	s.released(t, holder)
	handed := w.turn(t)
	again, _ := waiting(again(w.Acquisition, 2))
	sameLease(t, "that of who was handed the name", s.granted(t, again), handed)
	s.released(t, w.Acquisition)
	s.empty(t, "job")
}

// A release or a renewal by one who waits changes nothing.
func testLineReleaseByWaiter(t *testing.T, s Subject) {
	holder := claim("job")
	first := s.granted(t, holder)
	w := s.queued(t, claim("job"))
	if r := s.released(t, w.Acquisition); r.Outcome != lease.HeldByOther {
		t.Errorf("Release(by a waiter) = %d, want HeldByOther", r.Outcome)
	}
	s.lost(t, "waiting", w.Acquisition)
	s.stands(t, "job", first.Token)
	s.inLine(t, "job", w)
	s.released(t, holder)
	w.served(t)
}
