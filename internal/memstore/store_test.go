package memstore

import (
	"container/heap"
	"testing"

	"go.uber.org/goleak"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/internal/lease/leasetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestStore(t *testing.T) {
	leasetest.Run(t, func(t *testing.T) leasetest.Subject {
		s := New()
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Errorf("Close = %v, want nil", err)
			}
		})
		return leasetest.Subject{
			Store: s,
			Expire: func(t *testing.T, name string) {
				t.Helper()
				if !s.Expire(name) {
					t.Fatalf("Expire(%q) = false, want a lease there", name)
				}
			},
			Grace: func(t *testing.T, name string) { t.Helper(); s.grace(t, name) },
		}
	})
}

// grace puts the lease on name into the middle of its grace.
func (s *Store) grace(t *testing.T, name string) {
	t.Helper()
	now := s.lock()
	defer s.mu.Unlock()
	e := s.findLocked(name, now)
	if e == nil {
		t.Fatalf("no lease on %q to put into its grace", name)
	}
	e.over = now.Add(lease.Grace(e.ttl) / 2)
	heap.Fix(&s.expiry, e.at)
}
