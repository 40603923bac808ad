package leasetest

import (
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockd/lockd/internal/lease"
)

var acquireTests = []test{
	{"FreeName", testAcquireFreeName},
	{"HeldName", testAcquireHeldName},
	{"HeldInGrace", testAcquireHeldInGrace},
	{"Refused", testAcquireRefused},
	{"AfterExpiry", testAcquireAfterExpiry},
	{"NoMetadata", testAcquireNoMetadata},
	{"AnyText", testAcquireAnyText},
	{"KeepsNoCallersMap", testAcquireKeepsNoCallersMap},
	{"OneWinner", testAcquireOneWinner},
}

// A free name is granted with everything that was asked for.
func testAcquireFreeName(t *testing.T, s Subject) {
	a := claim("job")
	got := s.granted(t, a)
	want := lease.Lease{Name: "job", Token: got.Token, Owner: a.Owner, Principal: a.Principal, Since: got.Since, Metadata: a.Metadata}
	sameLease(t, "the grant", got, want)
	wantFresh(t, "the grant", got, ttl)
	if got.Token <= 0 || got.Token >= lease.MaxToken {
		t.Errorf("token = %d, want 0 < token < 2^53", got.Token)
	}
	if age := time.Since(got.Since); age < -slack || age > slack {
		t.Errorf("since = %s, %s ago, want now", got.Since, age)
	}
}

// Another lease in force is answered as the holder, with all that anybody may know of it.
func testAcquireHeldName(t *testing.T, s Subject) {
	first := s.granted(t, claim("job"))
	b := claim("job")
	b.Owner, b.TTL, b.Metadata = "other@host:8", time.Second, nil
	_, err := s.acquire(t, b)
	wantFresh(t, "the holder", wantHeld(t, "Acquire(held)", err, first), ttl)
}

// A name is taken until the grace is over, although its holder may count on nothing any more.
func testAcquireHeldInGrace(t *testing.T, s Subject) {
	first := s.granted(t, claim("job"))
	s.Grace(t, "job")
	_, err := s.acquire(t, claim("job"))
	holder := wantHeld(t, "Acquire(in grace)", err, first)
	if holder.Left != 0 {
		t.Errorf("Left in the grace = %s, want 0", holder.Left)
	}
	wantBetween(t, "ExpiresIn in the grace", holder.ExpiresIn, 1, lease.Grace(ttl))
}

// A refusal changes nothing: not the lease in force, and nothing is kept of who was refused.
func testAcquireRefused(t *testing.T, s Subject) {
	a, b := claim("job"), claim("job")
	first := s.granted(t, a)
	s.Grace(t, "job")
	_, err := s.acquire(t, b)
	if left := wantHeld(t, "Acquire(held)", err, first).Left; left != 0 {
		t.Errorf("the refusal restarted the lease: Left = %s, want 0", left)
	}
	s.undone(t, b)
	if r := s.released(t, b); r.Outcome != lease.HeldByOther {
		t.Errorf("Release(refused) = %d, want HeldByOther", r.Outcome)
	}
	s.stands(t, "job", first.Token)
}

// A lease whose time ran out stands in nobody's way.
func testAcquireAfterExpiry(t *testing.T, s Subject) {
	first := s.granted(t, claim("job"))
	s.Expire(t, "job")
	s.free(t, "job")
	if second := s.granted(t, claim("job")); second.Token <= first.Token {
		t.Errorf("token went from %d to %d, want larger", first.Token, second.Token)
	}
}

// No metadata is answered as nil, whether none or an empty map was given.
func testAcquireNoMetadata(t *testing.T, s Subject) {
	for name, metadata := range map[string]map[string]string{"nil": nil, "empty": {}} {
		a := claim(name)
		a.Metadata = metadata
		if l := s.granted(t, a); l.Metadata != nil {
			t.Errorf("Acquire(%s metadata): Metadata = %#v, want nil", name, l.Metadata)
		}
		if l, _ := s.get(t, name); l.Metadata != nil {
			t.Errorf("Get(%s metadata): Metadata = %#v, want nil", name, l.Metadata)
		}
	}
}

// Owner and metadata come back byte for byte, whatever the store writes them between.
func testAcquireAnyText(t *testing.T, s Subject) {
	texts := []string{"", "|", "a|b||c", ":", ",", "=", " ", "%s%d", `"quoted"`, `\`, "{0}", "0", "-1", "*", "nil", "ключ🔑", "1e300", strings.Repeat("x", 256)}
	for i, text := range texts {
		a := claim("text/" + string(rune('a'+i)))
		a.Owner = text
		a.Metadata = map[string]string{"plain": text, "k" + text: "v", "lines": "a\nb\r\tc\x00d"}
		l := s.granted(t, a)
		held, _ := s.get(t, a.Name)
		for what, got := range map[string]lease.Lease{"Acquire": l, "Get": held} {
			if got.Owner != a.Owner {
				t.Errorf("%s: Owner = %q, want %q", what, got.Owner, a.Owner)
			}
			if diff := cmp.Diff(a.Metadata, got.Metadata); diff != "" {
				t.Errorf("%s: metadata of %q (-want +got):\n%s", what, text, diff)
			}
		}
	}
}

// What callers do to their maps afterwards is their own business.
func testAcquireKeepsNoCallersMap(t *testing.T, s Subject) {
	a := claim("job")
	want := maps.Clone(a.Metadata)
	l := s.granted(t, a)
	a.Metadata["job"] = "changed"
	l.Metadata["job"] = "changed too"
	if held, _ := s.get(t, "job"); !maps.Equal(held.Metadata, want) {
		t.Errorf("metadata = %v, want %v as granted", held.Metadata, want)
	}
}

// Of many who ask for a free name at once, one gets it and all others are told of that one.
func testAcquireOneWinner(t *testing.T, s Subject) {
	const askers = 32
	var asking sync.WaitGroup
	start := make(chan struct{})
	leases, errs := make([]lease.Lease, askers), make([]error, askers)
	for i := range askers {
		asking.Go(func() {
			<-start
			leases[i], errs[i] = s.acquire(t, claim("job"))
		})
	}
	close(start)
	asking.Wait()

	winner, ok := s.get(t, "job")
	if !ok {
		t.Fatal("nobody was granted a free name")
	}
	winners := 0
	for i, err := range errs {
		if err == nil {
			winners++
			sameLease(t, "the winner", leases[i], winner)
			continue
		}
		wantHeld(t, "Acquire(held)", err, winner)
	}
	if winners != 1 {
		t.Errorf("%d of %d were granted the name, want 1", winners, askers)
	}
}
