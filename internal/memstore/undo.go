package memstore

import (
	"context"
	"fmt"
	"time"

	"github.com/lockd/lockd/internal/lease"
)

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

// undoOnce takes back what the execution has, and answers how long it may still take effect.
func (s *Store) undoOnce(u lease.Undoing) time.Duration {
	now := s.lock()
	defer s.unlock(now)
	left := u.Deadline.Sub(now)
	if u.Tag.Exec == lease.ExecReplayed {
		return left
	}
	if e := s.findLocked(u.Name, now); e != nil && e.id == u.ID && e.tag == u.Tag {
		if e.closed { // it is over, which was told
			s.openLocked(e, now)
		} else {
			s.freeLocked(e, e.event(lease.EventReleased, now), now)
		}
		if e.from != nil && u.KeepPlace && s.line.Place(u.Name, u.ID, now) == nil { // who has asked again has another one by now
			s.line.Return(e.from, e.tag, now)
		}
	}
	s.line.Undo(u, now)
	return left
}
