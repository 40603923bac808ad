package redisproc

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// Cluster is three primaries that share the slots evenly, each with a replica.
type Cluster struct {
	Servers []*Server // the primaries first, as they were at the start
	t       testing.TB
}

// primaries of a Cluster.
const primaries = 3

// StartCluster runs six servers and returns when all of them know of all slots. opts are for each.
func StartCluster(t testing.TB, opts ...Option) *Cluster {
	t.Helper()
	c := &Cluster{t: t}
	opts = append([]Option{TCP(), Args("--cluster-enabled", "yes", "--cluster-node-timeout", "1000", "--repl-diskless-sync-delay", "0")}, opts...)
	for range 2 * primaries {
		c.Servers = append(c.Servers, Start(t, opts...))
	}
	for i, s := range c.Servers {
		if i < primaries {
			c.Do(s, "CLUSTER", "ADDSLOTSRANGE", i*16384/primaries, (i+1)*16384/primaries-1)
		}
		c.Do(s, "CLUSTER", "SET-CONFIG-EPOCH", i+1)
		c.Do(s, "CLUSTER", "MEET", "127.0.0.1", c.Servers[0].Port())
	}
	await(t, "the nodes know each other", func(ctx context.Context) bool {
		for _, s := range c.Servers {
			if strings.Count(c.ask(ctx, s, "CLUSTER", "NODES"), "connected") < 2*primaries {
				return false
			}
		}
		return true
	})
	for i, s := range c.Servers[primaries:] {
		c.Do(s, "CLUSTER", "REPLICATE", c.ID(c.Servers[i]))
	}
	await(t, "the cluster serves", func(ctx context.Context) bool {
		for i, s := range c.Servers {
			if !strings.Contains(c.ask(ctx, s, "CLUSTER", "INFO"), "cluster_state:ok") || strings.Count(c.ask(ctx, s, "CLUSTER", "NODES"), "slave") != primaries {
				return false
			}
			if i >= primaries && !strings.Contains(c.ask(ctx, s, "INFO", "replication"), "master_link_status:up") {
				return false
			}
		}
		return true
	})
	return c
}

// URL is what lockd --redis takes.
func (c *Cluster) URL() string {
	var addrs []string
	for _, s := range c.Servers {
		addrs = append(addrs, s.Addr())
	}
	return c.Servers[0].scheme() + strings.Join(addrs, ",")
}

// ID is what the nodes call s.
func (c *Cluster) ID(s *Server) string { return c.Do(s, "CLUSTER", "MYID") }

// Do has one node do a command, and answers what it says.
func (c *Cluster) Do(s *Server, command ...any) string {
	c.t.Helper()
	client := s.Client()
	defer client.Close()
	got, err := client.Do(context.Background(), command...).Result()
	if err != nil {
		c.t.Fatalf("%v at %s: %v", command, s.Addr(), err)
	}
	return fmt.Sprint(got)
}

func (c *Cluster) ask(ctx context.Context, s *Server, command ...any) string {
	client := s.Client()
	defer client.Close()
	got, _ := client.Do(ctx, command...).Text()
	return got
}

// Forget makes a slot nobody's.
func (c *Cluster) Forget(slot int) {
	c.t.Helper()
	for _, s := range c.Servers {
		c.Do(s, "CLUSTER", "DELSLOTS", slot)
	}
}

// Move moves a slot, with what is in it, from one primary to another, as redis-cli --cluster reshard does.
func (c *Cluster) Move(slot int, from, to *Server) {
	c.t.Helper()
	c.Open(slot, from, to)
	c.migrate(slot, from, to)
	for _, s := range []*Server{to, from} {
		c.Do(s, "CLUSTER", "SETSLOT", slot, "NODE", c.ID(to))
	}
}

// Open begins to move a slot: from now on what from does not have is to's. Move goes on with it.
func (c *Cluster) Open(slot int, from, to *Server) {
	c.t.Helper()
	c.Do(to, "CLUSTER", "SETSLOT", slot, "IMPORTING", c.ID(from))
	c.Do(from, "CLUSTER", "SETSLOT", slot, "MIGRATING", c.ID(to))
}

// Return gives a slot, with what is in it, back to home, however far it has been moved between home and away.
func (c *Cluster) Return(slot int, home, away *Server) {
	c.t.Helper()
	if c.has(away, slot) {
		c.Do(home, "CLUSTER", "SETSLOT", slot, "STABLE")
		c.Move(slot, away, home)
		return
	}
	c.Do(home, "CLUSTER", "SETSLOT", slot, "STABLE") // or it would not take them
	c.migrate(slot, away, home)
	c.Do(away, "CLUSTER", "SETSLOT", slot, "STABLE")
}

// has reports whether a slot is s's, as s knows.
func (c *Cluster) has(s *Server, slot int) bool {
	c.t.Helper()
	client := s.Client()
	defer client.Close()
	//lint:ignore SA1019 Redis 6.2 has no CLUSTER SHARDS
	slots, err := client.ClusterSlots(context.Background()).Result()
	if err != nil {
		c.t.Fatal(err)
	}
	id := c.ID(s)
	return slices.ContainsFunc(slots, func(r redis.ClusterSlot) bool {
		return r.Start <= slot && slot <= r.End && r.Nodes[0].ID == id
	})
}

// migrate brings all that is in a slot from one node to another, between which it is moving.
func (c *Cluster) migrate(slot int, from, to *Server) {
	c.t.Helper()
	client := from.Client()
	defer client.Close()
	for {
		keys, err := client.ClusterGetKeysInSlot(context.Background(), slot, 100).Result()
		if err != nil {
			c.t.Fatal(err)
		}
		if len(keys) == 0 {
			return
		}
		c.Migrate(from, to, keys...)
	}
}

// Migrate brings keys from one node to another, between which their slot is moving.
func (c *Cluster) Migrate(from, to *Server, keys ...string) {
	c.t.Helper()
	command := []any{"MIGRATE", "127.0.0.1", to.Port(), "", 0, 5000, "KEYS"}
	for _, key := range keys {
		command = append(command, key)
	}
	c.Do(from, command...)
}

// AwaitPrimary waits until s, which was a replica, is a primary and the cluster serves.
func (c *Cluster) AwaitPrimary(s *Server) {
	c.t.Helper()
	await(c.t, "the replica is a primary", func(ctx context.Context) bool {
		return roleOf(ctx, s) == "master" && strings.Contains(c.ask(ctx, s, "CLUSTER", "INFO"), "cluster_state:ok")
	})
}

// Flush empties all nodes, which are not otherwise changed.
func (c *Cluster) Flush() {
	c.t.Helper()
	for _, s := range c.Servers {
		if roleOf(context.Background(), s) == "master" {
			c.Do(s, "FLUSHALL")
		}
	}
}
