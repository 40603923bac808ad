package leasetest

import (
	"testing"
	"time"

	"github.com/lockd/lockd/internal/lease"
)

var renewTests = []test{
	{"RestartsOwnTTL", testRenewRestartsOwnTTL},
	{"InGrace", testRenewInGrace},
	{"LargerTTL", testRenewLargerTTL},
	{"SmallerTTL", testRenewSmallerTTL},
	{"SmallerTTLInGrace", testRenewSmallerTTLInGrace},
	{"NeverGranted", testRenewNeverGranted},
	{"AfterExpiry", testRenewAfterExpiry},
	{"AfterRelease", testRenewAfterRelease},
	{"HeldByOther", testRenewHeldByOther},
	{"KeepsTag", testRenewKeepsTag},
}

// A renewal without a ttl restarts the lease's own and changes nothing else.
func testRenewRestartsOwnTTL(t *testing.T, s Subject) {
	a := claim("job")
	first := s.granted(t, a)
	for range 3 {
		got, err := s.renew(t, lease.Renewal{Name: "job", ID: a.ID})
		if err != nil {
			t.Fatalf("Renew = %v, want nil", err)
		}
		sameLease(t, "the renewal", got, first)
		wantFresh(t, "the renewal", got, ttl)
	}
	held, _ := s.get(t, "job")
	sameLease(t, "Get after the renewal", held, first)
}

// A renewal in the grace succeeds: nobody else can have had the name.
func testRenewInGrace(t *testing.T, s Subject) {
	a := claim("job")
	first := s.granted(t, a)
	for _, asked := range []time.Duration{0, ttl} {
		s.Grace(t, "job")
		got, err := s.renew(t, lease.Renewal{Name: "job", ID: a.ID, TTL: asked})
		if err != nil {
			t.Fatalf("Renew(in grace, ttl %s) = %v, want nil", asked, err)
		}
		sameLease(t, "the renewal", got, first)
		wantFresh(t, "the renewal", got, ttl)
		held, _ := s.get(t, "job")
		wantFresh(t, "Get after the renewal", held, ttl)
	}
}

// A renewal with a larger ttl sets it, and it is the lease's own from then on.
func testRenewLargerTTL(t *testing.T, s Subject) {
	a := claim("job")
	s.granted(t, a)
	for _, asked := range []time.Duration{2 * ttl, 0} {
		got, err := s.renew(t, lease.Renewal{Name: "job", ID: a.ID, TTL: asked})
		if err != nil {
			t.Fatalf("Renew(ttl %s) = %v, want nil", asked, err)
		}
		wantFresh(t, "the renewal", got, 2*ttl)
		held, _ := s.get(t, "job")
		wantFresh(t, "Get after the renewal", held, 2*ttl)
	}
}

// A renewal with a smaller ttl, perhaps a late one, answers that ttl, shortens nothing, and leaves
// the lease's own ttl as it is.
func testRenewSmallerTTL(t *testing.T, s Subject) {
	a := claim("job")
	first := s.granted(t, a)
	got, err := s.renew(t, lease.Renewal{Name: "job", ID: a.ID, TTL: time.Second})
	if err != nil {
		t.Fatalf("Renew(smaller ttl) = %v, want nil", err)
	}
	sameLease(t, "the renewal", got, first)
	if got.TTL != time.Second {
		t.Errorf("Renew answers a ttl of %s, want %s as asked", got.TTL, time.Second)
	}
	wantBetween(t, "Left", got.Left, ttl-slack, ttl)
	held, _ := s.get(t, "job")
	wantFresh(t, "Get after the renewal", held, ttl)
	got, err = s.renew(t, lease.Renewal{Name: "job", ID: a.ID})
	if err != nil {
		t.Fatalf("Renew(own ttl) = %v, want nil", err)
	}
	wantFresh(t, "the renewal with its own ttl", got, ttl)
}

// A smaller ttl is set where less than that is left, and everybody is told that it may be counted on.
func testRenewSmallerTTLInGrace(t *testing.T, s Subject) {
	const smaller = ttl / 2
	a := claim("job")
	s.granted(t, a)
	s.Grace(t, "job")
	got, err := s.renew(t, lease.Renewal{Name: "job", ID: a.ID, TTL: smaller})
	if err != nil {
		t.Fatalf("Renew(smaller ttl, in grace) = %v, want nil", err)
	}
	if got.TTL != smaller {
		t.Errorf("Renew answers a ttl of %s, want %s as asked", got.TTL, smaller)
	}
	held, _ := s.get(t, "job")
	for what, l := range map[string]lease.Lease{"the renewal": got, "Get after the renewal": held} {
		wantBetween(t, what+": Left", l.Left, smaller-slack, smaller)
		wantBetween(t, what+": ExpiresIn", l.ExpiresIn, smaller+lease.Grace(smaller)-slack, smaller+lease.Grace(ttl))
	}
	if held.TTL != ttl {
		t.Errorf("the lease's own ttl = %s, want %s still", held.TTL, ttl)
	}
}

// lost renews what is not a's any more.
func (s Subject) lost(t *testing.T, what string, a lease.Acquisition) {
	t.Helper()
	for _, asked := range []time.Duration{0, time.Second, 2 * ttl} {
		_, err := s.renew(t, lease.Renewal{Name: a.Name, ID: a.ID, TTL: asked})
		wantErr(t, "Renew("+what+")", err, lease.ErrLost)
	}
}

// A renewal never creates a lease.
func testRenewNeverGranted(t *testing.T, s Subject) {
	s.lost(t, "never granted", claim("job"))
	s.free(t, "job")
}

// A renewal never re-creates a lease that ran out, and a lost lease stays lost.
func testRenewAfterExpiry(t *testing.T, s Subject) {
	a := claim("job")
	s.granted(t, a)
	s.Expire(t, "job")
	s.lost(t, "expired", a)
	s.free(t, "job")
	b := claim("job")
	s.granted(t, b)
	s.released(t, b)
	s.lost(t, "expired, and another came and went", a)
	s.free(t, "job")
}

// A renewal that a release has overtaken brings nothing back.
func testRenewAfterRelease(t *testing.T, s Subject) {
	a := claim("job")
	s.granted(t, a)
	s.released(t, a)
	s.lost(t, "released", a)
	s.free(t, "job")
}

// A renewal never touches another's lease.
func testRenewHeldByOther(t *testing.T, s Subject) {
	a := claim("job")
	s.granted(t, a)
	s.Expire(t, "job")
	second := s.granted(t, claim("job"))
	s.Grace(t, "job")
	s.lost(t, "held by another", a)
	held, _ := s.get(t, "job")
	sameLease(t, "what stands", held, second)
	if held.Left != 0 {
		t.Errorf("another's renewal restarted the lease: Left = %s, want 0", held.Left)
	}
}

// A renewal is no execution of the acquisition: an undo finds its own still.
func testRenewKeepsTag(t *testing.T, s Subject) {
	a := claim("job")
	s.granted(t, a)
	for _, asked := range []time.Duration{0, 2 * ttl} {
		if _, err := s.renew(t, lease.Renewal{Name: "job", ID: a.ID, TTL: asked}); err != nil {
			t.Fatalf("Renew = %v, want nil", err)
		}
	}
	s.undone(t, a)
	s.free(t, "job")
}
