package faults

import (
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
	"github.com/lockd/lockd/test/redisproc"
)

// A full Redis is said as what it is; what is held goes on, and service comes back by itself.
func TestAFullRedisIsSaidAndPasses(t *testing.T) {
	r := redisproc.Start(t)
	s := start(t, r.URL())
	held := newID(t)
	s.acquire(t, request("held", held, 1))
	memory := func(limit string) {
		t.Helper()
		if err := redisClient(t, r).ConfigSet(t.Context(), "maxmemory", limit).Err(); err != nil {
			t.Fatal(err)
		}
	}
	memory("1")
	_, err := s.lease.Acquire(soon(t), request("new", newID(t), 1))
	if status.Code(err) != codes.ResourceExhausted || reason(err) != "STORE_FULL" {
		t.Errorf("Acquire = %v (reason %s), want RESOURCE_EXHAUSTED, STORE_FULL", err, reason(err))
	}
	if _, err := s.lease.Renew(soon(t), &lockdv1.RenewRequest{Name: "held", LeaseId: held, Ttl: durationpb.New(time.Minute)}); err != nil {
		t.Errorf("Renew = %v, want nil", err)
	}
	s.release(t, "held", held, lockdv1.ReleaseResponse_HELD)
	memory("0")
	s.acquire(t, request("new", newID(t), 1))
}
