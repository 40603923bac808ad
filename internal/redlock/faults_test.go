package redlock

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/test/proxy"
	"github.com/lockd/lockd/test/redisproc"
)

// behind is a store whose last node is reached through a proxy.
func behind(t *testing.T, n int) (*Store, []*redisproc.Server, *proxy.Proxy) {
	t.Helper()
	all := redisproc.SharedNodes(t, n-1)
	last := redisproc.Start(t, redisproc.TCP())
	p := proxy.Redis(t, last.Addr())
	c := Config{NodeTimeout: callTimeout, Notice: func(msg string) { t.Log("notice:", msg) }}
	for _, s := range all {
		c.URLs = append(c.URLs, s.URL())
	}
	c.URLs = append(c.URLs, "redis://"+p.Addr())
	s, err := Open(t.Context(), c)
	if err != nil {
		t.Fatalf("Open = %v", err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s, append(slices.Clone(all), last), p
}

// F6: a node that answers when a quorum has decided already is written the token.
func TestAStragglerIsCommitted(t *testing.T) {
	s, _, p := behind(t, 3)
	s.raw(t, 0, "SET", s.keys.fence(), far)
	s.raw(t, 1, "SET", s.keys.fence(), far)
	a := leaseOf("job")
	slow := p.DelayReply(proxy.Contains(string(a.ID)))
	first := s.granted(t, a)
	if int64(first.Token) <= far {
		t.Fatalf("token %d is the straggler's, want that of the two others", first.Token)
	}
	<-slow.Bitten()
	slow.Release()
	until(t, 5*time.Second, "the straggler has the token", func() bool {
		v := s.at(t, 2, "job")
		return v != nil && v.token == int64(first.Token) && v.committed
	})
}

// A straggler that gave more has granted something since, or the lease was ended by force there: it is not brought down.
func TestAStragglerThatGaveMoreIsUndone(t *testing.T) {
	s, _, p := behind(t, 3)
	s.raw(t, 2, "SET", s.keys.fence(), far)
	a := leaseOf("job")
	slow := p.DelayReply(proxy.Contains(string(a.ID)))
	first := s.granted(t, a)
	if int64(first.Token) >= far {
		t.Fatalf("token %d is the straggler's, want that of the two others", first.Token)
	}
	<-slow.Bitten()
	if v := s.at(t, 2, "job"); v == nil || v.token <= far {
		t.Errorf("node 3 has %+v, want a larger token than %d", v, far)
	}
	slow.Release()
	until(t, 5*time.Second, "nothing is left at the straggler", func() bool { return s.at(t, 2, "job") == nil })
}

// F6: what a node grants to an acquisition that has failed is undone, also when its reply is lost.
func TestWhatAFailedAcquisitionWasGrantedIsUndone(t *testing.T) {
	for _, lost := range []bool{false, true} {
		t.Run(fmt.Sprintf("lost=%t", lost), func(t *testing.T) {
			s, _, p := behind(t, 3)
			held := leaseOf("job")
			s.granted(t, held)
			until(t, 5*time.Second, "node 3 has it too", func() bool { return s.at(t, 2, "job") != nil })
			s.raw(t, 2, "DEL", s.keys.lock("job"))
			a := leaseOf("job")
			if lost {
				p.LoseReply(proxy.Contains(string(a.ID)), 1)
			}
			_, err := s.Acquire(soon(t), a)
			if !errors.As(err, new(*lease.HeldError)) {
				t.Fatalf("Acquire = %v, want *HeldError: two of three have the lease", err)
			}
			until(t, 5*time.Second, "nothing is left at node 3", func() bool { return s.at(t, 2, "job") == nil })
		})
	}
}

// What a mute node is sent takes no effect when it wakes later than whoever sent it waited.
func TestANodeThatWakesGrantsNothing(t *testing.T) {
	all := servers(t, 3)
	s := opening(t, all, 200*time.Millisecond)
	s.granted(t, leaseOf("warm"))
	all[1].Pause()
	all[2].Pause()
	a := leaseOf("job")
	began := time.Now()
	if _, err := s.Acquire(soon(t), a); !errors.Is(err, lease.ErrUnknown) && !errors.Is(err, lease.ErrUnavailable) {
		t.Errorf("Acquire on one node of three = %v, want ErrUnknown", err)
	}
	if took := time.Since(began); took > 400*time.Millisecond {
		t.Errorf("it took %s, want the node timeout and a little", took)
	}
	all[1].Resume()
	all[2].Resume()
	until(t, 5*time.Second, "nothing is left anywhere", func() bool {
		for node := range all {
			if s.at(t, node, "job") != nil {
				return false
			}
		}
		return true
	})
	until(t, 5*time.Second, "the name is granted", func() bool {
		_, err := s.Acquire(soon(t), leaseOf("job"))
		return err == nil
	})
}

// A lease is renewed, released and granted while two of five nodes are mute, each as soon as three have answered.
func TestTwoOfFiveAreMute(t *testing.T) {
	all := servers(t, 5)
	s := opening(t, all, 250*time.Millisecond)
	held := leaseOf("held")
	s.granted(t, held)
	all[1].Pause()
	all[3].Pause()
	defer all[1].Resume()
	defer all[3].Resume()
	var took []time.Duration
	timed := func(what string, f func() error) {
		began := time.Now()
		if err := f(); err != nil {
			t.Errorf("%s = %v, want nil", what, err)
		}
		took = append(took, time.Since(began))
	}
	for i := range 60 {
		a := leaseOf(fmt.Sprintf("job/%d", i%7))
		timed("Acquire", func() error { _, err := s.Acquire(soon(t), a); return err })
		timed("Renew", func() error { _, err := s.Renew(soon(t), lease.Renewal{Name: "held", ID: held.ID}); return err })
		timed("Release", func() error {
			_, err := s.Release(soon(t), lease.ReleaseRequest{Name: a.Name, ID: a.ID})
			return err
		})
	}
	slices.Sort(took)
	if p50 := took[len(took)/2]; p50 > 125*time.Millisecond {
		t.Errorf("p50 = %s with two mute nodes, want that nobody waits for them", p50)
	}
	if p99 := took[len(took)*99/100]; p99 > 300*time.Millisecond {
		t.Errorf("p99 = %s with two mute nodes, want no more than their deadline and 50ms", p99)
	}
	t.Logf("with two of five mute: p50 %s, p99 %s, largest %s", took[len(took)/2], took[len(took)*99/100], took[len(took)-1])
}

// With three of five gone nothing is granted, and what the two others did is taken back.
func TestThreeOfFiveAreGone(t *testing.T) {
	all := servers(t, 5)
	s := opening(t, all, 250*time.Millisecond)
	held := leaseOf("held")
	s.granted(t, held)
	for _, dead := range all[2:] {
		dead.Kill()
	}
	for range 3 {
		a := leaseOf("job")
		began := time.Now()
		_, err := s.Acquire(soon(t), a)
		if !errors.Is(err, lease.ErrUnknown) && !errors.Is(err, lease.ErrUnavailable) {
			t.Errorf("Acquire on two nodes of five = %v, want ErrUnavailable", err)
		}
		if _, err := s.Renew(soon(t), lease.Renewal{Name: "held", ID: held.ID}); errors.Is(err, lease.ErrLost) || err == nil {
			t.Errorf("Renew on two nodes of five = %v, want that it is not known", err)
		}
		if took := time.Since(began); took > 2*300*time.Millisecond {
			t.Errorf("both took %s, want twice the node timeout and 50ms", took)
		}
	}
	until(t, 2*time.Second, "nothing is left at the other two", func() bool {
		return s.at(t, 0, "job") == nil && s.at(t, 1, "job") == nil
	})
}

// A node whose clock is far off grants nothing; the others do.
func TestANodeWhoseClockIsOffGrantsNothing(t *testing.T) {
	s := opening(t, redisproc.SharedNodes(t, 3), callTimeout)
	n := s.queues[0].node
	a, err := acquiring(leaseOf("job"), "G", wants{}, time.Now().Add(10*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	op := a.of(s.keys, time.Second, time.Now(), func(answer) {})
	for name, skew := range map[string]time.Duration{"ahead": time.Hour, "behind": -time.Hour} {
		keys, args := s.queues[0].command([]*operation{op})
		args[0] = time.Now().Add(skew).UnixMicro()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		_, body, err := n.call(ctx, batchScript, keys, args)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		replies := body.([]any)[2].([]any)
		if said := reply(replies[0].([]any)); said.Kind() != "SKEW" {
			t.Errorf("%s: ACQUIRE = %v, want SKEW", name, said)
		}
	}
	if v := s.at(t, 0, "job"); v != nil {
		t.Errorf("node 1 has %+v, want nothing", v)
	}
}

// A node that has lost its marker or its fence does nothing at all, also before anybody has noticed.
func TestANodeWithoutMemoryDoesNothing(t *testing.T) {
	for _, key := range []string{newKeys("").marker(), newKeys("").fence()} {
		s := opening(t, redisproc.SharedNodes(t, 3), callTimeout)
		n := s.queues[2].node
		a, err := acquiring(leaseOf("job"), "G", wants{}, time.Now().Add(10*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		keys, args := s.queues[2].command([]*operation{a.of(s.keys, time.Second, time.Now(), func(answer) {})})
		s.raw(t, 2, "DEL", key)
		_, body, err := n.run(soon(t), n.looks, batchScript, keys, args)
		if said, _ := body.([]any); err != nil || reply(said).Kind() != "AMNESIA" {
			t.Errorf("without %s node 3 answered %v, %v, want AMNESIA", key, body, err)
		}
		if v := s.at(t, 2, "job"); v != nil {
			t.Errorf("without %s node 3 granted %+v, want nothing", key, v)
		}
	}
}

// A release is repeated at a node that did not answer, so that nothing stands there for the rest of the ttl.
func TestAReleaseReachesWhoDidNotAnswer(t *testing.T) {
	s, _, p := behind(t, 3)
	a := leaseOf("job")
	s.granted(t, a)
	until(t, 5*time.Second, "node 3 has it too", func() bool { return s.at(t, 2, "job") != nil })
	p.HoldRequests()
	s.gives(t, a)
	p.Cut() // what was held never arrives
	p.Release()
	until(t, 8*time.Second, "node 3 is free", func() bool { return s.at(t, 2, "job") == nil })
}

// Whoever waits at another server is woken by notice when a name comes free, and the two take turns: nearly each time, so the
// rounds are counted together.
func TestServersTakeTurns(t *testing.T) {
	const rounds, turns = 5, 8
	servers := redisproc.SharedNodes(t, 3)
	one, two := opening(t, servers, callTimeout), opening(t, servers, callTimeout)
	taken := 0 // from one server to the other
	for range rounds {
		taken += takeTurns(t, turns, one, two)
	}
	if taken < 3*rounds {
		t.Errorf("the name went from one server to the other %d times in %d rounds of %d turns, want nearly each time", taken, rounds, turns)
	}
}

// takeTurns has so many wait at two servers in turn, and answers how often the name went from one server to the other.
func takeTurns(t *testing.T, many int, one, two *Store) (taken int) {
	holder := leaseOf("job")
	one.granted(t, holder)
	type turn struct {
		at *Store
		a  lease.Acquisition
	}
	turns := make(chan turn, many)
	for i := range many {
		at := one
		if i%2 == 1 {
			at = two
		}
		a := leaseOf("job")
		a.Until = time.Now().Add(time.Minute)
		a.Turn = func(lease.Handover) { turns <- turn{at, a} }
		if _, err := at.Acquire(soon(t), a); !errors.As(err, new(*lease.HeldError)) {
			t.Fatalf("Acquire(held) = %v, want a place", err)
		}
	}
	began := time.Now()
	one.gives(t, holder)
	var last *Store
	for i := range many {
		select {
		case next := <-turns:
			if next.at != last && last != nil {
				taken++
			}
			last = next.at
			next.at.gives(t, next.a)
		case <-time.After(8 * time.Second):
			t.Fatalf("no turn within 8s after %d", i)
		}
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("%d turns took %s, want them woken by notice", many, took)
	}
	return taken
}
