package redisstore

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/test/redisproc"
)

// A store that nobody asks for anything sees what becomes of a Cluster's nodes all the same.
func TestClusterFailover(t *testing.T) {
	t.Parallel()
	c := redisproc.StartCluster(t)
	for _, s := range c.Servers {
		c.Do(s, "CONFIG", "SET", "cluster-require-full-coverage", "no")
	}
	t.Run("all slots of a node move", func(t *testing.T) { testAllSlotsMove(t, c) })
	t.Run("idle", func(t *testing.T) { testIdleFailover(t, c) })
}

// An idle store is ready for the names of the other nodes while a node is dead, also the one that has the key prefix;
// Status says which node it is. Soon after there is another primary it is ready for all.
func testIdleFailover(t *testing.T, c *redisproc.Cluster) {
	s := open(t, c.URL())
	dead, next := c.Servers[2], c.Servers[5]
	if at := slotOf(prefixKey); at <= 2*clusterSlots/3 {
		t.Fatalf("%s is in slot %d, want one of the node that will die", prefixKey, at)
	}
	c.Do(next, "CONFIG", "SET", "cluster-replica-no-failover", "yes") // until it has been seen that nobody took over
	dead.Kill()
	until(t, 5*time.Second, "the dead node is named", func() bool {
		status := s.Status()
		if status.Refusal != "" {
			t.Fatalf("Status().Refusal = %q, want none: there are others", status.Refusal)
		}
		return len(status.Warnings) > 0 && strings.Contains(status.Warnings[0], dead.Addr()+" does not answer")
	})
	for _, node := range s.Status().Nodes {
		if (node.Error != "") != (node.Address == dead.Addr()) {
			t.Errorf("node %s has the error %q, want one at %s alone", node.Address, node.Error, dead.Addr())
		}
	}
	c.Do(next, "CONFIG", "SET", "cluster-replica-no-failover", "no")
	c.AwaitPrimary(next)
	up := time.Now()
	until(t, 2*time.Second, "the new primary is seen", func() bool {
		for _, node := range s.Status().Nodes {
			if node.Address == next.Addr() && node.Error == "" {
				return s.Status().Refusal == ""
			}
		}
		return false
	})
	t.Logf("the new primary was seen %s after it was up", time.Since(up))
}

// When all shards of a node have moved to another one at once, their leases are listed, and an idle store is ready.
func testAllSlotsMove(t *testing.T, c *redisproc.Cluster) {
	s := open(t, c.URL())
	const names = 60
	for i := range names {
		a := asking(fmt.Sprintf("moved/%d", i))
		a.TTL = time.Hour // a busy machine takes long to move so many
		obtained(t, s, a)
	}
	masters, _, err := s.masters(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var slots []int
	for _, m := range masters {
		for _, shard := range m.shards {
			if m.address == c.Servers[0].Addr() {
				slots = append(slots, shard.keys.slot())
			}
		}
	}
	began := time.Now()
	for _, slot := range slots {
		c.Move(slot, c.Servers[0], c.Servers[2])
	}
	t.Logf("%d shards moved within %s", len(slots), time.Since(began))
	found := make(map[string]bool) // once or twice: what has just moved is looked for again
	for token := ""; ; {
		page, err := s.List(t.Context(), lease.ListRequest{Prefix: "moved", Size: 2 * names, Token: token})
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range page.Leases {
			found[l.Name] = true
		}
		if token = page.Next; token == "" {
			break
		}
	}
	if len(found) != names {
		t.Errorf("List has %d names, want %d", len(found), names)
	}
	until(t, 2*checkEvery, "the store has one node less and is ready", func() bool {
		status := s.Status()
		return len(status.Nodes) == 2 && status.Refusal == "" && len(status.Warnings) == 2 // how they persist
	})
	for _, slot := range slots {
		c.Move(slot, c.Servers[2], c.Servers[0])
	}
}
