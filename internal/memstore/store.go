// Package memstore keeps leases in the memory of one process: the default when nothing is configured,
// and the reference for what a lease.Store means.
//
// Nothing survives the process. Tokens start from its clock, so after a restart they are larger than
// all before unless the clock was set back by more than the process was away.
package memstore

import (
	"container/heap"
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/lockd/lockd/internal/lease"
)

// Store is a lease.Store in memory, safe for concurrent use. Every operation but List costs
// O(log leases), amortised; memory is proportional to the most leases that stood at once.
//
// Deadlines are on Go's monotonic clock: no step of the wall clock ends a lease or keeps one. It
// stands still while the machine is suspended, so that leases then last longer, never less long.
type Store struct {
	mu      sync.Mutex
	held    map[string]*entry // by name; some may be expired
	expiry  expiry            // the same, by when they are over
	granted journal           // the same, by token
	last    lease.Token       // the last token granted, on whatever name
}

// entry is one lease.
type entry struct {
	name     string
	id       lease.ID
	tag      lease.Tag
	token    lease.Token
	owner    string
	metadata map[string]string // never written to
	since    time.Time
	ttl      time.Duration // the largest that was set
	over     time.Time     // when the name is free: the end of the grace
	at       int           // its place in Store.expiry
}

// New returns an empty store.
func New() *Store {
	return &Store{held: make(map[string]*entry)}
}

// lock takes the mutex and answers the time, which thus never goes back from one holder of the mutex
// to the next. It also forgets some of what is expired: more than one operation can add, so that
// leases nobody asks for again do not pile up.
func (s *Store) lock() time.Time {
	const some = 2
	s.mu.Lock()
	now := time.Now()
	for range some {
		if len(s.expiry) == 0 || s.expiry[0].inForceAt(now) {
			break
		}
		s.removeLocked(s.expiry[0])
	}
	return now
}

// inForceAt reports whether e still stands, its grace included.
func (e *entry) inForceAt(now time.Time) bool { return now.Before(e.over) }

// findLocked answers the lease in force on name, or nil.
func (s *Store) findLocked(name string, now time.Time) *entry {
	e := s.held[name]
	if e == nil || e.inForceAt(now) {
		return e
	}
	s.removeLocked(e)
	return nil
}

func (s *Store) removeLocked(e *entry) {
	delete(s.held, e.name)
	heap.Remove(&s.expiry, e.at)
	s.granted.remove(e.token)
}

// restartLocked gives e a ttl from now on. It never shortens e.
func (s *Store) restartLocked(e *entry, ttl time.Duration, now time.Time) {
	e.ttl = max(e.ttl, ttl)
	if over := now.Add(ttl + lease.Grace(e.ttl)); over.After(e.over) {
		e.over = over
		heap.Fix(&s.expiry, e.at)
	}
}

// lease is e as anybody may see it.
func (e *entry) lease(now time.Time) lease.Lease {
	expiresIn := e.over.Sub(now)
	return lease.Lease{
		Name: e.name, Token: e.token, Owner: e.owner, Since: e.since, TTL: e.ttl,
		Left: max(0, expiresIn-lease.Grace(e.ttl)), ExpiresIn: expiresIn, Metadata: maps.Clone(e.metadata),
	}
}

// restarted is e as its holder is told after a ttl was set, which may be less than the lease's own.
func (e *entry) restarted(ttl time.Duration, now time.Time) lease.Lease {
	l := e.lease(now)
	l.TTL = ttl
	return l
}

// Get implements lease.Store.
func (s *Store) Get(_ context.Context, r lease.GetRequest) (lease.Lease, bool, error) {
	now := s.lock()
	defer s.mu.Unlock()
	e := s.findLocked(r.Name, now)
	if e == nil {
		return lease.Lease{}, false, nil
	}
	return e.lease(now), true, nil
}

// Renew implements lease.Store.
func (s *Store) Renew(_ context.Context, r lease.Renewal) (lease.Lease, error) {
	now := s.lock()
	defer s.mu.Unlock()
	e := s.findLocked(r.Name, now)
	if e == nil || e.id != r.ID {
		return lease.Lease{}, fmt.Errorf("renew %q: %w", r.Name, lease.ErrLost)
	}
	ttl := r.TTL
	if ttl == 0 {
		ttl = e.ttl
	}
	s.restartLocked(e, ttl, now)
	return e.restarted(ttl, now), nil
}

// Release implements lease.Store.
func (s *Store) Release(_ context.Context, r lease.ReleaseRequest) (lease.Released, error) {
	now := s.lock()
	defer s.mu.Unlock()
	e := s.findLocked(r.Name, now)
	switch {
	case e == nil:
		return lease.Released{Outcome: lease.Gone, Repeat: true}, nil
	case e.id != r.ID:
		return lease.Released{Outcome: lease.HeldByOther, Repeat: true}, nil
	}
	s.removeLocked(e)
	// Only the one execution of a first attempt is known to have nothing else on its way.
	only := e.tag.Attempt == 1 && e.tag.Exec != lease.ExecReplayed
	return lease.Released{Outcome: lease.Held, Repeat: !only}, nil
}

// ForceRelease implements lease.Store.
func (s *Store) ForceRelease(_ context.Context, r lease.ForceRequest) (lease.Lease, error) {
	now := s.lock()
	defer s.mu.Unlock()
	e := s.findLocked(r.Name, now)
	if e == nil {
		return lease.Lease{}, &lease.TokenError{Name: r.Name, Token: r.Token}
	}
	was := e.lease(now)
	if e.token != r.Token {
		return lease.Lease{}, &lease.TokenError{Name: r.Name, Token: r.Token, InForce: &was}
	}
	s.removeLocked(e) // s.last is no less than its token: the next one is larger
	return was, nil
}

// Expire ends the lease on name as though its time and its grace had run out, and reports whether
// there was one. It is for tests, ours and those of the users of lockdtest.
func (s *Store) Expire(name string) bool {
	now := s.lock()
	defer s.mu.Unlock()
	e := s.findLocked(name, now)
	if e == nil {
		return false
	}
	s.removeLocked(e)
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

// Close implements lease.Store. There is nothing to end.
func (s *Store) Close() error { return nil }
