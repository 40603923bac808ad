package redisstore

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/test/redisproc"
)

// stood acquires a, in line if it must, and reports whether it holds the name for sure.
func stood(t *testing.T, s *Store, a lease.Acquisition) (lease.Lease, bool) {
	t.Helper()
	came := make(chan lease.Handover, 1)
	a.Turn, a.Until = func(h lease.Handover) { came <- h }, time.Now().Add(5*time.Second)
	l, err := s.Acquire(soon(t), a)
	var inLine *lease.HeldError
	if !errors.As(err, &inLine) {
		return l, err == nil
	}
	select {
	case h := <-came:
		return h.Lease, true
	case <-time.After(5 * time.Second):
		return lease.Lease{}, false
	}
}

// Under traffic through two lockds every lease is told once to be acquired and once to have ended, in
// that order, one lease after the other, and its end is the one that it had; and whoever stood in line
// acquired in the order of their tickets.
func TestWatchTellsEveryLeaseWhole(t *testing.T) {
	r := redisproc.Shared(t)
	stores := []*Store{open(t, r.URL()), open(t, r.URL())}
	x := watch(t, stores[0], "")
	watch(t, stores[1], "elsewhere")
	seed := rand.Uint64()
	t.Log("seed", seed)
	var mu sync.Mutex
	ended := map[lease.Token]lease.EventKind{} // as those know who ended them, or left them to expire
	var working sync.WaitGroup
	for i := range 6 {
		random := rand.New(rand.NewPCG(seed, uint64(i)))
		working.Go(func() {
			expire := i == 0 // one lease at least
			for end := time.Now().Add(2 * time.Second); time.Now().Before(end); {
				s, a := stores[random.IntN(2)], asking(fmt.Sprint(random.IntN(3)))
				a.TTL = time.Millisecond
				l, ok := stood(t, s, a)
				if !ok {
					continue
				}
				kind := lease.EventReleased
				switch what := random.IntN(50); {
				case expire, what == 0:
					kind, expire = lease.EventExpired, false
				case what == 1:
					// About when it expires: it may be either.
					<-time.After(l.ExpiresIn - time.Millisecond)
					fallthrough
				default:
					got, err := s.Release(soon(t), lease.ReleaseRequest{Name: a.Name, ID: a.ID})
					if err != nil {
						continue // either
					}
					if got.Outcome != lease.Held {
						kind = lease.EventExpired
					}
				}
				mu.Lock()
				ended[l.Token] = kind
				mu.Unlock()
			}
		})
	}
	working.Wait()
	ends := func() (n int) {
		for _, e := range x.all() {
			if e.Kind == lease.EventReleased || e.Kind == lease.EventExpired {
				n++
			}
		}
		return n
	}
	until(t, 3*time.Second, "every end is told", func() bool { return ends() >= len(ended) })
	checkWhole(t, x.all(), ended)
}

// checkWhole checks what a watch of everything was told of leases that ended so.
func checkWhole(t *testing.T, events []lease.Event, ended map[lease.Token]lease.EventKind) {
	t.Helper()
	open, tickets := map[string]lease.Token{}, map[string]int64{}
	counts := map[lease.EventKind]int{}
	for _, e := range events {
		counts[e.Kind]++
		switch {
		case !ofLease(e.Kind):
		case e.Kind == lease.EventAcquired && open[e.Name] == 0:
			open[e.Name] = e.Token
			if e.Ticket != 0 && e.Ticket <= tickets[e.Name] {
				t.Fatalf("told %+v after the ticket %d, want a larger one", e, tickets[e.Name])
			}
			tickets[e.Name] = max(tickets[e.Name], e.Ticket)
		case open[e.Name] == e.Token && (ended[e.Token] == e.Kind || ended[e.Token] == 0):
			delete(open, e.Name)
		default:
			t.Fatalf("told %+v while %d was in force; want one lease after the other, this one ended by %d", e, open[e.Name], ended[e.Token])
		}
	}
	if len(open) > 0 || counts[lease.EventExpired] == 0 || counts[lease.EventReleased] == 0 || counts[lease.EventQueued] == 0 {
		t.Errorf("told %v, with %v still in force; want leases that expired, leases that were released, places in line, and no other", counts, open)
	}
	t.Log("told", counts)
}
