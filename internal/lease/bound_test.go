package lease_test

import (
	"strings"
	"testing"

	"github.com/lockd/lockd/internal/lease"
)

// asked by one who is known.
func requestBy(principal, name string, n int) lease.AcquireRequest {
	r := request(name, n)
	r.Principal = principal
	return r
}

// A stolen lease id is worth nothing to another identity: whatever it asks for, it finds what anybody would find.
func TestALeaseIsItsPrincipals(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, _ *fake) {
		got := grant(t, l, requestBy("cert:ada", "job", 1))
		if got.Lease.Principal != "cert:ada" {
			t.Errorf("the lease is %q's, want cert:ada's", got.Lease.Principal)
		}
		for _, thief := range []string{"cert:eve", "cert:ad", "cert:ada2", ""} {
			again := requestBy(thief, "job", 1)
			again.Attempt = 2
			_, err := l.Acquire(t.Context(), again)
			wantHeld(t, thief+" repeats the acquisition", err)
			_, err = l.Renew(lease.RenewRequest{Name: "job", ID: id(1), Principal: thief})
			wantErr(t, thief+" renews", err, lease.ErrLost)
			if out, err := l.Release(lease.ReleaseRequest{Name: "job", ID: id(1), Principal: thief}); err != nil || out != lease.HeldByOther {
				t.Errorf("%s releases: %d, %v, want HeldByOther", thief, out, err)
			}
		}
		renewed, err := l.Renew(lease.RenewRequest{Name: "job", ID: id(1), Principal: "cert:ada"})
		if err != nil || renewed.Token != got.Lease.Token {
			t.Errorf("its own renewal = token %d, %v, want %d", renewed.Token, err, got.Lease.Token)
		}
		again := requestBy("cert:ada", "job", 1)
		again.Attempt = 2
		if g := grant(t, l, again); g.Lease.Token != got.Lease.Token {
			t.Errorf("its own repetition has token %d, want %d", g.Lease.Token, got.Lease.Token)
		}
		if out, err := l.Release(lease.ReleaseRequest{Name: "job", ID: id(1), Principal: "cert:ada"}); err != nil || out != lease.Held {
			t.Errorf("its own release = %d, %v, want Held", out, err)
		}
	})
}

// The store never learns the lease id of somebody who is known, and no client can send the one it has instead.
func TestAStoreDoesNotLearnABoundID(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
		grant(t, l, requestBy("cert:ada", "job", 1))
		stored := s.noted("Acquire")[0].args.(lease.Acquisition).ID
		if strings.Contains(string(stored), string(id(1))) {
			t.Errorf("the store has the lease id in %q", string(stored))
		}
		for _, principal := range []string{"", "cert:ada", "cert:eve"} {
			_, err := l.Renew(lease.RenewRequest{Name: "job", ID: stored, Principal: principal})
			wantInvalid(t, "Renew by what the store has", err, "lease_id")
			_, err = l.Release(lease.ReleaseRequest{Name: "job", ID: stored, Principal: principal})
			wantInvalid(t, "Release by what the store has", err, "lease_id")
		}
	})
}

// Whoever held a lease before anybody was known goes on holding it when authentication is switched on.
func TestALeaseOfNobodyKnownIsBoundToItsIDAlone(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, _ *fake) {
		got := grant(t, l, request("job", 1))
		renewed, err := l.Renew(lease.RenewRequest{Name: "job", ID: id(1), Principal: "cert:ada"})
		if err != nil || renewed.Token != got.Lease.Token {
			t.Errorf("Renew = token %d, %v, want %d", renewed.Token, err, got.Lease.Token)
		}
		_, err = l.Renew(lease.RenewRequest{Name: "job", ID: id(2), Principal: "cert:ada"})
		wantErr(t, "Renew with another id", err, lease.ErrLost)
		if out, err := l.Release(lease.ReleaseRequest{Name: "job", ID: id(2), Principal: "cert:ada"}); err != nil || out != lease.HeldByOther {
			t.Errorf("Release with another id = %d, %v, want HeldByOther", out, err)
		}
		if out, err := l.Release(lease.ReleaseRequest{Name: "job", ID: id(1), Principal: "cert:ada"}); err != nil || out != lease.Held {
			t.Errorf("Release = %d, %v, want Held", out, err)
		}
	})
}

// A principal is one line of bounded length, wherever it comes from.
func TestAPrincipalIsChecked(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, _ *fake) {
		for _, wrong := range []string{"a\nb", "\xff", strings.Repeat("a", lease.MaxPrincipalBytes+1)} {
			_, err := l.Acquire(t.Context(), requestBy(wrong, "job", 1))
			wantInvalid(t, "Acquire", err, "principal")
		}
		grant(t, l, requestBy(strings.Repeat("a", lease.MaxPrincipalBytes), "job", 1))
	})
}
