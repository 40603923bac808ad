package redisstore

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/internal/redisconn"
	"github.com/lockd/lockd/test/redisproc"
)

// What happens to one node of a Cluster concerns the names of that node alone, and nobody who comes meanwhile.
func TestClusterTrouble(t *testing.T) {
	c := redisproc.StartCluster(t, redisproc.Args("--cluster-node-timeout", "15000")) // nobody takes over
	t.Run("a slot that moves", func(t *testing.T) { testOpenWhileMoving(t, c) })
	t.Run("leases of a slot that moves for long", func(t *testing.T) { testRenewWhileMoving(t, c) })
	t.Run("a list after a move", func(t *testing.T) { testListAfterMove(t, c) })
	t.Run("a wipe", func(t *testing.T) {
		testOtherPrefixAfterWipe(t, c.URL(), c.Flush)
	})
	t.Run("a mute node", func(t *testing.T) { testMuteNode(t, c) })
}

// A lockd starts also while the slot moves where a node's layout is compared.
func testOpenWhileMoving(t *testing.T, c *redisproc.Cluster) {
	url := restrictedCluster(t, c) // a move takes rights of its own
	s := open(t, url)
	shard, from, to := s.shards[0], c.Servers[0], c.Servers[1]
	slot := shard.keys.slot()
	c.Do(to, "CLUSTER", "SETSLOT", slot, "IMPORTING", c.ID(from))
	c.Do(from, "CLUSTER", "SETSLOT", slot, "MIGRATING", c.ID(to))
	c.Do(from, "MIGRATE", "127.0.0.1", to.Port(), shard.keys.layout(), 0, 5000)
	later, err := Open(t.Context(), Config{URL: url})
	if err != nil {
		t.Errorf("Open while slot %d moves = %v", slot, err)
	} else {
		later.Close()
	}
	c.Move(slot, from, to)
	c.Move(slot, to, from)
}

// Leases of a slot outlast a move that takes longer than they do, at whichever of the two nodes they are: they are
// renewed there. The rest is told for certain that nothing was done, and done when the move has ended.
func testRenewWhileMoving(t *testing.T, c *redisproc.Cluster) {
	const leases = 20
	s := open(t, restrictedCluster(t, c))
	shard, from, to := s.shards[0], c.Servers[0], c.Servers[1]
	slot := shard.keys.slot()
	var held []lease.Acquisition
	for i := 0; len(held) < leases; i++ {
		if a := asking(fmt.Sprintf("moving/%d", i)); s.of(a.Name) == shard {
			a.TTL = time.Second
			acquire(t, s, a)
			held = append(held, a)
		}
	}
	c.Do(to, "SCRIPT", "FLUSH") // as a node that is new
	c.Do(to, "CLUSTER", "SETSLOT", slot, "IMPORTING", c.ID(from))
	c.Do(from, "CLUSTER", "SETSLOT", slot, "MIGRATING", c.ID(to))
	c.Do(from, "MIGRATE", "127.0.0.1", to.Port(), shard.keys.fence(), 0, 5000)
	for _, a := range held[leases/2:] {
		c.Do(from, "MIGRATE", "127.0.0.1", to.Port(), shard.keys.lock(a.Name), 0, 5000)
	}
	free := asking("")
	for i := 0; free.Name == ""; i++ {
		if name := fmt.Sprintf("free/%d", i); s.of(name) == shard {
			free.Name = name
		}
	}
	began, renewals := time.Now(), 0
	for ; time.Since(began) < 2*(time.Second+lease.Grace(time.Second)); renewals++ {
		other := &lease.Call{Acquire: &free, To: make(ended, 1), Deadline: time.Now().Add(callTimeout)}
		s.Start([]*lease.Call{other}) // what cannot be done keeps nobody from renewing
		for _, a := range held {
			if _, err := s.Renew(soon(t), lease.Renewal{Name: a.Name, ID: a.ID}); err != nil {
				t.Fatalf("Renew of %q %s after its slot began to move = %v", a.Name, time.Since(began), err)
			}
		}
		if got := <-other.To.(ended); !errors.Is(got.Err, lease.ErrUnavailable) || errors.Is(got.Err, lease.ErrUnknown) {
			t.Fatalf("Acquire while the slot moves = %+v, %v, want ErrUnavailable for certain", got.Lease, got.Err)
		}
	}
	if _, err := s.Release(soon(t), lease.ReleaseRequest{Name: held[0].Name, ID: held[0].ID}); !errors.Is(err, lease.ErrUnavailable) {
		t.Errorf("Release while the slot moves = %v, want ErrUnavailable", err)
	}
	c.Move(slot, from, to)
	acquire(t, s, retry(free))
	for _, a := range held {
		if got, err := s.Release(soon(t), lease.ReleaseRequest{Name: a.Name, ID: a.ID}); err != nil || got.Outcome != lease.Held {
			t.Errorf("Release of %q after the move = %v, %v, want Held", a.Name, got.Outcome, err)
		}
	}
	t.Logf("each was renewed %d times", renewals)
	c.Move(slot, to, from)
}

// A list has what is at every node also when slots have moved since go-redis last asked for them.
func testListAfterMove(t *testing.T, c *redisproc.Cluster) {
	s := open(t, c.URL())
	const names = 60
	for i := range names {
		acquire(t, s, asking(fmt.Sprintf("moved/%d", i)))
	}
	slot := s.shards[0].keys.slot()
	c.Move(slot, c.Servers[0], c.Servers[2])
	page, err := s.List(t.Context(), lease.ListRequest{Prefix: "moved", Size: 2 * names})
	if err != nil || len(page.Leases) != names {
		t.Errorf("List = %d leases, %v, want %d", len(page.Leases), err, names)
	}
	c.Move(slot, c.Servers[2], c.Servers[0])
}

// When a wipe has let another key prefix in, who was there before grants nothing any more.
func testOtherPrefixAfterWipe(t *testing.T, url string, wipe func()) {
	s := open(t, url)
	wipe()
	other, err := Open(t.Context(), Config{URL: url, KeyPrefix: "other"})
	if errors.As(err, new(*redisconn.RefusedError)) {
		return // s was faster
	}
	if err != nil {
		t.Fatal(err)
	}
	until(t, 3*checkEvery, "the other prefix is seen", func() bool {
		return strings.Contains(s.Status().Refusal, `with the key prefix "other"`)
	})
	if l, err := s.Acquire(soon(t), asking("anything")); err == nil {
		t.Errorf("Acquire = %+v, want nothing to be granted", l)
	}
	if err := other.Close(); err != nil {
		t.Error(err)
	}
	wipe()
}

// Those who wait for names of a node that does not answer keep nobody from the others, however many they are.
func testMuteNode(t *testing.T, c *redisproc.Cluster) {
	const crowd = 2000
	s := open(t, c.URL())
	var mute []string
	live := asking("")
	for i := 0; len(mute) < crowd || live.Name == ""; i++ {
		switch name := fmt.Sprintf("mute/%d", i); {
		case slotOf(name)/slotsAShard < 80: // of the first node
			mute = append(mute, name)
		case slotOf(name)/slotsAShard > 200:
			live.Name = name
		}
	}
	askAll(t, s, mute, asking)
	askAll(t, s, mute, func(name string) lease.Acquisition { return waiting(name).Acquisition })
	live.TTL = time.Second
	acquire(t, s, live)
	w := queued(t, s, live.Name)
	c.Servers[0].Pause()
	defer c.Servers[0].Resume()
	s.lookAtAll()
	w.within(t, live.TTL+lease.Grace(live.TTL)+time.Second) // nobody releases it
	failed, looks := 0, 0
	for began := time.Now(); time.Since(began) < time.Second; looks++ {
		if _, err := s.Get(soon(t), lease.GetRequest{Name: live.Name}); err != nil {
			failed++
			t.Log(err)
		}
	}
	if failed > 0 {
		t.Errorf("%d of %d looks at a name of another node failed", failed, looks)
	}
}

// askAll asks for all names, many at once, until each is held or waited for.
func askAll(t *testing.T, s *Store, names []string, asking func(name string) lease.Acquisition) {
	t.Helper()
	for some := range slices.Chunk(names, 256) {
		left := make(map[string]lease.Acquisition)
		for _, name := range some {
			left[name] = asking(name)
		}
		until(t, 20*time.Second, "all have asked", func() bool { // a busy machine may take longer than a call has
			var calls []*lease.Call
			answers := make(ended, len(left))
			for name, a := range left {
				left[name] = retry(a)
				calls = append(calls, &lease.Call{Acquire: &a, To: answers, Deadline: time.Now().Add(callTimeout)})
			}
			s.Start(calls)
			for range calls {
				got := <-answers
				var held *lease.HeldError
				switch {
				case errors.As(got.Err, &held):
					delete(left, held.Holder.Name)
				case got.Err == nil:
					delete(left, got.Lease.Name)
				}
			}
			return len(left) == 0
		})
	}
}
