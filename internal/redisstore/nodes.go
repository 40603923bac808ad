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

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/internal/redisconn"
)

// clients are go-redis's of a Cluster's nodes, by address: it tells which node has a key, but not who is at an address.
type clients struct {
	mu     sync.Mutex
	byNode map[string]*redis.Client
}

func (c *clients) put(client *redis.Client) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.byNode[client.Options().Addr] = client // one at this address before has been closed
}

// at answers nil for an address that go-redis has not heard of.
func (c *clients) at(address string) *redis.Client {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.byNode[address]
}

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

// leadTo answers go-redis's client of m. Where nodes call themselves otherwise than they are reached it is where most
// of the shards are sent: go-redis may not have heard yet that one has moved.
func (s *Store) leadTo(ctx context.Context, m master) (most *redis.Client, err error) {
	if client := s.clients.at(m.address); client != nil {
		return client, nil
	}
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
	if !s.members.note(slots) {
		return nil, "", s.refused("%s", otherCluster)
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

// checkNodes is check for a Cluster. Nodes that do not answer are of no concern to the names of the others.
func (s *Store) checkNodes(ctx context.Context) (all checked, err error) {
	masters, _, err := s.masters(ctx)
	if err != nil {
		return checked{}, err
	}
	each, failed := make([]checked, len(masters)), make([]error, len(masters))
	var checks sync.WaitGroup
	for i, m := range masters {
		checks.Go(func() { each[i], failed[i] = s.checkNode(ctx, m) })
	}
	var prefix error
	checks.Go(func() { prefix = s.comparePrefix(ctx) })
	checks.Wait()
	if errors.As(prefix, new(*redisconn.RefusedError)) {
		return checked{}, prefix
	}
	answered := 0
	for i, m := range masters {
		switch err := failed[i]; {
		case err == nil:
			answered++
		case errors.As(err, new(*redisconn.RefusedError)):
			return checked{}, err
		default:
			each[i] = s.silent(m, err)
			all.partly = cmp.Or(all.partly, each[i].nodes[0].Error)
		}
		all.nodes, all.warnings = append(all.nodes, each[i].nodes...), append(all.warnings, each[i].warnings...)
		all.refusal, all.blocked = cmp.Or(all.refusal, each[i].refusal), cmp.Or(all.blocked, each[i].blocked)
	}
	if answered == 0 {
		return checked{}, errors.Join(failed...)
	}
	if all.partly != "" || s.found.Load().partly != "" {
		s.cluster.ReloadState(ctx) // who does not answer may have been replaced, or has been
	}
	return all, nil
}

// silent is what is known of a node that does not answer.
func (s *Store) silent(m master, err error) checked {
	for _, shard := range m.shards {
		shard.unanswered()
	}
	node := lease.Node{Address: m.address}
	for _, before := range s.found.Load().nodes {
		if before.Address == m.address {
			node = before
		}
	}
	node.Error = fmt.Sprintf("redis at %s does not answer, so its names cannot be had: %v", m.address, err)
	return checked{nodes: []lease.Node{node}}
}
