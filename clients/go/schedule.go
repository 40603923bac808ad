package lockd

import (
	"container/heap"
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

const (
	// maxRenewals bounds the renewals of a client that are under way: lockd has as many of a client's
	// operations at its store at once.
	maxRenewals = 256
	// Many leases are renewed some at once, which costs a tenth of renewing each by itself: from manyLeases on a
	// renewal that comes within together, and within 1 % of its ttl, goes with one that is due.
	manyLeases = 256
	together   = 100 * time.Millisecond
	// tick is how often both clocks are looked at while leases are held. Go's timers stand still while
	// the machine is suspended, so none can be set for a deadline that passes meanwhile; with tick a
	// context ends within 50 ms of running all the same.
	tick = 25 * time.Millisecond
)

// schedule says when which lease needs attention: to be renewed, or to end because its deadline has
// passed. It holds every lease of a client that has not ended. One goroutine (run) works it off; it
// only ever waits for time, never for the network.
type schedule struct {
	mu       sync.Mutex
	leases   leaseHeap
	ready    []*Lease      // due for renewal, waiting for one of maxRenewals to end
	inFlight int           // renewals under way
	next     time.Time     // when run will look again; zero: when it is woken
	origin   time.Time     // what mono is counted from where the clocks are held against each other
	apart    time.Duration // boot − mono when all leases were last looked at
	closed   bool
	wake     chan struct{} // to look again at once; holds one
}

// due is when a lease needs attention; part of Lease, guarded by schedule.mu.
type due struct {
	at    time.Time // the renewal, or the deadline if no renewal is to come before it
	renew bool      // at is for a renewal
	index int       // in the heap; −1 when not in it
}

func newSchedule() *schedule {
	return &schedule{origin: time.Now(), wake: make(chan struct{}, 1)}
}

// add takes l up at t, to be renewed at renewAt first. It reports false, and does nothing, after close.
func (s *schedule) add(t instant, l *Lease, renewAt time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	l.plan(t, renewAt)
	heap.Push(&s.leases, l)
	s.wakeFor(l)
	return true
}

// renewed notes, at t, that a renewal of l has ended; the next is at renewAt.
func (s *schedule) renewed(t instant, l *Lease, renewAt time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inFlight--
	if l.index >= 0 {
		l.plan(t, renewAt)
		heap.Fix(&s.leases, l.index)
		s.wakeFor(l)
	}
	if len(s.ready) > 0 {
		s.wakeNow()
	}
}

// remove forgets l, which has ended: no renewal of it begins any more.
func (s *schedule) remove(l *Lease) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.index >= 0 {
		heap.Remove(&s.leases, l.index)
	}
}

// close takes no lease any more and returns those that have not ended.
func (s *schedule) close() []*Lease {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return slices.Clone(s.leases)
}

// run watches and has start begin renewals, without waiting for them, until ctx ends.
func (s *schedule) run(ctx context.Context, start func([]*Lease)) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		case <-timer.C:
		}
		expired, renewals, pause := s.look(now())
		for _, l := range expired {
			l.end(ErrExpired)
		}
		if len(renewals) > 0 {
			start(renewals)
		}
		if pause >= 0 {
			timer.Reset(pause)
		} else {
			timer.Stop()
		}
	}
}

// look returns what is due at t: leases whose deadline has passed, leases to renew now, and how long
// to wait before the next look, negative if there is nothing to wait for.
func (s *schedule) look(t instant) (expired, renewals []*Lease, pause time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rejudge(t)
	for ready := len(s.ready); len(s.leases) > 0; {
		l := s.leases[0]
		until := t.mono
		if l.renew && len(s.ready) > ready && len(s.leases) >= manyLeases {
			until = until.Add(min(together, l.TTL()/100))
		}
		if l.at.After(until) {
			break
		}
		switch {
		case l.passedAt(t):
			expired = append(expired, l)
			heap.Pop(&s.leases)
			continue
		case l.renew:
			s.ready = append(s.ready, l)
		}
		l.plan(t, time.Time{})
		heap.Fix(&s.leases, 0)
	}
	renewals = s.takeReady()
	s.next = time.Time{}
	if len(s.leases) == 0 {
		return expired, renewals, -1
	}
	pause = max(0, min(tick, s.leases[0].at.Sub(t.mono)))
	s.next = t.mono.Add(pause)
	return expired, renewals, pause
}

// rejudge plans every lease anew when one clock has left the other behind: after a suspension a
// deadline is nearer than it was, on Go's clock, and so is the renewal before it. While the clocks
// keep together, deadlines come in the same order on both, and the heap, ordered by one, does for
// both.
func (s *schedule) rejudge(t instant) {
	apart := t.boot - t.mono.Sub(s.origin)
	if d := apart - s.apart; -drift < d && d < drift {
		return
	}
	s.apart = apart
	for _, l := range s.leases {
		var next time.Time
		if l.renew {
			next = earlier(l.at, renewAt(l.deadlineAt(t), l.TTL()))
		}
		l.plan(t, next)
	}
	heap.Init(&s.leases)
}

// takeReady takes leases that are due for renewal, as many as may be under way.
func (s *schedule) takeReady() (renewals []*Lease) {
	for len(s.ready) > 0 && s.inFlight < maxRenewals {
		l := s.ready[0]
		s.ready[0], s.ready = nil, s.ready[1:]
		if l.index >= 0 { // else it has ended while it waited
			s.inFlight++
			renewals = append(renewals, l)
		}
	}
	return renewals
}

// wakeFor wakes run if l needs attention before its next look.
func (s *schedule) wakeFor(l *Lease) {
	if s.next.IsZero() || l.at.Before(s.next) {
		s.wakeNow()
	}
}

func (s *schedule) wakeNow() {
	select {
	case s.wake <- struct{}{}:
	default: // it is about to look anyway
	}
}

// plan sets, at t, when l needs attention next: at renewAt, or at its deadline if that comes first, renewAt
// is zero, or l is not kept alive.
func (l *Lease) plan(t instant, renewAt time.Time) {
	l.at = l.deadlineAt(t)
	l.renew = l.keep && !renewAt.IsZero() && renewAt.Before(l.at)
	if l.renew {
		l.at = renewAt
	}
}

// renewAt returns when to renew a lease that lasts until deadline: when two thirds of its ttl are
// left, up to a tenth of a third sooner so that leases taken together do not stay together. After an
// answer that was a long time coming this may be past.
func renewAt(deadline time.Time, ttl time.Duration) time.Time {
	return deadline.Add(-2*ttl/3 - rand.N(ttl/30+1))
}
