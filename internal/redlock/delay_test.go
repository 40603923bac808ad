package redlock

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/test/redisproc"
)

const testDelay = time.Minute

// delayed is a lease with a lock-delay that stands at all three nodes.
func delayed(t *testing.T) (*Store, lease.Acquisition, lease.Lease) {
	t.Helper()
	s := opening(t, redisproc.SharedNodes(t, 3), callTimeout)
	a := leaseOf("job")
	a.LockDelay = testDelay
	l := s.granted(t, a)
	until(t, 5*time.Second, "all three have answered", func() bool {
		return s.at(t, 0, "job") != nil && s.at(t, 1, "job") != nil && s.at(t, 2, "job") != nil
	})
	return s, a, l
}

// left is in how many ms the key expires at a node.
func (s *Store) left(t *testing.T, node int, name string) time.Duration {
	t.Helper()
	ms, err := strconv.ParseInt(s.raw(t, node, "PTTL", s.keys.lock(name)), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return time.Duration(ms) * time.Millisecond
}

// over has the lease be over at these nodes, its name closed for half of the delay still.
func (s *Store) over(t *testing.T, nodes ...int) {
	t.Helper()
	for _, node := range nodes {
		s.raw(t, node, "PEXPIRE", s.keys.lock("job"), (testDelay / 2).Milliseconds())
	}
}

// A lease that is over at one node, which heard of no renewal, is neither renewed nor committed nor planted there: that node
// counts as not having it until its delay is over, and has it again then.
func TestWhereALeaseIsOverItIsNotRevived(t *testing.T) {
	s, a, l := delayed(t)
	s.over(t, 2)
	for range 3 {
		if _, err := s.Renew(soon(t), lease.Renewal{Name: "job", ID: a.ID}); err != nil {
			t.Fatalf("Renew = %v, want nil: a quorum has it", err)
		}
		if got, err := s.Acquire(soon(t), lease.Acquisition{Name: "job", ID: a.ID, Tag: lease.Tag{Attempt: 2}, TTL: a.TTL}); err != nil || got.Token != l.Token {
			t.Fatalf("Acquire(again) = %+v, %v, want the same lease", got, err)
		}
	}
	for _, what := range []ask{
		*committing("job", a.ID, int64(l.Token), int64(l.Token), a.TTL, time.Now().Add(callTimeout), false),
		renewing(lease.Renewal{Name: "job", ID: a.ID, TTL: time.Minute}, time.Now().Add(callTimeout)),
	} {
		if _, said := s.asks(t, 2, what); said.Kind() != "NONE" {
			t.Errorf("%s = %v, want NONE", what.kind, said)
		}
	}
	if _, said := s.asks(t, 2, releasing(lease.ReleaseRequest{Name: "job", ID: a.ID}, time.Now().Add(callTimeout))); said.Kind() != "GONE" {
		t.Errorf("RELEASE = %v, want GONE", said)
	}
	if peek, ok := s.repairCall(soon(t), 2, "job", "PEEK"); !ok || peek.Kind() != "NONE" {
		t.Errorf("PEEK = %v, want NONE", peek)
	}
	if left := s.left(t, 2, "job"); left <= 0 || left > testDelay/2 {
		t.Errorf("the key expires in %s, want no more than %s: nothing has touched it", left, testDelay/2)
	}
	s.raw(t, 2, "PEXPIRE", s.keys.lock("job"), 0)
	if _, err := s.Renew(soon(t), lease.Renewal{Name: "job", ID: a.ID}); err != nil {
		t.Fatalf("Renew = %v", err)
	}
	until(t, 5*time.Second, "it is planted where the delay is over", func() bool { return s.at(t, 2, "job") != nil })
	if v, left := s.at(t, 2, "job"), s.left(t, 2, "job"); v.delay != testDelay || left <= testDelay {
		t.Errorf("it was planted with a delay of %s, for %s, want %s, and longer than that", v.delay, left, testDelay)
	}
}

// A lease that is over at a quorum is over; what one node says is not enough, and does not open the name either.
func TestALeaseIsOverWhereAQuorumSaysSo(t *testing.T) {
	s, a, l := delayed(t)
	s.over(t, 1, 2)
	got, err := s.Get(soon(t), lease.GetRequest{Name: "job"})
	if err != nil || got.Held || got.Lease.Token != l.Token || got.Lease.Closed <= 0 || got.Lease.Closed > testDelay/2 {
		t.Errorf("Get = %+v, %v, want the name closed for up to %s", got, err, testDelay/2)
	}
	if _, err := s.Renew(soon(t), lease.Renewal{Name: "job", ID: a.ID}); !errors.Is(err, lease.ErrLost) {
		t.Errorf("Renew = %v, want ErrLost", err)
	}
	s.over(t, 0) // that renewal was done there
	s.raw(t, 0, "DEL", s.keys.lock("job"))
	var held *lease.HeldError
	if _, err := s.Acquire(soon(t), leaseOf("job")); !errors.As(err, &held) || held.Holder.Closed <= 0 {
		t.Errorf("Acquire = %v, want the name closed: it is at two nodes", err)
	}
}

// A release is clean at every node, also at one that the lease is over at, having heard of no renewal.
func TestAReleaseOpensTheNameWhereTheLeaseIsOver(t *testing.T) {
	s, a, _ := delayed(t)
	s.over(t, 2)
	s.gives(t, a)
	until(t, 5*time.Second, "node 3 is free", func() bool { return s.at(t, 2, "job") == nil })
}

// A force leaves each node closed for the delay, and one that hears of it late when it hears of it.
func TestAForceClosesTheNameAtEachNode(t *testing.T) {
	s, _, l := delayed(t)
	if _, err := s.ForceRelease(soon(t), lease.ForceRequest{Name: "job", Token: l.Token, By: "ada", Reason: "why"}); err != nil {
		t.Fatalf("ForceRelease = %v", err)
	}
	until(t, 5*time.Second, "all nodes have heard of it", func() bool {
		for node := range 3 {
			if left := s.left(t, node, "job"); left <= testDelay-10*time.Second || left > testDelay {
				return false
			}
		}
		return true
	})
}

// A node that loses its memory is out for as long as a lease stands, its lock-delay included: more cannot be asked for.
func TestALockDelayThatANodeCouldForgetIsRefused(t *testing.T) {
	s := opening(t, redisproc.SharedNodes(t, 3), callTimeout) // of a group with leases of up to an hour
	a := leaseOf("job")
	for _, test := range []struct {
		delay time.Duration
		fits  bool
	}{{time.Hour - a.TTL, true}, {2 * time.Hour, false}} {
		a := leaseOf("job")
		a.LockDelay = test.delay
		_, err := s.Acquire(soon(t), a)
		var invalid *lease.InvalidError
		if errors.As(err, &invalid) == test.fits || !test.fits && (invalid.Field != "ttl" || !strings.Contains(invalid.Problem, "2h0m0s")) {
			t.Errorf("Acquire(a lock-delay of %s) = %v, want it refused: %t", test.delay, err, !test.fits)
		}
		if test.fits {
			s.gives(t, a)
		}
	}
}
