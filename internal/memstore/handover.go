package memstore

import (
	"time"

	"github.com/lockd/lockd/internal/lease"
)

// turn is a hand-over that has been made and is still to be told.
type turn struct {
	call func(lease.Handover)
	with lease.Handover
}

// handOverLocked grants name, which is free, to the first in line whose wait is not over. If no token is
// left the name stays free, and the line stands.
func (s *Store) handOverLocked(name string, now time.Time) {
	p := s.line.First(name, now)
	if p == nil {
		return
	}
	e, err := s.grantLocked(p.Acquisition, p, now)
	if err != nil {
		return
	}
	s.turns = append(s.turns, turn{p.Turn, lease.Handover{Lease: e.lease(now), Began: now}})
	s.line.Take(p)
}
