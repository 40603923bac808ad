package redlock

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/test/proxy"
	"github.com/lockd/lockd/test/redisproc"
)

// F4: a lease on a bare quorum is on all nodes again after a renewal, with the token of the lease; and it never shortens.
func TestARenewalRepairsABareQuorum(t *testing.T) {
	s := opening(t, redisproc.SharedNodes(t, 5), callTimeout)
	a := leaseOf("job")
	first := s.granted(t, a)
	until(t, 5*time.Second, "all five have answered", func() bool {
		got, err := s.Get(soon(t), lease.GetRequest{Name: "job"})
		return err == nil && got.Nodes == 5
	})
	for _, node := range []int{1, 4} {
		s.raw(t, node, "DEL", s.keys.lock("job"))
	}
	if got, err := s.Get(soon(t), lease.GetRequest{Name: "job"}); err != nil || got.Nodes != 3 || got.OfNodes != 5 {
		t.Fatalf("Get = on %d of %d nodes, %v, want 3 of 5", got.Nodes, got.OfNodes, err)
	}
	if _, err := s.Renew(soon(t), lease.Renewal{Name: "job", ID: a.ID}); err != nil {
		t.Fatalf("Renew = %v", err)
	}
	until(t, 5*time.Second, "all five have the lease", func() bool {
		for node := range 5 {
			if v := s.at(t, node, "job"); v == nil || v.id != a.ID || v.token != int64(first.Token) {
				return false
			}
		}
		return true
	})
	s.gives(t, a)
	for node := range 5 {
		if v := s.at(t, node, "job"); v != nil {
			until(t, 5*time.Second, "the release is everywhere", func() bool { return s.at(t, node, "job") == nil })
		}
	}
}

// What is released while a node takes it in does not stand there afterwards: it would be in everybody's way as soon as others fail.
func TestWhatIsReleasedDuringARepairIsNotPlantedForGood(t *testing.T) {
	s, _, p := behind(t, 3)
	a, other := leaseOf("job"), leaseOf("other")
	s.granted(t, a)
	s.granted(t, other)
	until(t, 5*time.Second, "node 3 has both", func() bool { return s.at(t, 2, "job") != nil && s.at(t, 2, "other") != nil })
	s.raw(t, 2, "DEL", s.keys.lock("job"))
	plant := p.DelayRequest(proxy.Contains("\r\nPLANT\r\n"))
	if _, err := s.Renew(soon(t), lease.Renewal{Name: "job", ID: a.ID}); err != nil {
		t.Fatalf("Renew = %v", err)
	}
	<-plant.Bitten()
	s.gives(t, a)
	s.gives(t, other)
	until(t, 5*time.Second, "node 3 has done the releases", func() bool { return s.at(t, 2, "other") == nil })
	plant.Release()
	until(t, 5*time.Second, "the repair is over", func() bool {
		s.repairs.mu.Lock()
		defer s.repairs.mu.Unlock()
		return len(s.repairs.underWay) == 0
	})
	until(t, callTimeout/2, "nothing stands at node 3", func() bool { return s.at(t, 2, "job") == nil })
}

// A node that gave the lease another token is none on which it stands: no renewal counts it.
func TestALeaseStandsWhereItsTokenDoes(t *testing.T) {
	s := opening(t, redisproc.SharedNodes(t, 3), callTimeout)
	a := leaseOf("job")
	first := s.granted(t, a)
	until(t, 5*time.Second, "all three have the lease", func() bool {
		got, err := s.Get(soon(t), lease.GetRequest{Name: "job"})
		return err == nil && got.Nodes == 3 && got.OfNodes == 3
	})
	fields := strings.SplitN(s.raw(t, 2, "GET", s.keys.lock("job")), "|", 9)
	fields[3], fields[4] = strconv.FormatInt(int64(first.Token)-7, 10), "0"
	s.raw(t, 2, "SET", s.keys.lock("job"), strings.Join(fields, "|"), "KEEPTTL")
	if got, err := s.Get(soon(t), lease.GetRequest{Name: "job"}); err != nil || got.Nodes != 2 || got.OfNodes != 3 {
		t.Errorf("Get = on %d of %d nodes, %v, want 2 of 3", got.Nodes, got.OfNodes, err)
	}
}

// peeked has node 3 of a lease on the other two say that the name is free.
func peeked(t *testing.T) (s *Store, a lease.Acquisition, peek reply, plant func(fence, run string, notAfter int64) reply) {
	t.Helper()
	s = opening(t, redisproc.SharedNodes(t, 3), callTimeout)
	a = leaseOf("job")
	s.granted(t, a)
	until(t, 5*time.Second, "all three have the lease", func() bool {
		return s.at(t, 0, "job") != nil && s.at(t, 1, "job") != nil && s.at(t, 2, "job") != nil
	})
	text := s.at(t, 2, "job").planted()
	s.raw(t, 2, "DEL", s.keys.lock("job"))
	peek, ok := s.repairCall(soon(t), 2, "job", "PEEK")
	if !ok || peek.Kind() != "FREE" {
		t.Fatalf("PEEK = %v, want FREE", peek)
	}
	return s, a, peek, func(fence, run string, notAfter int64) reply {
		t.Helper()
		said, ok := s.repairCall(soon(t), 2, "job", "PLANT", fence, run, notAfter, time.Now().UnixMicro(), int64(2_000_000), 10_000, text)
		if !ok {
			t.Fatal("PLANT was not answered")
		}
		return said
	}
}

func inTime(s *Store) int64 { return s.queues[2].node.time(time.Now().Add(callTimeout)) }

// The lease is planted where nothing has happened since the node was asked.
func TestPlant(t *testing.T) {
	s, a, peek, plant := peeked(t)
	if said := plant(peek.Text(1), peek.Text(2), inTime(s)); said.Kind() != "PLANTED" {
		t.Fatalf("PLANT = %v, want PLANTED", said)
	}
	if v := s.at(t, 2, "job"); v == nil || v.id != a.ID || !v.committed {
		t.Errorf("node 3 has %+v, want the lease, committed", v)
	}
}

// Whatever was granted there since, on whatever name, another run, a call that comes late, and a lease that stands there
// keep it from being planted.
func TestNothingIsPlantedWhereSomethingHappened(t *testing.T) {
	for name, test := range map[string]func(s *Store, peek reply, plant func(fence, run string, notAfter int64) reply) reply{
		"a grant on another name": func(s *Store, peek reply, plant func(string, string, int64) reply) reply {
			b := leaseOf("other")
			s.granted(t, b)
			until(t, 5*time.Second, "node 3 has answered as well", func() bool { return s.at(t, 2, "other") != nil })
			s.gives(t, b)
			return plant(peek.Text(1), peek.Text(2), inTime(s))
		},
		"another run": func(s *Store, peek reply, plant func(string, string, int64) reply) reply {
			return plant(peek.Text(1), "0123456789abcdef", inTime(s))
		},
		"late": func(s *Store, peek reply, plant func(string, string, int64) reply) reply {
			return plant(peek.Text(1), peek.Text(2), s.queues[2].node.time(time.Now().Add(-time.Second)))
		},
		"held": func(s *Store, peek reply, plant func(string, string, int64) reply) reply {
			s.raw(t, 2, "SET", s.keys.lock("job"), "somebody's")
			return plant(peek.Text(1), peek.Text(2), inTime(s))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, a, peek, plant := peeked(t)
			if said := test(s, peek, plant); said.Kind() != "NONE" {
				t.Errorf("PLANT = %v, want NONE", said)
			}
			if text := s.raw(t, 2, "GET", s.keys.lock("job")); len(text) > 20 {
				t.Errorf("node 3 has %q for %s, want nothing planted", text, a.ID)
			}
		})
	}
}

// A lease that no quorum confirms after the node was asked is not planted.
func TestNothingIsPlantedWithoutARenewal(t *testing.T) {
	s, a, _, _ := peeked(t)
	token := s.at(t, 0, "job").token
	s.raw(t, 1, "DEL", s.keys.lock("job"))
	s.repairNow(soon(t), 2, lease.Renewal{Name: "job", ID: a.ID}, token)
	if v := s.at(t, 2, "job"); v != nil {
		t.Errorf("node 3 has %+v, want nothing: the lease stands on one node of three", v)
	}
}

// A repair keeps the longest hold: what it restarts lasts no longer than that, and what it plants neither.
func TestARepairKeepsTheHold(t *testing.T) {
	s, a, _, _ := peeked(t)
	maxHold, rest := 2*a.TTL, a.TTL/2
	token := s.at(t, 0, "job").token
	for node := range 2 {
		fields := strings.SplitN(s.raw(t, node, "GET", s.keys.lock("job")), "|", 9)
		since, err := strconv.ParseInt(fields[7], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		fields[7] = strconv.FormatInt(since-(maxHold-rest).Microseconds(), 10)
		s.raw(t, node, "SET", s.keys.lock("job"), strings.Join(fields, "|"), "PX", strconv.FormatInt((rest/2).Milliseconds(), 10))
	}
	s.repairNow(soon(t), 2, lease.Renewal{Name: "job", ID: a.ID, MaxHold: maxHold}, token)
	for node := range 3 {
		left, err := strconv.ParseInt(s.raw(t, node, "PTTL", s.keys.lock("job")), 10, 64)
		if most := (rest + lease.Grace(a.TTL)).Milliseconds(); err != nil || left <= (rest/2).Milliseconds() || left > most {
			t.Errorf("node %d has the lease for %d ms, %v, want it restarted, and for %d ms at most", node+1, left, err, most)
		}
	}
}
