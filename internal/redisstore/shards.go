package redisstore

import (
	"strconv"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/internal/redisconn"
)

// A Cluster's names are kept in shards, each in one slot, so that all keys of a name, and of all names that share
// calls and a fence, are in one place. Each shard is a Store of its own, which knows nothing of the others; what they
// share is the front's: it routes, checks, listens and lists.

const (
	clusterShards = 256
	clusterSlots  = 16384
	slotsAShard   = clusterSlots / clusterShards
)

// shardTags are the hash tags of a Cluster's shards: that of shard i is the smallest decimal number whose slot lies in
// the i-th of 256 equal parts, so that any equal split of the slots is an equal split of the shards.
var shardTags = func() (tags [clusterShards]string) {
	for n, missing := 0, clusterShards; missing > 0; n++ {
		tag := strconv.Itoa(n)
		if i := slotOf(tag) / slotsAShard; tags[i] == "" {
			tags[i] = tag
			missing--
		}
	}
	return tags
}()

// slotOf is Redis's: CRC16 (XMODEM) of what is hashed.
func slotOf(text string) int {
	crc := uint16(0)
	for i := range len(text) {
		crc ^= uint16(text[i]) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return int(crc) % clusterSlots
}

// of answers the Store that keeps name: the shard, or s itself where there are none.
func (s *Store) of(name string) *Store {
	if s.shards == nil {
		return s
	}
	return s.shards[slotOf(name)/slotsAShard]
}

// all are the Stores that keep names.
func (s *Store) all() []*Store {
	if s.shards == nil {
		return []*Store{s}
	}
	return s.shards
}

// makeShards makes those of a Cluster, once its front is complete.
func (s *Store) makeShards() {
	for _, tag := range shardTags {
		shard := &Store{
			front: s, target: s.target, address: s.address, minReplicas: s.minReplicas, client: s.client, cluster: s.cluster, conns: s.conns,
			keys: s.keys.inShard(tag), clock: redisconn.NewClock(), calls: s.calls, notice: s.notice, crew: newCrew(maxCalls),
			instance: s.instance, waiters: newWaiters(), alarms: s.alarms, errands: s.errands, hub: s.hub,
			background: s.background,
		}
		shard.batch = newBatch(shard, 1) // so that the pool of a node always has a connection for it
		s.shards = append(s.shards, shard)
	}
}

// startEach gives each shard its part of calls.
func (s *Store) startEach(calls []*lease.Call) {
	parts := make(map[*Store][]*lease.Call)
	for _, c := range calls {
		shard := s.of(c.Name())
		parts[shard] = append(parts[shard], c)
	}
	for shard, part := range parts {
		shard.Start(part)
	}
}

// loseAll marks all who wait here as those who have to ask again.
func (s *Store) loseAll() {
	for _, shard := range s.all() {
		shard.waiters.loseAll()
	}
}
