//go:build !race

package quorum

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
	"github.com/lockd/lockd/test/redisproc"
)

// clocked is a group in which the first so many nodes have a clock that the test steps.
func clocked(t *testing.T, nodes int) (*group, *redisproc.Clock) {
	t.Helper()
	c := redisproc.NewClock(t)
	var own []redisproc.Option
	for range nodes {
		own = append(own, redisproc.By(c))
	}
	return start(t, own), c
}

func (g *group) renew(t *testing.T, name, id string) error {
	t.Helper()
	_, err := g.Renew(t.Context(), &lockdv1.RenewRequest{Name: name, LeaseId: id})
	return err
}

// skewed waits until Status says that so many nodes have a clock that is off, and answers why nothing is granted, "" if it is.
func (g *group) skewed(t *testing.T, want int) (refusal string) {
	t.Helper()
	until(t, 5*time.Second, func() string {
		got, err := g.admin.Status(t.Context(), &lockdv1.StatusRequest{})
		if err != nil {
			return err.Error()
		}
		n := 0
		for _, node := range got.GetStore().GetNodes() {
			if node.GetClockSkew().AsDuration().Abs() > time.Minute {
				n++
			}
		}
		if n != want {
			return "Status does not show the clocks that are off"
		}
		refusal = got.GetStore().GetRefusal()
		return ""
	})
	return refusal
}

// An hour more or less on the clock of one node changes nothing: a lease is nobody else's, is renewed and released, others are
// granted, and tokens increase.
func TestTheClockOfOneNodeIsOff(t *testing.T) {
	g, clock := clocked(t, 1)
	last := int64(0)
	for _, by := range []time.Duration{time.Hour, 0, -time.Hour, 0} {
		id := newID()
		token := g.granted(t, "job", id)
		clock.Step(by)
		for i := range 20 {
			if _, err := g.Acquire(t.Context(), &lockdv1.AcquireRequest{Name: "job", LeaseId: newID(), Attempt: 1}); status.Code(err) != codes.Aborted {
				t.Fatalf("Acquire of what is held, %s off = %v, want ABORTED", by, err)
			}
			if err := g.renew(t, "job", id); err != nil {
				t.Fatalf("renewal %d, %s off = %v", i, by, err)
			}
			other := newID()
			g.granted(t, "other", other)
			if _, err := g.Release(t.Context(), &lockdv1.ReleaseRequest{Name: "other", LeaseId: other}); err != nil {
				t.Fatalf("Release, %s off = %v", by, err)
			}
		}
		want := 1
		if by == 0 {
			want = 0
		}
		if refusal := g.skewed(t, want); refusal != "" {
			t.Errorf("with one clock %s off nothing is granted: %s", by, refusal)
		}
		if err := g.renew(t, "job", id); status.Code(err) == codes.Unavailable {
			t.Errorf("Renew, %s off = %v, want an answer", by, err)
		}
		if _, err := g.Release(t.Context(), &lockdv1.ReleaseRequest{Name: "job", LeaseId: id}); err != nil {
			t.Errorf("Release, %s off = %v", by, err)
		}
		if token <= last {
			t.Errorf("the token went from %d to %d", last, token)
		}
		last = token
	}
}

// With an hour more or less on the clocks of a majority nothing is granted, and everybody is told why; who holds a lease is told
// at the next renewal if it has ended, and releases it; once clocks agree there are grants again, with larger tokens.
func TestTheClocksOfAMajorityAreOff(t *testing.T) {
	g, clock := clocked(t, 3)
	last := int64(0)
	for _, by := range []time.Duration{time.Hour, -time.Hour} {
		id := newID()
		token := g.granted(t, "job", id)
		if token <= last {
			t.Errorf("the token went from %d to %d, want larger", last, token)
		}
		last = token
		clock.Step(by)
		for range 20 {
			for _, name := range []string{"job", "other"} {
				got, err := g.Acquire(t.Context(), &lockdv1.AcquireRequest{Name: name, LeaseId: newID(), Attempt: 1})
				if err == nil {
					t.Fatalf("Acquire(%s) with a majority %s off = %v, want no grant", name, by, got)
				}
			}
		}
		refusal := g.skewed(t, 3)
		if !strings.Contains(refusal, "2 of 5 nodes can grant leases, want 3") || !strings.Contains(refusal, "its clock is") {
			t.Errorf("with a majority %s off Status says %q, want why nothing is granted", by, refusal)
		}
		if _, err := g.Acquire(t.Context(), &lockdv1.AcquireRequest{Name: "other", LeaseId: newID(), Attempt: 1}); err == nil || !strings.Contains(err.Error(), "clock") {
			t.Errorf("Acquire with a majority %s off = %v, want that it is the clocks", by, err)
		}
		err := g.renew(t, "job", id)
		if gone := status.Code(err) == codes.FailedPrecondition; by > 0 && !gone {
			t.Errorf("Renew of what a majority has forgotten = %v, want FAILED_PRECONDITION", err)
		}
		if _, err := g.Release(t.Context(), &lockdv1.ReleaseRequest{Name: "job", LeaseId: id}); err != nil {
			t.Errorf("Release with a majority %s off = %v, want nil", by, err)
		}
		clock.Step(0)
		g.skewed(t, 0)
		after := newID()
		if token := g.granted(t, "job", after); token <= last {
			t.Errorf("after %s the token went from %d to %d, want larger", by, last, token)
		} else {
			last = token
		}
		if _, err := g.Release(t.Context(), &lockdv1.ReleaseRequest{Name: "job", LeaseId: after}); err != nil {
			t.Error(err)
		}
	}
}
