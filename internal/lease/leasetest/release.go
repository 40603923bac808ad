package leasetest

import (
	"testing"

	"github.com/lockd/lockd/internal/lease"
)

var releaseTests = []test{
	{"Held", testReleaseHeld},
	{"InGrace", testReleaseInGrace},
	{"Gone", testReleaseGone},
	{"HeldByOther", testReleaseHeldByOther},
	{"Repeat", testReleaseRepeat},
}

// A release frees the name at once, for everybody.
func testReleaseHeld(t *testing.T, s Subject) {
	a := claim("job")
	s.granted(t, a)
	if r := s.released(t, a); r.Outcome != lease.Held {
		t.Errorf("Release(held) = %d, want Held", r.Outcome)
	}
	s.free(t, "job")
	s.granted(t, claim("job"))
}

// A lease in its grace is still the holder's to release.
func testReleaseInGrace(t *testing.T, s Subject) {
	a := claim("job")
	s.granted(t, a)
	s.Grace(t, "job")
	if r := s.released(t, a); r.Outcome != lease.Held {
		t.Errorf("Release(in grace) = %d, want Held", r.Outcome)
	}
	s.free(t, "job")
}

// A release of what is over finds the name free: never granted, released before, or expired.
func testReleaseGone(t *testing.T, s Subject) {
	a := claim("job")
	gone := func(what string) {
		if r := s.released(t, a); r.Outcome != lease.Gone {
			t.Errorf("Release(%s) = %d, want Gone", what, r.Outcome)
		}
		s.free(t, "job")
	}
	gone("never granted")
	s.granted(t, a)
	s.released(t, a)
	gone("released")
	s.granted(t, a)
	s.Expire(t, "job")
	gone("expired")
}

// A release never removes another's lease.
func testReleaseHeldByOther(t *testing.T, s Subject) {
	a := claim("job")
	s.granted(t, a)
	s.Expire(t, "job")
	second := s.granted(t, claim("job"))
	for range 2 {
		if r := s.released(t, a); r.Outcome != lease.HeldByOther {
			t.Errorf("Release(another's) = %d, want HeldByOther", r.Outcome)
		}
		s.stands(t, "job", second.Token)
	}
}

// A release asks to be repeated unless it ended the only execution of the first attempt: otherwise
// copies of the acquisition may still be under way.
func testReleaseRepeat(t *testing.T, s Subject) {
	for _, test := range []struct {
		name     string
		executed []uint32 // attempts, each one an execution of its own
		want     bool
	}{
		{"nothing", nil, true},
		{"first attempt", []uint32{1}, false},
		{"uncounted", []uint32{0}, true},
		{"second attempt", []uint32{2}, true},
		{"both attempts", []uint32{1, 2}, true},
		{"replayed", []uint32{1, 1}, true},
		{"overtaken", []uint32{2, 1}, true},
	} {
		a := claim(test.name)
		for _, attempt := range test.executed {
			_, _ = s.acquire(t, again(a, attempt))
		}
		if r := s.released(t, a); r.Repeat != test.want {
			t.Errorf("Release(%s).Repeat = %t, want %t", test.name, r.Repeat, test.want)
		}
	}

	same := claim("same execution")
	s.granted(t, same)
	s.granted(t, same)
	if r := s.released(t, same); r.Repeat {
		t.Error("Release(same execution twice).Repeat = true, want false: it is known to have arrived")
	}

	held := claim("nothing")
	s.granted(t, held)
	if r := s.released(t, claim("nothing")); !r.Repeat {
		t.Error("Release(another's).Repeat = false, want true: its own may still arrive")
	}
}
