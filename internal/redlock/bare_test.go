package redlock

import (
	"strings"
	"testing"
	"time"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/test/redisproc"
)

// Status says how many leases bear no failure more, until they are on more nodes again, or over.
func TestStatusCountsBareLeases(t *testing.T) {
	s := opening(t, redisproc.SharedNodes(t, 5), callTimeout)
	bare := func() bool {
		return strings.Contains(strings.Join(s.Status().Warnings, "\n"), "1 leases stand on 3 of 5 nodes")
	}
	a := leaseOf("job")
	s.granted(t, a)
	until(t, 5*time.Second, "all five have it", func() bool {
		got, err := s.Get(soon(t), lease.GetRequest{Name: "job"})
		return err == nil && got.Nodes == 5
	})
	if bare() {
		t.Error("Status counts a lease on five nodes")
	}
	out := make([]*standing, 2)
	for node := range out {
		out[node] = s.queues[node].node.standing.Load()
		s.queues[node].node.standing.Store(&standing{out: "the test says so"})
	}
	renew := func() { _, err := s.Renew(soon(t), lease.Renewal{Name: "job", ID: a.ID}); must(t, err) }
	renew()
	until(t, 5*time.Second, "Status counts it", bare)
	for node := range out {
		s.queues[node].node.standing.Store(out[node])
	}
	renew()
	until(t, 5*time.Second, "Status counts it no more", func() bool { return !bare() })

	s.bare.note("gone", time.Now())
	if n := s.bare.count(time.Now()); n != 0 {
		t.Errorf("%d leases are bare that have run out, want none", n)
	}
	s.bare.note("job", time.Now().Add(time.Minute))
	s.gives(t, a)
	if bare() {
		t.Error("Status counts a lease that was released")
	}
}
