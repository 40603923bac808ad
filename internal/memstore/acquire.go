package memstore

import (
	"context"
	"fmt"
	"time"

	"github.com/lockd/lockd/internal/lease"
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
		e.tag = replaced(e.tag, a.Tag)
		s.restartLocked(e, a.TTL, a.MaxHold, now)
		return e.restarted(a.TTL, a.MaxHold, now), nil
	}
	p := s.placeLocked(a.Name, a.ID, now)
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
func (s *Store) acquireFreeLocked(a lease.Acquisition, p *place, now time.Time) (lease.Lease, error) {
	if p != nil {
		a.Tag = replaced(p.Tag, a.Tag)
	}
	e, err := s.grantLocked(a, p, now)
	if err != nil {
		return lease.Lease{}, err
	}
	if p != nil {
		s.forgetPlaceLocked(p)
	}
	return e.restarted(a.TTL, a.MaxHold, now), nil
}

// refuseLocked answers why a cannot have the name that e holds or keeps closed, and gives it its place in line, or has
// it step aside; a wait that is not a's to end goes on. p is the place that it has or nil.
func (s *Store) refuseLocked(a lease.Acquisition, p *place, e *entry, now time.Time) error {
	held := &lease.HeldError{Holder: e.lease(now)}
	switch {
	case a.Turn != nil:
		var err error
		if p, err = s.queueLocked(a, p, now); err != nil {
			return err
		}
	case p == nil:
		return held
	case p.goesOnWithout(a.Tag):
	default:
		p.Tag = replaced(p.Tag, a.Tag)
		if p.away() {
			s.keepLocked(p, now.Add(lease.KeepPlace))
		} else {
			s.stepAsideLocked(p, now)
		}
	}
	held.Place, held.Ticket = s.placeOfLocked(p), p.ticket
	return held
}

// replaced is the tag of a lease or a place on which next was executed, an attempt no earlier than stored's.
func replaced(stored, next lease.Tag) lease.Tag {
	if next.Attempt > stored.Attempt {
		return next
	}
	if next.Exec != stored.Exec {
		// Two executions of one attempt: an undo could not tell which of them was answered.
		stored.Exec = lease.ExecReplayed
	}
	return stored
}
