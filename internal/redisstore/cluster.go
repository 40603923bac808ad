package redisstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
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

// master is a node of a Cluster that has shards.
type master struct {
	address string
	client  redis.UniversalClient
	shards  []*Store
}

// masters answers the nodes that have shards, by address, and what tells one division of the slots from another. Errors:
// the Cluster does not answer; a *RefusedError if some of the slots are nobody's.
func (s *Store) masters(ctx context.Context) (all []master, division string, err error) {
	for {
		all, division, err = s.mastersNow(ctx)
		if !errors.Is(err, errDivided) {
			return all, division, err
		}
		s.cluster.ReloadState(ctx)
		if !sleep(ctx, 50*time.Millisecond) {
			return nil, "", err
		}
	}
}

// errDivided: go-redis does not know yet how the slots are divided.
var errDivided = errors.New("the slots have just been divided anew")

// leadTo answers go-redis's client of m: where it sends most of the shards. It may not have heard yet that one has moved.
func (s *Store) leadTo(ctx context.Context, m master) (most *redis.Client, err error) {
	count := make(map[*redis.Client]int)
	for _, shard := range m.shards {
		client, err := s.cluster.MasterForKey(ctx, shard.keys.fence())
		if err != nil {
			return nil, err
		}
		if count[client]++; count[client] > count[most] {
			most = client
		}
	}
	return most, nil
}

func (s *Store) mastersNow(ctx context.Context) (all []master, division string, err error) {
	//lint:ignore SA1019 Redis 6.2 has no CLUSTER SHARDS
	slots, err := s.cluster.ClusterSlots(ctx).Result()
	if err != nil {
		return nil, "", s.connectError(err)
	}
	owners := make(map[string]*master)
	var covered [clusterSlots]bool
	slices.SortFunc(slots, func(a, b redis.ClusterSlot) int { return cmp.Compare(a.Start, b.Start) })
	for _, r := range slots {
		if len(r.Nodes) == 0 {
			continue
		}
		at := r.Nodes[0].Addr
		division += fmt.Sprintf("%d-%d %s %s\n", r.Start, r.End, at, r.Nodes[0].ID)
		for slot := max(r.Start, 0); slot <= min(r.End, clusterSlots-1); slot++ {
			covered[slot] = true
		}
		for _, shard := range s.shards {
			if slot := shard.keys.slot(); r.Start <= slot && slot <= r.End {
				if owners[at] == nil {
					owners[at] = &master{address: at}
				}
				owners[at].shards = append(owners[at].shards, shard)
			}
		}
	}
	if i := slices.Index(covered[:], false); i >= 0 {
		return nil, "", s.refused("is a cluster in which slot %d, and perhaps others, is nobody's: names there could not be had; want all %d slots covered (redis-cli --cluster check)", i, clusterSlots)
	}
	for _, m := range owners {
		if m.client, err = s.leadTo(ctx, *m); err != nil {
			return nil, "", s.connectError(err)
		}
		for _, other := range all {
			if other.client == m.client {
				return nil, "", errDivided
			}
		}
		all = append(all, *m)
	}
	slices.SortFunc(all, func(a, b master) int { return cmp.Compare(a.address, b.address) })
	return all, division, nil
}

// onNode looks at a new connection to a node of a Cluster, as onConnect does. A replica writes nothing, and so does no
// harm: it is asked where the slots are.
func (s *Store) onNode(ctx context.Context, cn *redis.Conn) error {
	var role *redis.Cmd
	var id *redis.StringCmd
	var slots *redis.ClusterSlotsCmd
	_, err := cn.Pipelined(ctx, func(p redis.Pipeliner) error {
		role, id, slots = p.Do(ctx, "ROLE"), p.ClusterMyID(ctx), p.ClusterSlots(ctx)
		return nil
	})
	if redis.HasErrorPrefix(err, "This instance has cluster support disabled") {
		return redisconn.ConnectProblem(s.refused("is no cluster, and the URL says that it is one; want one host, without ?cluster=true"))
	}
	if err != nil {
		return redisconn.ConnectProblem(err)
	}
	if is, err := redisconn.RoleOf(role); err != nil || is != "master" {
		return connectedTo(is, err)
	}
	for _, r := range slots.Val() {
		if len(r.Nodes) == 0 || r.Nodes[0].ID != id.Val() {
			continue
		}
		for _, shard := range s.shards {
			if slot := shard.keys.slot(); slot < r.Start || r.End < slot {
				continue
			}
			if err := s.compareLayout(ctx, cn, shard.keys, clusterLayout); !errors.Is(err, errMoved) {
				return err
			} // its slot is moving; the next one will do
		}
	}
	return nil // it has no shard, and none of our commands
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

// rooms hold one for each script call under way, at each node of a Cluster for itself: one that does not answer keeps
// nobody from the others.
type rooms struct {
	mu     sync.Mutex
	byNode map[string]redisconn.Room
}

func (r *rooms) at(address string) redisconn.Room {
	r.mu.Lock()
	defer r.mu.Unlock()
	room := r.byNode[address]
	if room == nil {
		room = make(redisconn.Room, maxCalls)
		r.byNode[address] = room
	}
	return room
}

// room is where a call has its place while it is under way: that of the node, as far as is known.
func (s *Store) room(ctx context.Context) redisconn.Room {
	if s.cluster != nil {
		if node, err := s.cluster.MasterForKey(ctx, s.keys.fence()); err == nil {
			return s.front.rooms.at(node.Options().Addr)
		}
	}
	return s.calls
}

// once is a command that go-redis must not send again by itself after a lost reply: that is ours to judge.
type once struct{ *redis.Cmd }

// NoRetry implements redis.Cmder.
func (once) NoRetry() bool { return true }

// doInCluster sends a script's command to where its slot is, and again while the answer says for certain that nothing
// was done and that this will pass: the slot is moving, its node has died or is being replaced. A shared call whose keys
// are apart is left to renewApart.
func (s *Store) doInCluster(ctx context.Context, script *redis.Script, key string, command []any) (any, error) {
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		cmd := redis.NewCmd(ctx, command...)
		_ = s.cluster.Process(ctx, once{cmd})
		raw, err := cmd.Result()
		if err == nil || script == batchScript && isApart(err) {
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
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < pause || !sleep(ctx, pause) {
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
	for _, word := range []string{"TRYAGAIN", "CLUSTERDOWN", "MOVED", "ASK", "LOADING", "MASTERDOWN", "READONLY"} {
		if redis.HasErrorPrefix(err, word) {
			return true
		}
	}
	return false
}

// nodes are all servers that publish.
func (s *Store) nodes(ctx context.Context) (all []redis.Cmdable, err error) {
	if s.cluster == nil {
		return []redis.Cmdable{s.client}, nil
	}
	masters, _, err := s.masters(ctx)
	for _, m := range masters {
		all = append(all, m.client)
	}
	return all, err
}
