package redlock

import (
	"context"
	"sync"
	"sync/atomic"
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
	r := s.repairs.begin(found.ID)
	if r == nil {
		return
	}
	s.errands.start(4*callTimeout, func(ctx context.Context) {
		s.repairNow(ctx, node, found, token)
		s.repairs.end(r)
		if !r.released.Load() {
			return
		}
		// The node may have done the release before the plant. Else it finds nothing now.
		gone := releasing(lease.ReleaseRequest{Name: found.Name, ID: found.ID}, time.Time{})
		s.owes(node, gone, time.Now(), func(a answer) (bool, time.Time) { return did(a), again(a) })
	})
}

// repairs are those under way here.
type repairs struct {
	mu       sync.Mutex
	underWay map[*repairing]struct{}
}

// repairing is a lease that a node is to take in.
type repairing struct {
	id       lease.ID
	released atomic.Bool // through this server, since the repair began
}

// begin answers nil if too many are under way.
func (x *repairs) begin(id lease.ID) *repairing {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.underWay) >= maxRepairs {
		return nil
	}
	if x.underWay == nil {
		x.underWay = make(map[*repairing]struct{})
	}
	r := &repairing{id: id}
	x.underWay[r] = struct{}{}
	return r
}

func (x *repairs) end(r *repairing) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.underWay, r)
}

// releasing is told of a release before any node is: a plant that comes after it at a node has to be followed by another.
func (x *repairs) releasing(id lease.ID) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for r := range x.underWay {
		if r.id == id {
			r.released.Store(true)
		}
	}
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
