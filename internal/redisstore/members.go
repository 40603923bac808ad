package redisstore

import (
	"context"
	"errors"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/lockd/lockd/internal/redisconn"
)

// members are the nodes of a Cluster, by the ids that they have given themselves, as it last told them. They tell it from
// every other Cluster: nodes come and go, but never all of them between two looks.
type members struct {
	mu  sync.Mutex
	ids map[string]bool // nil before the first look
}

func idsIn(slots []redis.ClusterSlot) map[string]bool {
	ids := make(map[string]bool)
	for _, r := range slots {
		for _, node := range r.Nodes {
			ids[node.ID] = true
		}
	}
	return ids
}

// know reports whether whoever divides the slots like this is of our Cluster.
func (m *members) know(slots []redis.ClusterSlot) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id := range idsIn(slots) {
		if m.ids[id] {
			return true
		}
	}
	return m.ids == nil
}

// note does so too, and from then on its nodes are ours.
func (m *members) note(slots []redis.ClusterSlot) bool {
	if !m.know(slots) {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ids = idsIn(slots)
	return true
}

// otherCluster is what is said of a node, or of all of them, that are not of our Cluster.
const otherCluster = "is of another Cluster than the other nodes, or than before: names would have two places; want nodes of one Cluster in the URL, and lockd restarted if it is meant to use another one"

// checkSeeds asks each node of the URL whether it is of the same Cluster: go-redis believes whichever answers first, and
// of two lockd each could have another one. Who does not answer is no reason to refuse.
func (s *Store) checkSeeds(ctx context.Context) error {
	if s.cluster == nil {
		return nil
	}
	answers := make(chan error, len(s.target.Addrs))
	for _, address := range s.target.Addrs {
		go func() { answers <- s.checkSeed(ctx, address) }()
	}
	var refused error
	for range s.target.Addrs {
		if err := <-answers; errors.As(err, new(*redisconn.RefusedError)) {
			refused = err
		}
	}
	return refused
}

func (s *Store) checkSeed(ctx context.Context, address string) error {
	options := s.target.Options(1)
	options.Addrs, options.Dialer = []string{address}, s.conns.Dial
	node := s.nodeClient(options.Simple())
	defer node.Close()
	return s.connectError(node.Ping(ctx).Err())
}
