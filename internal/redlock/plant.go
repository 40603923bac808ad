package redlock

import (
	"context"
	"time"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/internal/redisconn"
	"github.com/lockd/lockd/internal/redlock/ballot"
)

// maxRepairs is how many leases are taken in by nodes at once; others are at their next renewal.
const maxRepairs = 32

// repair has a node take in a lease that a renewal found at a quorum and not there, in this order: the node says that
// the name is free, with its fence and its run; after that a renewal is confirmed by a quorum; then the node plants the
// lease, if nothing was granted there since and it is still that run. See ballot.MayPlant. The node counts from the
// next round on. What comes in between leaves it to another try, and then to the next renewal.
func (s *Store) repair(node int, found lease.Renewal, token int64) {
	select {
	case s.repairs <- struct{}{}:
	default:
		return
	}
	s.errands.start(4*callTimeout, func(ctx context.Context) {
		defer func() { <-s.repairs }()
		s.repairNow(ctx, node, found, token)
	})
}

// repairTries is how often a node is asked in a row: where others are granted all the time, something nearly always is in between.
const repairTries = 8

func (s *Store) repairNow(ctx context.Context, node int, found lease.Renewal, token int64) {
	for range repairTries {
		if s.repairOnce(ctx, node, found, token) || !sleep(ctx, about(firstPause)) {
			return
		}
	}
}

// repairOnce reports whether nothing more is to be done.
func (s *Store) repairOnce(ctx context.Context, node int, found lease.Renewal, token int64) bool {
	name := found.Name
	peeked, ok := s.repairCall(ctx, node, name, "PEEK")
	if !ok || peeked.Kind() != "FREE" {
		return true
	}
	until := time.Now().Add(callTimeout)
	found.TTL = 0
	r := s.newRound(renewing(found, until), nil)
	s.put(r)
	r.extend(callTimeout)
	if verdict, renewed := ballot.Renewed(r.answers(), token); verdict != ballot.Decided || renewed != token {
		return true
	}
	for _, seat := range r.seats {
		if v := seat.value; seat.has() && seat.said.Kind == ballot.Stands && seat.said.Token == token {
			px := min(v.px+v.delay, v.left) // it is less where a hold is about to end
			if px < v.delay+time.Millisecond {
				return true
			}
			now := time.Now()
			said, ok := s.repairCall(ctx, node, name, "PLANT", peeked.Text(1), peeked.Text(2), s.queues[node].node.time(until),
				now.UnixMicro(), redisconn.MaxSkew.Microseconds(), px.Milliseconds(), v.planted())
			if said.Kind() == "PLANTED" {
				s.bare.forget(name)
			}
			return !ok || said.Kind() == "PLANTED"
		}
	}
	return true
}

// repairCall runs plant.lua at a node, which answers in time or not at all.
func (s *Store) repairCall(ctx context.Context, node int, name string, args ...any) (reply, bool) {
	ctx, cancel := context.WithTimeout(ctx, s.nodeTimeout(0))
	defer cancel()
	n := s.queues[node].node
	if !n.votes() {
		return nil, false
	}
	marker, mark := n.marker()
	_, body, err := n.call(ctx, plantScript, []any{marker, s.keys.fence(), s.keys.lock(name)}, append([]any{mark}, args...))
	said, ok := body.([]any)
	return said, err == nil && ok
}
