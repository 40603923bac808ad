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
	t.Run("out of time while a slot moves", func(t *testing.T) { testOutOfTimeWhileMoving(t, c) })
	t.Run("a crowd at a slot that moves", func(t *testing.T) { testCrowdWhileMoving(t, c) })
	t.Run("a list after a move", func(t *testing.T) { testListAfterMove(t, c) })
	t.Run("a list meets a move", func(t *testing.T) { testListMeetsMove(t, c) })
	t.Run("a wipe", func(t *testing.T) {
		testOtherPrefixAfterWipe(t, c.URL(), c.Flush)
	})
	t.Run("a mute node", func(t *testing.T) { testMuteNode(t, c) })
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
	live = obtained(t, s, live)
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

// obtained is a, as it was granted in the end: it asks again, as clients do, where a busy machine takes longer than a
// call has.
func obtained(t *testing.T, s *Store, a lease.Acquisition) lease.Acquisition {
	t.Helper()
	_, err := s.Acquire(soon(t), a)
	for tries := 1; err != nil; tries++ {
		if tries == 20 {
			t.Fatalf("Acquire(%q) = %v, want a lease", a.Name, err)
		}
		a = retry(a)
		_, err = s.Acquire(soon(t), a)
	}
	return a
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
