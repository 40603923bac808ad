// Package memstore keeps leases, and the lines of those who wait for them, in the memory of one process:
// the default when nothing is configured, and the reference for what a lease.Store means.
//
// Nothing survives the process. Tokens start from its clock, so after a restart they are larger than
// all before unless the clock was set back by more than the process was away.
package memstore

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/lockd/lockd/internal/due"
	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/internal/line"
)

// Store is a lease.Store in memory, safe for concurrent use. Every operation but List costs
// O(log leases), amortised, a hand-over included, however long the line is; memory is proportional to
// the most leases that stood and the most places that were kept at once.
//
// Deadlines are on Go's monotonic clock: no step of the wall clock ends a lease or keeps one. It
// stands still while the machine is suspended, so that leases then last longer, never less long.
type Store struct {
	mu      sync.Mutex
	held    map[string]*entry // by name; some may be expired, and some names closed
	expiry  due.Heap[*entry]  // the same, by when they are over
	granted journal           // the same, by token
	pages   pages             // of List
	last    lease.Token       // the last token granted, on whatever name

	line    *line.Book
	turns   []turn // to be called as soon as mu is free
	alarm   alarm
	watched watched
}

// New returns an empty store. Close it.
func New() *Store {
	s := &Store{held: make(map[string]*entry), watched: watched{by: make(map[*watcher]struct{})}, pages: newPages()}
	s.line = line.NewBook(s.tellLocked, nil)
	return s
}

// lock takes the mutex and answers the time, which thus never goes back from one holder of the mutex
// to the next. It also forgets some of what is over: more than one operation can add, so that
// leases and places nobody asks for again do not pile up.
func (s *Store) lock() time.Time {
	const some = 2
	s.mu.Lock()
	now := time.Now()
	s.forgetLocked(some, now)
	return now
}

// unlock frees the mutex and then tells those whose turn has come.
func (s *Store) unlock(now time.Time) {
	s.setAlarmLocked(now)
	turns := s.turns
	s.turns = nil
	s.mu.Unlock()
	for _, t := range turns {
		t.call(t.with)
	}
}

// forgetLocked ends up to most leases and delays, and as many places, that are over, and reports whether there are
// more such leases.
func (s *Store) forgetLocked(most int, now time.Time) (more bool) {
	s.line.Expire(most, now)
	for range most {
		e, ok := s.expiry.First()
		if !ok || e.standsAt(now) {
			return false
		}
		s.expireLocked(e, now)
	}
	return true
}

// Get implements lease.Store.
func (s *Store) Get(_ context.Context, r lease.GetRequest) (lease.Standing, error) {
	now := s.lock()
	defer s.unlock(now)
	var standing lease.Standing
	if e := s.findLocked(r.Name, now); e != nil {
		standing.Held, standing.Lease = !e.closed, e.lease(now)
	}
	standing.Waiters, standing.Waiting = s.line.Show(r.Name, r.Waiters)
	return standing, nil
}

// Renew implements lease.Store.
func (s *Store) Renew(_ context.Context, r lease.Renewal) (lease.Lease, error) {
	now := s.lock()
	defer s.unlock(now)
	e := s.findLocked(r.Name, now)
	if e == nil || !e.isOf(r.ID) {
		return lease.Lease{}, fmt.Errorf("renew %q: %w", r.Name, lease.ErrLost)
	}
	ttl := r.TTL
	if ttl == 0 {
		ttl = e.ttl
	}
	s.restartLocked(e, ttl, r.MaxHold, now)
	return e.restarted(ttl, r.MaxHold, now), nil
}

// Release implements lease.Store.
func (s *Store) Release(_ context.Context, r lease.ReleaseRequest) (lease.Released, error) {
	now := s.lock()
	defer s.unlock(now)
	e := s.findLocked(r.Name, now)
	switch {
	case e == nil || e.closed:
		return lease.Released{Outcome: lease.Gone, Repeat: true}, nil
	case e.id != r.ID:
		return lease.Released{Outcome: lease.HeldByOther, Repeat: true}, nil
	}
	s.freeLocked(e, e.event(lease.EventReleased, now), now)
	// Only the one execution of a first attempt is known to have nothing else on its way.
	only := e.tag.Attempt == 1 && e.tag.Exec != lease.ExecReplayed
	return lease.Released{Outcome: lease.Held, Repeat: !only}, nil
}

// Start implements lease.Store. Nothing here waits, so everything is settled when it returns.
func (s *Store) Start(calls []*lease.Call) {
	for _, c := range calls {
		var got lease.Result
		switch {
		case c.Acquire != nil:
			got.Lease, got.Err = s.acquire(*c.Acquire, c.Deadline)
		case c.Renew != nil:
			got.Lease, got.Err = s.Renew(context.Background(), *c.Renew)
		default:
			got.Released, got.Err = s.Release(context.Background(), *c.Release)
		}
		c.To.Settled(got)
	}
}

// ForceRelease implements lease.Store.
func (s *Store) ForceRelease(_ context.Context, r lease.ForceRequest) (lease.Lease, error) {
	now := s.lock()
	defer s.unlock(now)
	e := s.findLocked(r.Name, now)
	if e == nil || e.closed {
		return lease.Lease{}, &lease.TokenError{Name: r.Name, Token: r.Token}
	}
	was := e.lease(now)
	if e.token != r.Token {
		return lease.Lease{}, &lease.TokenError{Name: r.Name, Token: r.Token, InForce: &was}
	}
	forced := e.event(lease.EventForced, now)
	forced.By, forced.Reason = r.By, r.Reason
	s.loseLocked(e, forced, now, now) // s.last is no less than its token: the next one is larger
	return was, nil
}

// Expire ends the lease on name as though its time and its grace had run out, or the delay for which the name is closed
// after one, and reports whether there was either. It is for tests, ours and those of the users of lockdtest.
func (s *Store) Expire(name string) bool {
	now := s.lock()
	defer s.unlock(now)
	e := s.findLocked(name, now)
	if e == nil {
		return false
	}
	e.over = now
	s.expireLocked(e, now)
	return true
}

// Status implements lease.Store.
func (s *Store) Status() lease.Status {
	return lease.Status{
		Kind: "memory",
		Warnings: []string{"leases are kept in the memory of this process: none survives its end, " +
			"and other servers know nothing of them"},
	}
}

// Close implements lease.Store.
func (s *Store) Close() error {
	s.mu.Lock()
	now := time.Now()
	s.line.AllAside(now)
	s.alarm.closeLocked()
	s.unlock(now)
	s.alarm.ringing.Wait()
	return nil
}
