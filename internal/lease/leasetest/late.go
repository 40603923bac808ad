package leasetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/lockd/lockd/internal/lease"
)

var lateTests = []test{
	{"Grant", testLateGrant},
	{"Retry", testLateRetry},
}

// tooLate executes a when the deadline of its call is over; it must fail.
func (s Subject) tooLate(t *testing.T, a lease.Acquisition, deadline time.Time) {
	t.Helper()
	ctx, cancel := context.WithDeadline(t.Context(), deadline)
	defer cancel()
	_, err := s.Acquire(ctx, a)
	if !errors.Is(err, lease.ErrUnavailable) && !errors.Is(err, lease.ErrUnknown) {
		t.Errorf("Acquire(too late) = %v, want ErrUnavailable or ErrUnknown", err)
	}
}

// An execution whose deadline is over grants nothing.
func testLateGrant(t *testing.T, s Subject) {
	s.tooLate(t, claim("job"), time.Now().Add(-time.Millisecond))
	s.free(t, "job")
}

// An execution whose deadline is over restarts no ttl and replaces no tag.
func testLateRetry(t *testing.T, s Subject) {
	a := claim("job")
	s.granted(t, a)
	s.Grace(t, "job")
	s.tooLate(t, again(a, 2), time.Now().Add(-time.Millisecond))
	if held, ok := s.get(t, "job"); !ok || held.Left != 0 {
		t.Errorf("Get = %t, Left %s, want the lease still in its grace", ok, held.Left)
	}
	s.undone(t, a)
	s.free(t, "job")
}
