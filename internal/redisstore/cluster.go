package redisstore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lockd/lockd/internal/redisconn"
)

// clusterLayout says how names are laid out in a Cluster; see layout. Every shard has it in its own slot, so that it can
// be compared wherever a connection leads.
const clusterLayout = "format=1 mode=cluster shards=256 hash=crc16"

// maxRedirects is how often go-redis follows a Cluster's MOVED and ASK for one sending.
const maxRedirects = 8

// onNode looks at a new connection to a node of a Cluster, as onConnect does. A replica writes nothing, and so does no
// harm: it is asked where the slots are. address is the node's own, so that who is at fault is named.
func (s *Store) onNode(ctx context.Context, cn *redis.Conn, address string) error {
	refused := func(problem string) error {
		return redisconn.ConnectProblem(&redisconn.RefusedError{Address: address, Problem: problem})
	}
	var role *redis.Cmd
	var id *redis.StringCmd
	var slots *redis.ClusterSlotsCmd
	_, err := cn.Pipelined(ctx, func(p redis.Pipeliner) error {
		role, id, slots = p.Do(ctx, "ROLE"), p.ClusterMyID(ctx), p.ClusterSlots(ctx)
		return nil
	})
	if redis.HasErrorPrefix(err, "This instance has cluster support disabled") {
		return refused("is no cluster, and the URL says that it is one; want nodes of one Cluster in the URL, or this host alone, without ?cluster=true")
	}
	if err != nil {
		return redisconn.ConnectProblem(err)
	}
	if !s.members.know(slots.Val()) {
		return refused(otherCluster)
	}
	if is, err := redisconn.RoleOf(role); err != nil || is != "master" {
		return connectedTo(is, err)
	}
	var shards []*Store
	for _, r := range slots.Val() {
		if len(r.Nodes) == 0 || r.Nodes[0].ID != id.Val() {
			continue
		}
		for _, shard := range s.shards {
			if slot := shard.keys.slot(); r.Start <= slot && slot <= r.End {
				shards = append(shards, shard)
			}
		}
	}
	if err := s.compareLayout(ctx, cn, shards); err != nil {
		return redisconn.ConnectProblem(err)
	}
	return nil
}

func connectedTo(role string, err error) error {
	switch {
	case err != nil:
		return redisconn.ConnectProblem(err)
	case role != "slave":
		return redisconn.ConnectProblem(fmt.Errorf("it is a %s", role))
	}
	return nil
}

// rooms hold one for each of what is under way, at each node of a Cluster for itself: one that does not answer keeps
// nobody from the others.
type rooms struct {
	size   int
	mu     sync.Mutex
	byNode map[string]redisconn.Room
}

func newRooms(size int) *rooms { return &rooms{size: size, byNode: make(map[string]redisconn.Room)} }

func (r *rooms) at(address string) redisconn.Room {
	r.mu.Lock()
	defer r.mu.Unlock()
	room := r.byNode[address]
	if room == nil {
		room = make(redisconn.Room, r.size)
		r.byNode[address] = room
	}
	return room
}

// room is where a script call has its place while it is under way.
func (s *Store) room(ctx context.Context) redisconn.Room {
	return s.roomIn(ctx, s.front.rooms, s.calls)
}

// errandRoom is where an errand has its.
func (s *Store) errandRoom() redisconn.Room {
	return s.roomIn(s.background, s.front.errandRooms, s.errands)
}

// roomIn answers that of the shard's node, as far as is known; of one Redis there is the one.
func (s *Store) roomIn(ctx context.Context, of *rooms, one redisconn.Room) redisconn.Room {
	if s.cluster != nil {
		if node, err := s.cluster.MasterForKey(ctx, s.keys.fence()); err == nil {
			return of.at(node.Options().Addr)
		}
	}
	return one
}

// once is a command that go-redis must not send again by itself after a lost reply: that is ours to judge.
type once struct{ *redis.Cmd }

// NoRetry implements redis.Cmder.
func (once) NoRetry() bool { return true }

// firstPause is before a call that did nothing is made again; the next ones are longer.
const firstPause = 5 * time.Millisecond

func longer(pause time.Duration) time.Duration { return min(2*pause, 100*time.Millisecond) }

// sleepWithin reports whether it has slept for d, and ctx goes on. If it will not it does not sleep.
func sleepWithin(ctx context.Context, d time.Duration) bool {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < d {
		return false
	}
	return sleep(ctx, d)
}

// doInCluster sends a script's command to where its slot is, and again while the answer says for certain that nothing
// was done and that this will soon pass: the slot has just moved, its node has died or is being replaced. A move takes as
// long as it takes: calls whose keys are apart are left to their callers.
func (s *Store) doInCluster(ctx context.Context, script *redis.Script, key string, command []any) (any, error) {
	for pause := firstPause; ; pause = longer(pause) {
		cmd := redis.NewCmd(ctx, command...)
		_ = s.cluster.Process(ctx, once{cmd})
		raw, err := cmd.Result()
		if err == nil || isApart(err) {
			return raw, err
		}
		if redis.HasErrorPrefix(err, "NOSCRIPT") {
			if err := s.loadAt(ctx, script, key); err != nil {
				return nil, &redisconn.DialError{Err: err} // as certain as that: the script has not run
			}
		} else if !passes(err) {
			s.cluster.ReloadState(ctx) // the node may be gone
			return nil, err
		} else {
			s.cluster.ReloadState(ctx)
		}
		if !sleepWithin(ctx, pause) {
			return nil, err
		}
	}
}

// passes reports whether err says that nothing was done, and that another try may.
func passes(err error) bool {
	var notSent *redisconn.DialError
	if errors.As(err, &notSent) {
		return !errors.As(err, new(*redisconn.RefusedError))
	}
	for _, word := range []string{"CLUSTERDOWN", "MOVED", "ASK", "LOADING", "MASTERDOWN", "READONLY"} {
		if redis.HasErrorPrefix(err, word) {
			return true
		}
	}
	return false
}
