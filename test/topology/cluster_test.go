package topology

import (
	"context"
	"strings"
	"testing"

	"github.com/lockd/lockd/test/fleet"
	"github.com/lockd/lockd/test/history"
	"github.com/lockd/lockd/test/redisproc"
)

// A Cluster loses a primary, whose replica takes over, and later slots move from one node to another, while 16 workers take
// and give through two lockd: nobody is told anything that cannot be tried again, and no token goes back. Moving
// loses no lease, and nobody holds what another does.
func TestCluster(t *testing.T) {
	c := redisproc.StartCluster(t)
	all := names(24)
	t.Run("failover", func(t *testing.T) {
		f := fleet.StartAt(t, c.URL(), 2)
		workers := []*fleet.Client{f.Client(work(f.Target(0), 5, all...)), f.Client(work(f.Target(1), 6, all...))}
		grow(t, f, 2, 20)
		c.Servers[0].Kill()
		c.AwaitPrimary(c.Servers[3])
		up := history.Now()
		longest := served(t, f, 2, up)
		grow(t, f, 2, 40)
		c.Servers[0].Restart()
		grow(t, f, 2, 20)
		for _, w := range workers {
			w.Stop()
		}
		finish(t, f, longest)
	})
	t.Run("slots move", func(t *testing.T) {
		f := fleet.StartAt(t, c.URL(), 2)
		workers := []*fleet.Client{f.Client(work(f.Target(0), 7, all...)), f.Client(work(f.Target(1), 8, all...))}
		grow(t, f, 2, 20)
		from, to := c.Servers[1], c.Servers[2]
		moved := 0
		for _, slot := range slotsInUse(c, from) {
			c.Move(slot, from, to)
			moved++
		}
		grow(t, f, 2, 40)
		for _, w := range workers {
			w.Stop()
		}
		if moved == 0 {
			t.Error("no slot was moved")
		}
		finish(t, f, 0)
		records := f.History()
		if wrong := history.CheckExclusive(history.Holds(records)); len(wrong) > 0 {
			t.Errorf("%d things are wrong, such as %v", len(wrong), wrong[0])
		}
		if lost := tally(t, records)[history.Lost]; lost > 0 {
			t.Errorf("%d leases were lost while slots moved, want none", lost)
		}
	})
}

// slotsInUse answers the slots at a node that have locks.
func slotsInUse(c *redisproc.Cluster, at *redisproc.Server) (slots []int) {
	client := at.Client()
	defer client.Close()
	seen := make(map[int]bool)
	for _, key := range client.Keys(context.Background(), "*:fence").Val() {
		slot := int(client.ClusterKeySlot(context.Background(), key).Val())
		if !seen[slot] && strings.Contains(key, "lockd") {
			seen[slot] = true
			slots = append(slots, slot)
		}
	}
	return slots
}
