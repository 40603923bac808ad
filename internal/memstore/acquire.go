package memstore

import (
	"context"
	"fmt"
	"time"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/internal/line"
)

// Acquire implements lease.Store.
func (s *Store) Acquire(ctx context.Context, a lease.Acquisition) (lease.Lease, error) {
	deadline, _ := ctx.Deadline()
	return s.acquire(a, deadline)
}

// acquire executes a unless it is after deadline.
func (s *Store) acquire(a lease.Acquisition, deadline time.Time) (lease.Lease, error) {
	now := s.lock()
	defer s.unlock(now)
	l, err := s.acquireLocked(a, deadline, now)
	if err != nil {
		return lease.Lease{}, fmt.Errorf("acquire %q: %w", a.Name, err)
	}
	return l, nil
}

// acquireLocked executes a once. It checks everything, then writes.
func (s *Store) acquireLocked(a lease.Acquisition, deadline, now time.Time) (lease.Lease, error) {
	// The deadline itself, not a ctx.Err(): its timer may be late, and whoever undoes this execution
	// relies on nothing happening after it. So it is also asked under the mutex, not before.
	if !deadline.IsZero() && !now.Before(deadline) {
		return lease.Lease{}, fmt.Errorf("%w: too late by %s", lease.ErrUnavailable, now.Sub(deadline))
	}
	e := s.findLocked(a.Name, now)
	mine := e != nil && e.isOf(a.ID)
	switch {
	case a.Told != 0 && !(mine && e.token == a.Told):
		return lease.Lease{}, lease.ErrLost
	case mine && a.Tag.Attempt < e.tag.Attempt:
		return lease.Lease{}, lease.ErrSuperseded
	case mine:
		e.tag = line.Replaced(e.tag, a.Tag)
		s.restartLocked(e, a.TTL, a.MaxHold, now)
		return e.restarted(a.TTL, a.MaxHold, now), nil
	}
	p := s.line.Place(a.Name, a.ID, now)
	switch {
	case p != nil && a.Tag.Attempt < p.Tag.Attempt:
		return lease.Lease{}, lease.ErrSuperseded
	case e != nil:
		return lease.Lease{}, s.refuseLocked(a, p, e, now)
	}
	return s.acquireFreeLocked(a, p, now)
}

// acquireFreeLocked grants a name that is free, so that nobody is present in its line: what freed it
// would have handed it over, but that no token was left, nor is one now. p is the place of a or nil.
func (s *Store) acquireFreeLocked(a lease.Acquisition, p *line.Place, now time.Time) (lease.Lease, error) {
	if p != nil {
		a.Tag = line.Replaced(p.Tag, a.Tag)
	}
	e, err := s.grantLocked(a, p, now)
	if err != nil {
		return lease.Lease{}, err
	}
	if p != nil {
		s.line.Take(p)
	}
	return e.restarted(a.TTL, a.MaxHold, now), nil
}

// refuseLocked answers why a cannot have the name that e holds or keeps closed. p is the place that a has in line, or nil.
func (s *Store) refuseLocked(a lease.Acquisition, p *line.Place, e *entry, now time.Time) error {
	p, err := s.line.Refuse(a, p, now)
	if err != nil {
		return err
	}
	held := &lease.HeldError{Holder: e.lease(now)}
	if p != nil {
		held.Place, held.Ticket = s.line.Number(p), p.Ticket
	}
	return held
}
