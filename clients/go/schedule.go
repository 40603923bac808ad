package lockd

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	// maxRenewals bounds the renewals of a client that are under way.
	maxRenewals = 1024
	// Many leases are renewed some hundreds at once, which costs a tenth of renewing each by itself: from
	// manyLeases on, a renewal that comes within together, and within a thirtieth of its ttl, goes with one that is due,
	// up to atOnce.
	manyLeases = 256
	together   = time.Second
	atOnce     = 512
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
	stale    bool          // one was planned since that looked at them before
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
	until, _ := l.lasts(t)
	s.plan(t, l, until, renewAt)
	s.leases.push(l)
	s.wakeFor(l)
	return true
}

// renewed notes that a renewal of l, which lasts until then as it looks at t, has ended; the next is at renewAt.
func (s *schedule) renewed(t instant, l *Lease, until, renewAt time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inFlight--
	if l.index >= 0 {
		s.plan(t, l, until, renewAt)
		s.leases.fix(l.index)
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
		s.leases.remove(l.index)
	}
}

// close takes no lease any more and returns those that have not ended.
func (s *schedule) close() []*Lease {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	leases := make([]*Lease, len(s.leases))
	for i, p := range s.leases {
		leases[i] = p.Lease
	}
	return leases
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
		l := s.leases[0].Lease
		until, ttl := l.lasts(t)
		if l.at.After(t.mono.Add(s.early(l, ttl, len(s.ready)-ready))) {
			break
		}
		switch {
		case !until.After(t.mono):
			expired = append(expired, l)
			s.leases.remove(0)
			continue
		case l.renew:
			s.ready = append(s.ready, l)
		}
		l.plan(until, time.Time{})
		s.leases.fix(0)
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

// early is by how much the renewal of l may come before it is due, so as to go with that many others. One that failed
// pauses for as long as it is to: those that failed together would come back together.
func (s *schedule) early(l *Lease, ttl time.Duration, others int) time.Duration {
	if !l.renew || l.failures > 0 || others == 0 || others >= atOnce || len(s.leases) < manyLeases {
		return 0
	}
	return min(together, ttl/30)
}

// rejudge plans every lease anew when one clock has left the other behind: after a suspension a
// deadline is nearer than it was, on Go's clock, and so is the renewal before it. While the clocks
// keep together, deadlines come in the same order on both, and the heap, ordered by one, does for
// both.
func (s *schedule) rejudge(t instant) {
	if s.asBefore(t) && !s.stale {
		return
	}
	s.apart, s.stale = s.apartAt(t), false
	for _, p := range s.leases {
		var next time.Time
		l := p.Lease
		until, ttl := l.lasts(t)
		if l.renew {
			next = earlier(l.at, renewAt(until, ttl))
		}
		l.plan(until, next)
	}
	s.leases.init()
}

// plan plans l as it looks at t. That may have been before a suspension, and all leases have been looked at since: then
// they are once more, or the deadline of this one would pass unseen.
func (s *schedule) plan(t instant, l *Lease, until, renewAt time.Time) {
	l.plan(until, renewAt)
	s.stale = s.stale || !s.asBefore(t)
}

func (s *schedule) apartAt(t instant) time.Duration { return t.boot - t.mono.Sub(s.origin) }

// asBefore reports whether the clocks at t are as far apart as when all leases were last looked at.
func (s *schedule) asBefore(t instant) bool {
	d := s.apartAt(t) - s.apart
	return -drift < d && d < drift
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

// plan sets when l, which lasts until then, needs attention next: at renewAt, or at its deadline if that comes
// first, renewAt is zero, or l is not kept alive.
func (l *Lease) plan(until, renewAt time.Time) {
	l.at = until
	l.renew = l.keep && !renewAt.IsZero() && renewAt.Before(until)
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
