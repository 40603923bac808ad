package redlock

import (
	"errors"
	"testing"
	"time"

	"github.com/lockd/lockd/internal/lease"
)

// Get answers at once that a name is free while nobody can be granted it, though somebody waits.
func TestGetDoesNotWaitForAGrantThatIsRefused(t *testing.T) {
	all := servers(t, 3)
	s := opening(t, all, callTimeout)
	holder, waiter := leaseOf("job"), leaseOf("job")
	s.granted(t, holder)
	waiter.Until, waiter.Turn = time.Now().Add(time.Minute), func(lease.Handover) {}
	if _, err := s.Acquire(soon(t), waiter); !errors.As(err, new(*lease.HeldError)) {
		t.Fatalf("Acquire(held) = %v, want a place", err)
	}
	for i := range all {
		s.raw(t, i, "CONFIG", "SET", "maxmemory", "1")
	}
	s.gives(t, holder)
	before := s.execs.Load()
	got, err := s.Get(soon(t), lease.GetRequest{Name: "job", Waiters: 10})
	if err != nil || got.Held || got.Waiting != 1 {
		t.Errorf("Get = %+v, %v, want a free name that one waits for", got, err)
	}
	if tried := s.execs.Load() - before; tried > 10 {
		t.Errorf("one Get asked the nodes %d times for the name", tried)
	}
}
