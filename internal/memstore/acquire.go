package memstore

import (
	"container/heap"
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/lockd/lockd/internal/lease"
)

// Acquire implements lease.Store.
func (s *Store) Acquire(ctx context.Context, a lease.Acquisition) (lease.Lease, error) {
	now := s.lock()
	defer s.mu.Unlock()
	l, err := s.acquireLocked(ctx, a, now)
	if err != nil {
		return lease.Lease{}, fmt.Errorf("acquire %q: %w", a.Name, err)
	}
	return l, nil
}

// acquireLocked executes a once. It checks everything, then writes.
func (s *Store) acquireLocked(ctx context.Context, a lease.Acquisition, now time.Time) (lease.Lease, error) {
	// The deadline itself, not ctx.Err(): its timer may be late, and whoever undoes this execution
	// relies on nothing happening after it. So it is also asked under the mutex, not before.
	if deadline, ok := ctx.Deadline(); ok && !now.Before(deadline) {
		return lease.Lease{}, fmt.Errorf("%w: too late by %s", lease.ErrUnavailable, now.Sub(deadline))
	}
	e := s.findLocked(a.Name, now)
	mine := e != nil && e.id == a.ID
	switch {
	case a.Told != 0 && !(mine && e.token == a.Told):
		return lease.Lease{}, lease.ErrLost
	case mine && a.Tag.Attempt < e.tag.Attempt:
		return lease.Lease{}, lease.ErrSuperseded
	case mine:
		e.tag = replaced(e.tag, a.Tag)
		s.restartLocked(e, a.TTL, now)
		return e.restarted(a.TTL, now), nil
	case e != nil:
		return lease.Lease{}, &lease.HeldError{Holder: e.lease(now)}
	}
	return s.grantLocked(a, now)
}

// replaced is the tag of a lease on which next was executed, an attempt no earlier than stored's.
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

// grantLocked grants a free name with a token larger than all before, on whatever name.
func (s *Store) grantLocked(a lease.Acquisition, now time.Time) (lease.Lease, error) {
	token := max(s.last+1, lease.Token(now.UnixMicro()))
	if token >= lease.MaxToken {
		return lease.Lease{}, fmt.Errorf("%w: tokens have reached 2^53", lease.ErrGrantsRefused)
	}
	e := &entry{
		name: a.Name, id: a.ID, tag: a.Tag, token: token, owner: a.Owner,
		since: now.Round(0).UTC(), ttl: a.TTL, over: now.Add(a.TTL + lease.Grace(a.TTL)),
	}
	if len(a.Metadata) > 0 {
		e.metadata = maps.Clone(a.Metadata)
	}
	s.last = token
	s.held[a.Name] = e
	heap.Push(&s.expiry, e)
	s.granted.add(e)
	return e.lease(now), nil
}

// Undo implements lease.Store. It frees at once what is there, and once more when the execution would
// come too late: a copy of it may have arrived in between.
func (s *Store) Undo(ctx context.Context, u lease.Undoing) error {
	for {
		left := s.undoOnce(u)
		if left <= 0 {
			return nil
		}
		timer := time.NewTimer(left)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("undo on %q: %w", u.Name, lease.ErrUnknown)
		}
	}
}

// undoOnce frees what the execution holds and answers how long it may still take effect.
func (s *Store) undoOnce(u lease.Undoing) time.Duration {
	now := s.lock()
	defer s.mu.Unlock()
	e := s.findLocked(u.Name, now)
	if e != nil && e.id == u.ID && e.tag == u.Tag && u.Tag.Exec != lease.ExecReplayed {
		s.removeLocked(e)
	}
	return u.Deadline.Sub(now)
}
