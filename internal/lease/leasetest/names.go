package leasetest

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockd/lockd/internal/lease"
)

var nameTests = []test{
	{"Distinct", testNamesDistinct},
}

// awkward are names that steer, split, match or merge somewhere, in pairs and more that differ in as
// little as possible.
func awkward() []string {
	longest := strings.Repeat("n", lease.MaxNameBytes-1)
	return []string{
		"a", "A", "a ", " a", " ", "  ", "a/b", "a:b", "a|b", "a,b", "a\u00a0b",
		"{", "}", "{}", "{0}", "{a}", "{b}", "a{0}", "{0}a", "{a}{b}", "}{",
		"*", "**", "a*", "?", "a?", "[a]", "[^a]", "[a-z]", "[", "]", `\`, `\\`, `\*`, `a\`, "^", "$",
		`"`, `""`, "'", "`", "'a'", `"a"`, "%", "%s", "%00", "$(a)", "#", ";", "--", "=", "~", "+", "&", "<a>",
		"é", "e\u0301", "ß", "ss", "日本語", "🔑", "\u200b", "\u2028", "\ufeff", "null", "nil", "0", "1e3", "-1", "...", "a/.../b",
		"lock:a", "fence", "lockd:{0}:fence", "lockd:layout",
		longest + "1", longest + "2", longest, strings.Repeat("ü", lease.MaxNameBytes/2),
	}
}

// Names are distinct byte for byte, and whatever is done to one is done to that one only.
func testNamesDistinct(t *testing.T, s Subject) {
	names := awkward()
	claims, leases := map[string]lease.Acquisition{}, map[string]lease.Lease{}
	for _, name := range names {
		if err := lease.CheckName(name); err != nil {
			t.Fatalf("%q is no name: %v", name, err)
		}
		claims[name] = claim(name)
		leases[name] = s.granted(t, claims[name])
	}
	for _, name := range names {
		held, _ := s.get(t, name)
		sameLease(t, "Get", held, leases[name])
	}
	if diff := cmp.Diff(slices.Sorted(slices.Values(names)), slices.Sorted(maps.Keys(s.list(t, "", 7, nil)))); diff != "" {
		t.Errorf("List (-want +got):\n%s", diff)
	}
	for i, name := range names {
		if _, err := s.renew(t, lease.Renewal{Name: name, ID: claims[name].ID}); err != nil {
			t.Errorf("Renew(%q) = %v, want nil", name, err)
		}
		switch i % 4 {
		case 0:
			s.released(t, claims[name])
		case 1:
			s.forced(t, name, leases[name].Token)
		case 2:
			s.undone(t, claims[name])
		case 3:
			s.Expire(t, name)
		}
		s.free(t, name)
		for _, later := range names[i+1:] {
			s.stands(t, later, leases[later].Token)
		}
	}
}
