package leasetest

import (
	"testing"

	"github.com/lockd/lockd/internal/lease"
)

var getTests = []test{
	{"Free", testGetFree},
	{"Held", testGetHeld},
	{"InGrace", testGetInGrace},
	{"Status", testStatus},
}

// A free name is no error, whether it was ever held or not.
func testGetFree(t *testing.T, s Subject) {
	a := claim("job")
	s.free(t, "job")
	s.granted(t, a)
	s.released(t, a)
	s.free(t, "job")
	s.granted(t, again(a, 2))
	s.Expire(t, "job")
	s.free(t, "job")
}

// Get answers the lease in force with how long it has to go, and changes nothing about it.
func testGetHeld(t *testing.T, s Subject) {
	first := s.granted(t, claim("job"))
	for range 3 {
		held, ok := s.get(t, "job")
		if !ok {
			t.Fatal("Get(held) = false, want true")
		}
		sameLease(t, "Get", held, first)
		wantFresh(t, "Get", held, ttl)
	}
}

// In the grace the name is taken, and its holder may count on nothing any more.
func testGetInGrace(t *testing.T, s Subject) {
	first := s.granted(t, claim("job"))
	s.Grace(t, "job")
	for range 2 {
		held, ok := s.get(t, "job")
		if !ok {
			t.Fatal("Get(in grace) = false, want true")
		}
		sameLease(t, "Get", held, first)
		if held.Left != 0 || held.TTL != ttl {
			t.Errorf("Get(in grace) = ttl %s, Left %s, want %s and 0", held.TTL, held.Left, ttl)
		}
		wantBetween(t, "ExpiresIn", held.ExpiresIn, 1, lease.Grace(ttl))
	}
}

// A store that grants says so, and names its kind.
func testStatus(t *testing.T, s Subject) {
	s.granted(t, claim("job"))
	if got := s.Status(); got.Kind == "" || got.Refusal != "" || got.Desynchronised != 0 {
		t.Errorf("Status = kind %q, refusal %q, %d desynchronised, want a kind, none and 0", got.Kind, got.Refusal, got.Desynchronised)
	}
}
