package memstore

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/internal/lease/leasetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestStore(t *testing.T) { testStore(t, func(s *Store) lease.Store { return s }) }

// Start does what the methods do.
func TestStartedStore(t *testing.T) {
	testStore(t, func(s *Store) lease.Store { return leasetest.Started{Store: s} })
}

func testStore(t *testing.T, asked func(*Store) lease.Store) {
	leasetest.Run(t, func(t *testing.T) leasetest.Subject {
		s := New()
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Errorf("Close = %v, want nil", err)
			}
		})
		return leasetest.Subject{
			Store:  asked(s),
			Beside: func(*testing.T) lease.Store { return asked(s) },
			Expire: func(t *testing.T, name string) {
				t.Helper()
				if !s.Expire(name) {
					t.Fatalf("Expire(%q) = false, want a lease there", name)
				}
			},
			Open: func(t *testing.T, name string) {
				t.Helper()
				if standing, _ := s.Get(t.Context(), lease.GetRequest{Name: name}); standing.Lease.Closed == 0 || !s.Expire(name) {
					t.Fatalf("Get(%q) = %+v, want it closed", name, standing)
				}
			},
			Grace:  func(t *testing.T, name string) { t.Helper(); s.grace(t, name) },
			Age:    func(t *testing.T, name string, by time.Duration) { t.Helper(); s.age(t, name, by) },
			Forget: func(t *testing.T, name string, id lease.ID) { t.Helper(); s.forget(t, name, id) },
		}
	})
}

// grace puts the lease on name into the middle of its grace.
func (s *Store) grace(t *testing.T, name string) {
	t.Helper()
	now := s.lock()
	defer s.unlock(now)
	e := s.findLocked(name, now)
	if e == nil {
		t.Fatalf("no lease on %q to put into its grace", name)
	}
	e.over = now.Add(lease.Grace(e.ttl) / 2)
	s.expiry.Fix(e.at)
}

// age has the lease on name granted that much earlier.
func (s *Store) age(t *testing.T, name string, by time.Duration) {
	t.Helper()
	now := s.lock()
	defer s.unlock(now)
	e := s.findLocked(name, now)
	if e == nil {
		t.Fatalf("no lease on %q to make older", name)
	}
	e.granted = e.granted.Add(-by)
}

// forget ends the keeping of the place of id.
func (s *Store) forget(t *testing.T, name string, id lease.ID) {
	t.Helper()
	now := s.lock()
	defer s.unlock(now)
	p := s.line.Place(name, id, now)
	if p == nil || !p.Away() {
		t.Fatalf("no place of one who is away from the line of %q", name)
	}
	s.line.Take(p)
}

// What is in memory only is said to be, and that it keeps nothing.
func TestStatus(t *testing.T) {
	got := New().Status()
	if got.Kind != "memory" || got.Refusal != "" || len(got.Warnings) != 1 || len(got.Nodes) != 0 {
		t.Errorf("Status = %+v, want kind memory with one warning, no refusal, no nodes", got)
	}
}

// Expire says whether there was a lease to expire.
func TestExpireOfNothing(t *testing.T) {
	if New().Expire("job") {
		t.Error("Expire(free name) = true, want false")
	}
}
