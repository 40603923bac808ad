package leasetest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockd/lockd/internal/lease"
)

var listTests = []test{
	{"Empty", testListEmpty},
	{"ShowsWhatGetShows", testListShowsWhatGetShows},
	{"OnlyInForce", testListOnlyInForce},
	{"Prefix", testListPrefix},
	{"PageSizes", testListPageSizes},
	{"StandingLeases", testListStandingLeases},
	{"Shows", testListShows},
	{"BadToken", testListBadToken},
}

// maxPages is more pages than any test needs: paging that has not ended by then goes round.
const maxPages = 2000

func (s Subject) page(t *testing.T, r lease.ListRequest) lease.Page {
	t.Helper()
	ctx, cancel := call(t)
	defer cancel()
	p, err := s.List(ctx, r)
	if err != nil {
		t.Fatalf("List(%q, %d, %q) = %v, want nil", r.Prefix, r.Size, r.Token, err)
	}
	if len(p.Leases) > r.Size {
		t.Errorf("List(%q, %d) = %d leases, want at most %d", r.Prefix, r.Size, len(p.Leases), r.Size)
	}
	return p
}

// list reads all pages and calls between after each; it answers what it saw, by name.
func (s Subject) list(t *testing.T, prefix string, size int, between func(page int)) map[string]lease.Lease {
	t.Helper()
	seen := map[string]lease.Lease{}
	r := lease.ListRequest{Prefix: prefix, Size: size}
	for page := range maxPages {
		p := s.page(t, r)
		for _, l := range p.Leases {
			seen[l.Name] = l
		}
		if p.Next == "" {
			return seen
		}
		r.Token = p.Next
		if between != nil {
			between(page)
		}
	}
	t.Fatalf("List(%q, %d) had not ended after %d pages", prefix, size, maxPages)
	return nil
}

// A store without leases has one empty page, also when there were some.
func testListEmpty(t *testing.T, s Subject) {
	a := claim("job")
	for range 2 {
		if got := s.list(t, "", 10, nil); len(got) != 0 {
			t.Errorf("List of nothing = %v, want none", got)
		}
		s.granted(t, a)
		s.released(t, a)
	}
}

// A listed lease is the one that Get answers.
func testListShowsWhatGetShows(t *testing.T, s Subject) {
	first := s.granted(t, claim("job"))
	got := s.list(t, "", 10, nil)
	if len(got) != 1 {
		t.Fatalf("List = %v, want one lease", got)
	}
	sameLease(t, "the listed lease", got["job"], first)
	wantFresh(t, "the listed lease", got["job"], ttl)
}

// A lease in its grace is listed; one that has ended in whatever way is not.
func testListOnlyInForce(t *testing.T, s Subject) {
	for _, name := range []string{"expired", "forced", "grace", "released", "standing", "undone"} {
		a := claim(name)
		l := s.granted(t, a)
		switch name {
		case "expired":
			s.Expire(t, name)
		case "forced":
			s.forced(t, name, l.Token)
		case "grace":
			s.Grace(t, name)
		case "released":
			s.released(t, a)
		case "undone":
			s.undone(t, a)
		}
	}
	got := s.list(t, "", 2, nil)
	if diff := cmp.Diff([]string{"grace", "standing"}, slices.Sorted(maps.Keys(got))); diff != "" {
		t.Errorf("List (-want +got):\n%s", diff)
	}
	if left := got["grace"].Left; left != 0 {
		t.Errorf("Left of the lease in its grace = %s, want 0", left)
	}
}

// What may not be shown is on no page, takes no room there, and is not named by where a page ended.
func testListShows(t *testing.T, s Subject) {
	want := 0
	for i := range 60 {
		name := fmt.Sprintf("secret/%d", i)
		if i%10 == 0 {
			name, want = fmt.Sprintf("open/%d", i), want+1
		}
		s.granted(t, claim(name))
	}
	r := lease.ListRequest{Size: 1, Shows: func(name string) bool { return lease.Under(name, "open") }}
	seen := make(map[string]bool)
	for range maxPages {
		p := s.page(t, r)
		for _, l := range p.Leases {
			seen[l.Name] = true
			if !r.Shows(l.Name) {
				t.Errorf("List shows %q", l.Name)
			}
		}
		if strings.Contains(p.Next, "secret") {
			t.Errorf("Next = %q, want nothing of what is not shown", p.Next)
		}
		if r.Token = p.Next; r.Token == "" {
			break
		}
	}
	if len(seen) != want || r.Token != "" {
		t.Errorf("List shows %d names, and %q follows, want all %d", len(seen), r.Token, want)
	}
}

// A prefix selects whole segments and stands for itself, letter by letter.
func testListPrefix(t *testing.T, s Subject) {
	names := []string{
		"a", "a/b", "a/b/c", "a/b/c/d", "a/b-c", "a/b!", "a/b0", "a/bc", "a/c", "ab", "b/a/b", "A/b",
		"x*", "x*/y", "xyz", "xyz/y", "[x]", "[x]/y", "x", `x\`, `x\/y`, "{x}", "{x}/y", "x?", "ü", "ü/ö", "üb",
	}
	for _, name := range names {
		s.granted(t, claim(name))
	}
	for _, prefix := range append([]string{"", "a/b/c/d/e", "none", "x*y", "[a-z]"}, names...) {
		var want []string
		for _, name := range names {
			if lease.Under(name, prefix) {
				want = append(want, name)
			}
		}
		slices.Sort(want)
		for _, size := range []int{1, 100} {
			got := slices.Sorted(maps.Keys(s.list(t, prefix, size, nil)))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("List(%q), pages of %d (-want +got):\n%s", prefix, size, diff)
			}
		}
	}
}

// Whatever the size of the pages, together they have every lease, and none has more than its size.
func testListPageSizes(t *testing.T, s Subject) {
	const leases = 150
	together(t, leases, func(t *testing.T, i int) { s.granted(t, claim(fmt.Sprintf("job/%d", i))) })
	for _, size := range []int{1, 2, 7, leases - 1, leases, leases + 1, lease.MaxPageSize} {
		if got := s.list(t, "", size, nil); len(got) != leases {
			t.Errorf("List, pages of %d: %d leases, want %d", size, len(got), leases)
		}
	}
}

// A lease that stands throughout is on one of the pages, however many come and go around it.
func testListStandingLeases(t *testing.T, s Subject) {
	var standing, others []lease.Acquisition
	for i := range 120 {
		a := claim(fmt.Sprintf("job/%d", i))
		s.granted(t, a)
		if i%3 == 0 {
			standing = append(standing, a)
		} else {
			others = append(others, a)
		}
	}
	for _, size := range []int{1, 5, 30} {
		got := s.list(t, "", size, func(page int) {
			// At first most go, so that what is left moves together; then more than ever come.
			if len(others) > 0 {
				n := max(1, len(others)/4)
				for _, a := range others[:n] {
					s.released(t, a)
				}
				others = others[n:]
			}
			if page < 40 {
				together(t, 6, func(t *testing.T, i int) { s.granted(t, claim(fmt.Sprintf("new/%d/%d/%d", size, page, i))) })
			}
			for _, a := range standing[:3] {
				if _, err := s.renew(t, lease.Renewal{Name: a.Name, ID: a.ID}); err != nil {
					t.Fatalf("Renew(%q) = %v, want nil", a.Name, err)
				}
			}
		})
		for _, a := range standing {
			if _, ok := got[a.Name]; !ok {
				t.Errorf("List, pages of %d: %q is missing, though it stood throughout", size, a.Name)
			}
		}
	}
}

// A page token that no page answered is the caller's mistake.
func testListBadToken(t *testing.T, s Subject) {
	s.granted(t, claim("job"))
	for _, token := range []string{"nonsense", "ü", " ", "-", "next"} {
		ctx, cancel := call(t)
		_, err := s.List(ctx, lease.ListRequest{Size: 10, Token: token})
		cancel()
		var invalid *lease.InvalidError
		if !errors.As(err, &invalid) || invalid.Field != "page_token" {
			t.Errorf("List(token %q) = %v, want *InvalidError on page_token", token, err)
		}
	}
}
