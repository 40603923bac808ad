package rpc

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/lockd/lockd/internal/audit"
	"github.com/lockd/lockd/internal/memstore"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// recorded answers what was recorded while f ran: what, outcome, name, token, by and why of each, in order.
func recorded(t *testing.T, f func(s *subject)) [][6]string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "audit")
	log, err := audit.Open(path, func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	f(serve(t, memstore.New(), quiet, func(s *subject) { s.around.access.audit = log }))
	if err := log.Close(); err != nil {
		t.Error(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var records [][6]string
	for line := range bytes.Lines(text) {
		var r map[string]string
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if r["peer"] == "" || r["at"] == "" || bytes.Contains(line, []byte(id1)) || bytes.Contains(line, []byte(id2)) {
			t.Errorf("%s: want when and from where, and no lease id", line)
		}
		records = append(records, [6]string{r["what"], r["outcome"], r["name"], r["token"], r["by"], r["why"]})
	}
	return records
}

// Grants, refusals and forces are recorded, of unary calls and of sessions alike, and renewals, releases and
// readings are not, unless they were denied.
func TestWhatIsWorthItIsRecorded(t *testing.T) {
	var token int64
	got := recorded(t, func(s *subject) {
		ctx := t.Context()
		granted, err := s.leases.Acquire(ctx, &lockdv1.AcquireRequest{Name: "a", LeaseId: id1, Owner: "ana"})
		if err != nil {
			t.Fatal(err)
		}
		token = granted.GetLease().GetToken()
		_, _ = s.leases.Renew(ctx, &lockdv1.RenewRequest{Name: "a", LeaseId: id1})
		_, _ = s.leases.Get(ctx, &lockdv1.GetRequest{Name: "a"})
		k := openSession(t, s)
		k.answer(k.do(&lockdv1.AcquireRequest{Name: "a", LeaseId: id2}))
		_, _ = s.admin.ForceRelease(ctx, &lockdv1.ForceReleaseRequest{Name: "a", Token: token + 1, Reason: "no", By: "bo"})
		if _, err := s.admin.ForceRelease(ctx, &lockdv1.ForceReleaseRequest{Name: "a", Token: token, Reason: "stuck\n", By: "bo"}); err == nil {
			t.Error("a reason with a line break is taken, want it refused")
		}
		_, _ = s.admin.ForceRelease(ctx, &lockdv1.ForceReleaseRequest{Name: "a", Token: token, Reason: "stuck", By: "bo"})
		a := k.answer(k.do(&lockdv1.AcquireRequest{Name: "b", LeaseId: id2}))
		k.answer(k.do(&lockdv1.ReleaseRequest{Name: "b", LeaseId: id2}))
		token = a.GetAcquired().GetLease().GetToken() - token // how much larger
		s.SetBounds(Bounds{All: Traffic{Rate: 1}})
		for range 2 {
			_, _ = s.leases.Get(ctx, &lockdv1.GetRequest{Name: "c"})
		}
		k.hangUp()
	})
	if len(got) != 7 {
		t.Fatalf("%d records, want 7: %v", len(got), got)
	}
	first := got[0][3]
	other := got[5][3]
	var n, m int64
	_, _ = fmt.Sscan(first, &n)
	_, _ = fmt.Sscan(other, &m)
	if n <= 0 || m-n != token {
		t.Errorf("tokens are recorded as %s and %s, want them as they were answered", first, other)
	}
	want := [][6]string{
		{"acquire", "granted", "a", first},
		{"acquire", "LEASE_HELD", "a"},
		{"force-release", "TOKEN_NOT_IN_FORCE", "a", fmt.Sprint(n + 1), "bo", "no"},
		{"force-release", "INVALID_ARGUMENT", "a", first, "bo", "stuck\n"},
		{"force-release", "forced", "a", first, "bo", "stuck"},
		{"acquire", "granted", "b", other},
		{"Get", "OVER_LIMIT", "c"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the record (-want +got):\n%s", diff)
	}
}

// What somebody was denied is recorded with who asked, on unary calls and on each operation of a session, and whatever they call
// themselves or ask for is one line that moves no cursor.
func TestDenialsAreRecordedAndInert(t *testing.T) {
	g := newGuarded(t)
	path := filepath.Join(t.TempDir(), "audit")
	log, err := audit.Open(path, func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, memstore.New(), quiet, g.asks, func(s *subject) { s.around.access.audit = log })
	const nasty = "team-b/x\n{\"what\":\"forged\"}\x1b[2J\u202e\u0085\u2028"
	_, _ = s.leases.Acquire(as(t.Context(), "a"), &lockdv1.AcquireRequest{Name: nasty, LeaseId: id1, Owner: nasty})
	_, _ = s.leases.Get(as(t.Context(), "nobody"), &lockdv1.GetRequest{Name: nasty})
	_, _ = s.admin.ForceRelease(as(t.Context(), "a"), &lockdv1.ForceReleaseRequest{Name: "team-a/x", Token: 1, Reason: nasty, By: nasty})
	k := sessionAs(t, s, "a")
	k.answer(k.do(&lockdv1.AcquireRequest{Name: nasty, LeaseId: id1, Owner: nasty}))
	k.answer(k.do(&lockdv1.RenewRequest{Name: "team-b/x", LeaseId: id1}))
	k.answer(k.do(&lockdv1.ReleaseRequest{Name: "team-b/x", LeaseId: id1}))
	k.hangUp()
	if err := log.Close(); err != nil {
		t.Error(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got [][4]string
	for line := range bytes.Lines(text) {
		var r map[string]string
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		got = append(got, [4]string{r["who"], r["what"], r["outcome"], r["name"]})
	}
	want := [][4]string{
		{"token:a", "acquire", "PERMISSION_DENIED", nasty}, {"", "Get", "UNAUTHENTICATED", nasty}, {"token:a", "force-release", "PERMISSION_DENIED", "team-a/x"},
		{"token:a", "acquire", "PERMISSION_DENIED", nasty}, {"token:a", "Renew", "PERMISSION_DENIED", "team-b/x"}, {"token:a", "Release", "PERMISSION_DENIED", "team-b/x"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the record (-want +got):\n%s", diff)
	}
	for _, r := range string(text) {
		if r != '\n' && !unicode.IsPrint(r) {
			t.Errorf("the record has %U in it", r)
		}
	}
}
