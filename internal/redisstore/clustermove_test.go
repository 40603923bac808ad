package redisstore

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/test/redisproc"
)

// A lockd starts also while the slot moves where a node's layout is compared.
func testOpenWhileMoving(t *testing.T, c *redisproc.Cluster) {
	url := restrictedCluster(t, c) // a move takes rights of its own
	s := open(t, url)
	shard, from, to := s.shards[0], c.Servers[0], c.Servers[1]
	slot := openSlot(t, c, shard, to)
	c.Migrate(from, to, shard.keys.layout())
	later, err := Open(t.Context(), Config{URL: url})
	if err != nil {
		t.Errorf("Open while slot %d moves = %v", slot, err)
	} else {
		later.Close()
	}
	c.Move(slot, from, to)
}

// openSlot begins to move the slot of a shard of the first node; when the test ends it is there again.
func openSlot(t *testing.T, c *redisproc.Cluster, shard *Store, to *redisproc.Server) (slot int) {
	t.Helper()
	slot = shard.keys.slot()
	t.Cleanup(func() { c.Return(slot, c.Servers[0], to) })
	c.Open(slot, c.Servers[0], to)
	return slot
}

// namesOf are so many names of a shard.
func namesOf(s, shard *Store, n int) (names []string) {
	for i := 0; len(names) < n; i++ {
		if name := fmt.Sprintf("moving/%d", i); s.of(name) == shard {
			names = append(names, name)
		}
	}
	return names
}

// Leases of a slot that moves are renewed at whichever of the two nodes they are, so they outlast a move however long it
// takes. The rest is done when it has ended, and keeps nobody from renewing meanwhile.
func testRenewWhileMoving(t *testing.T, c *redisproc.Cluster) {
	const leases, rounds = 20, 3
	s := open(t, restrictedCluster(t, c))
	shard, from, to := s.shards[0], c.Servers[0], c.Servers[1]
	var held []lease.Acquisition
	names := namesOf(s, shard, leases+1)
	for _, name := range names[:leases] {
		a := asking(name)
		a.TTL = time.Minute
		held = append(held, obtained(t, s, a))
	}
	c.Do(to, "SCRIPT", "FLUSH") // as a node that is new
	slot := openSlot(t, c, shard, to)
	c.Migrate(from, to, shard.keys.fence())
	at := make(map[string]*redis.Client)
	here, there := client(t, from), client(t, to)
	for i, a := range held {
		at[a.Name] = here
		if i%2 == 0 {
			c.Migrate(from, to, shard.keys.lock(a.Name))
			at[a.Name] = there
		}
	}
	free, granted, released := asking(names[leases]), make(ended, 1), make(ended, 1)
	late := time.Now().Add(time.Minute)
	s.Start([]*lease.Call{{Acquire: &free, To: granted, Deadline: late}})
	again := 0
	for range rounds {
		for _, a := range held {
			again += renewed(t, s, at[a.Name], a)
		}
	}
	if again > leases*rounds/4 { // a busy machine may be late now and then
		t.Errorf("%d times nobody renewed while the slot moved, want each of %d leases renewed %d times at once", again, leases, rounds)
	}
	s.Start([]*lease.Call{{Release: &lease.ReleaseRequest{Name: held[0].Name, ID: held[0].ID}, To: released, Deadline: late}})
	if len(granted) > 0 {
		t.Errorf("Acquire while the slot moves = %v, want it to wait for the end of that", (<-granted).Err)
	}
	c.Move(slot, from, to)
	if got := <-granted; got.Err != nil {
		t.Errorf("Acquire once the slot has moved = %v, want a lease", got.Err)
	}
	if got := <-released; got.Err != nil || got.Released.Outcome != lease.Held {
		t.Errorf("Release once the slot has moved = %v, %v, want Held", got.Released.Outcome, got.Err)
	}
	for _, a := range held[1:] {
		if got, err := s.Release(soon(t), lease.ReleaseRequest{Name: a.Name, ID: a.ID}); err != nil || got.Outcome != lease.Held {
			t.Errorf("Release of %q after the move = %v, %v, want Held", a.Name, got.Outcome, err)
		}
	}
}

// renewed renews a, which is about to run out at a node, and answers how often it had to be asked again.
func renewed(t *testing.T, s *Store, at *redis.Client, a lease.Acquisition) (again int) {
	t.Helper()
	left := func(command ...any) time.Duration {
		t.Helper()
		var of *redis.Cmd
		_, err := at.Pipelined(t.Context(), func(p redis.Pipeliner) error {
			p.Do(t.Context(), "ASKING") // its slot need not be there yet
			of = p.Do(t.Context(), command...)
			return nil
		})
		if err != nil {
			t.Fatalf("%v = %v", command, err)
		}
		ms, _ := of.Int64()
		return time.Duration(ms) * time.Millisecond
	}
	key := s.of(a.Name).keys.lock(a.Name)
	left("PEXPIRE", key, (a.TTL / 2).Milliseconds())
	_, err := s.Renew(soon(t), lease.Renewal{Name: a.Name, ID: a.ID})
	for ; err != nil; again++ {
		if errors.Is(err, lease.ErrLost) || again == 10 {
			t.Fatalf("Renew of %q while its slot moves = %v", a.Name, err)
		}
		_, err = s.Renew(soon(t), lease.Renewal{Name: a.Name, ID: a.ID})
	}
	if got := left("PTTL", key); got <= a.TTL/2 {
		t.Errorf("%q has %s left after it was renewed while its slot moves, want %s", a.Name, got, a.TTL)
	}
	return again
}

// What waits for the end of a move is known not to have been done, and out of time is told so, also while those renewals
// take their time that were asked for together with it.
func testOutOfTimeWhileMoving(t *testing.T, c *redisproc.Cluster) {
	s := open(t, restrictedCluster(t, c))
	shard, from, to := s.shards[0], c.Servers[0], c.Servers[1]
	names := namesOf(s, shard, 2)
	a, free := asking(names[0]), asking(names[1])
	a = obtained(t, s, a)
	openSlot(t, c, shard, to)
	c.Migrate(from, to, shard.keys.lock(a.Name)) // and the fence is where it was
	b := shard.batch
	b.mu.Lock()
	b.running += b.most // as if all calls were under way: both are of the one that is made here
	b.mu.Unlock()
	to.Pause()
	now, renewal, acquisition := time.Now(), make(ended, 1), make(ended, 1)
	s.Start([]*lease.Call{
		{Renew: &lease.Renewal{Name: a.Name, ID: a.ID}, To: renewal, Deadline: now.Add(10 * callTimeout)},
		{Acquire: &free, To: acquisition, Deadline: now.Add(callTimeout * 4 / 5)},
	})
	var call sync.WaitGroup
	call.Go(b.serve)
	if got := <-acquisition; !errors.Is(got.Err, lease.ErrUnavailable) || errors.Is(got.Err, lease.ErrUnknown) {
		t.Errorf("Acquire while the slot moves = %v, want ErrUnavailable for certain", got.Err)
	}
	to.Resume()
	<-renewal
	call.Wait()
	b.mu.Lock()
	b.running -= b.most - 1
	b.mu.Unlock()
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
	obtained(t, s, asking(moves))
	queued(t, s, moves)
	slot := openSlot(t, c, s.shards[0], to)
	c.Migrate(from, to, s.shards[0].keys.fence())
	var calls []*lease.Call
	for range crowd {
		a := waiting(moves).Acquisition
		calls = append(calls, &lease.Call{Acquire: &a, To: make(ended, 1), Deadline: time.Now().Add(20 * callTimeout)})
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
	for _, c := range calls {
		var held *lease.HeldError
		err := (<-c.To.(ended)).Err
		for a := retry(*c.Acquire); errors.Is(err, lease.ErrUnknown); a = retry(a) { // the machine is busy
			_, err = s.Acquire(soon(t), a)
		}
		if !errors.As(err, &held) || held.Place == 0 {
			t.Errorf("who asked while the slot moved = %v, want a place in line", err)
		}
	}
}

// A list has what is at every node also when slots have moved since go-redis last asked for them.
func testListAfterMove(t *testing.T, c *redisproc.Cluster) {
	s := open(t, c.URL())
	const names = 60
	for i := range names {
		obtained(t, s, asking(fmt.Sprintf("moved/%d", i)))
	}
	c.Move(openSlot(t, c, s.shards[0], c.Servers[2]), c.Servers[0], c.Servers[2])
	page, err := s.List(t.Context(), lease.ListRequest{Prefix: "moved", Size: 2 * names})
	if err != nil || len(page.Leases) != names {
		t.Errorf("List = %d leases, %v, want %d", len(page.Leases), err, names)
	}
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
			obtained(t, s, asking(name))
			want = append(want, name)
		}
	}
	slices.Sort(want)
	slot := shard.keys.slot()
	t.Cleanup(func() { c.Return(slot, from, to) })
	list := func(move func()) {
		t.Helper()
		var got []string
		r := lease.ListRequest{Prefix: "meets", Size: 7}
		for pages := 0; pages < 100; pages++ {
			page, err := s.List(soon(t), r)
			if errors.Is(err, lease.ErrUnknown) || errors.Is(err, lease.ErrUnavailable) {
				t.Logf("List = %v, and is asked for again", err)
				continue
			}
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
		c.Open(slot, from, to)
		for _, name := range want[:len(want)/2] {
			c.Migrate(from, to, shard.keys.lock(name))
		}
		if found, err := s.look(soon(t), want); err != nil || len(found) != len(want) {
			t.Errorf("look at names of both nodes = %d leases, %v, want %d", len(found), err, len(want))
		}
	})
	list(func() { c.Move(slot, from, to) })
}
