package redisstore

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/test/redisproc"
)

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

// Those who want a name of a slot that moves keep nobody from the other names of its node, however many they are.
func testCrowdWhileMoving(t *testing.T, c *redisproc.Cluster) {
	const crowd, looks = 100, 20
	s := open(t, restrictedCluster(t, c))
	from, to := c.Servers[0], c.Servers[1]
	in := func(shard *Store) (name string) {
		for i := 0; name == ""; i++ {
			if at := fmt.Sprintf("crowd/%d", i); s.of(at) == shard {
				name = at
			}
		}
		return name
	}
	moves, stays := in(s.shards[0]), in(s.shards[1])
	acquire(t, s, asking(moves))
	queued(t, s, moves)
	slot := s.shards[0].keys.slot()
	c.Do(to, "CLUSTER", "SETSLOT", slot, "IMPORTING", c.ID(from))
	c.Do(from, "CLUSTER", "SETSLOT", slot, "MIGRATING", c.ID(to))
	c.Do(from, "MIGRATE", "127.0.0.1", to.Port(), s.shards[0].keys.fence(), 0, 5000)
	var calls []*lease.Call
	answers := make(ended, crowd)
	for range crowd {
		a := waiting(moves).Acquisition
		calls = append(calls, &lease.Call{Acquire: &a, To: answers, Deadline: time.Now().Add(20 * callTimeout)})
	}
	s.Start(calls)
	failed := 0
	for range looks {
		if _, err := s.Get(soon(t), lease.GetRequest{Name: stays}); err != nil {
			failed++
			t.Log(err)
		}
	}
	if failed > looks/4 { // a busy machine may be late now and then
		t.Errorf("%d of %d looks at a name whose slot does not move failed", failed, looks)
	}
	c.Move(slot, from, to)
	for range crowd {
		var held *lease.HeldError
		if got := <-answers; !errors.As(got.Err, &held) || held.Place == 0 {
			t.Errorf("who asked while the slot moved = %+v, %v, want a place in line", got.Lease, got.Err)
		}
	}
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

// A list shows each lease that stood throughout, also if it moved from a node that was yet to be listed to one that had
// been: if the move has ended meanwhile, and if it is under way still.
func testListMeetsMove(t *testing.T, c *redisproc.Cluster) {
	s := open(t, restrictedCluster(t, c))
	masters, _, err := s.masters(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	first, last := masters[0], masters[len(masters)-1]
	node := func(m master) *redisproc.Server {
		return c.Servers[slices.IndexFunc(c.Servers, func(s *redisproc.Server) bool { return s.Addr() == m.address })]
	}
	from, to, shard := node(last), node(first), last.shards[0]
	var want []string
	for i := 0; len(want) < 20; i++ {
		if name := fmt.Sprintf("meets/%d", i); s.of(name) == shard {
			acquire(t, s, asking(name))
			want = append(want, name)
		}
	}
	slices.Sort(want)
	slot := shard.keys.slot()
	list := func(move func()) {
		t.Helper()
		var got []string
		r := lease.ListRequest{Prefix: "meets", Size: 7}
		for pages := 0; pages < 100; pages++ {
			page, err := s.List(soon(t), r)
			if err != nil {
				t.Fatalf("List = %v", err)
			}
			for _, l := range page.Leases {
				got = append(got, l.Name)
			}
			if r.Token = page.Next; r.Token == "" {
				break
			}
			if at, _ := parsePosition(r.Token); at.address > first.address && move != nil {
				move()
				move = nil
			}
		}
		if move != nil {
			t.Error("the list was never between the two nodes")
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, slices.Compact(got)); diff != "" {
			t.Errorf("listed (-want +got):\n%s", diff)
		}
	}
	list(func() {
		c.Do(to, "CLUSTER", "SETSLOT", slot, "IMPORTING", c.ID(from))
		c.Do(from, "CLUSTER", "SETSLOT", slot, "MIGRATING", c.ID(to))
		for _, name := range want[:len(want)/2] {
			c.Do(from, "MIGRATE", "127.0.0.1", to.Port(), shard.keys.lock(name), 0, 5000)
		}
		if found, err := s.look(soon(t), want); err != nil || len(found) != len(want) {
			t.Errorf("look at names of both nodes = %d leases, %v, want %d", len(found), err, len(want))
		}
	})
	list(func() { c.Move(slot, from, to) })
	c.Move(slot, to, from)
}
