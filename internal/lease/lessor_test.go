package lease_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockd/lockd/internal/lease"
)

// An acquisition reaches the store as it was asked for, with the default ttl and an exec of its own.
func TestAcquireFillsIn(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
		r := request("job", 1)
		r.Metadata = map[string]string{"k": "v"}
		first := grant(t, l, r)
		r.Attempt, r.Told, r.TTL = 2, first.Lease.Token, in(1500*time.Millisecond+999)
		grant(t, l, r)

		calls := s.noted("Acquire")
		got, again := calls[0].args.(lease.Acquisition), calls[1].args.(lease.Acquisition)
		want := lease.Acquisition{
			Name: "job", ID: id(1), Tag: lease.Tag{Attempt: 1, Exec: got.Tag.Exec},
			TTL: 30 * time.Second, Owner: r.Owner, Metadata: r.Metadata,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the store was asked (-want +got):\n%s", diff)
		}
		want.Tag, want.Told, want.TTL = lease.Tag{Attempt: 2, Exec: again.Tag.Exec}, first.Lease.Token, 1500*time.Millisecond
		if diff := cmp.Diff(want, again); diff != "" {
			t.Errorf("the store was asked again (-want +got):\n%s", diff)
		}
	})
}

// No two executions share an exec, and none looks replayed: 16 hex digits each.
func TestEveryExecutionHasItsExec(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
		for range 1000 {
			grant(t, l, request("job", 1))
		}
		seen := map[string]bool{}
		for _, call := range s.noted("Acquire") {
			exec := call.args.(lease.Acquisition).Tag.Exec
			hex := len(exec) == 16
			for _, c := range exec {
				hex = hex && (c >= '0' && c <= '9' || c >= 'a' && c <= 'f')
			}
			if !hex || seen[exec] {
				t.Fatalf("exec %q after %d others: want 16 hex digits, never the same", exec, len(seen))
			}
			seen[exec] = true
		}
	})
}

// Every store call has a deadline: half a second, or a quarter of the ttl in question if that is
// less, so that a holder whose call timed out has time for another; two seconds for a page.
func TestCallsAreBounded(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
		ctx := t.Context()
		call := func(what, method string, want time.Duration, do func()) {
			t.Helper()
			do()
			calls := s.noted(method)
			if last := calls[len(calls)-1]; last.left != want {
				t.Errorf("%s: the store was given %s, want %s", what, last.left, want)
			}
		}
		acquire := func(ttl *time.Duration) func() {
			return func() {
				r := request("job", 1)
				r.TTL = ttl
				grant(t, l, r)
			}
		}
		renew := func(ttl *time.Duration) func() {
			return func() { _, _ = l.Renew(lease.RenewRequest{Name: "job", ID: id(1), TTL: ttl}) }
		}
		call("Acquire(1s)", "Acquire", 250*time.Millisecond, acquire(in(time.Second)))
		call("Acquire(default)", "Acquire", 500*time.Millisecond, acquire(nil))
		call("Acquire(1h)", "Acquire", 500*time.Millisecond, acquire(in(time.Hour)))
		call("Renew(1s)", "Renew", 250*time.Millisecond, renew(in(time.Second)))
		call("Renew(1h)", "Renew", 500*time.Millisecond, renew(in(time.Hour)))
		call("Renew(own ttl, at least 1s)", "Renew", 250*time.Millisecond, renew(nil))
		call("Get", "Get", 500*time.Millisecond, func() { _, _ = l.Get(ctx, "job") })
		call("List", "List", 2*time.Second, func() { _, _ = l.List(ctx, lease.ListRequest{}) })
		call("ForceRelease", "ForceRelease", 500*time.Millisecond, func() {
			_, _ = l.ForceRelease(ctx, lease.ForceRequest{Name: "job", Token: 1, Reason: "gone"})
		})
		call("Release", "Release", 500*time.Millisecond, func() { _, _ = l.Release(lease.ReleaseRequest{Name: "job", ID: id(1)}) })
	})
}

// A call that changes something is not interrupted by its caller's going: that would only leave us
// in doubt about it.
func TestCallsOutliveTheirCaller(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
		ctx, cancel := context.WithCancel(t.Context())
		s.acquire = func(call context.Context, a lease.Acquisition) (lease.Lease, error) {
			cancel()
			synctest.Wait()
			if err := call.Err(); err != nil {
				t.Errorf("the store's ctx ended with its caller: %v", err)
			}
			return s.Store.Acquire(call, a)
		}
		_, err := l.Acquire(ctx, request("job", 1))
		wantErr(t, "Acquire(caller gone meanwhile)", err, context.Canceled)
	})
}

// Renew answers what the store answers, and passes the ttl on in whole milliseconds.
func TestRenew(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
		g := grant(t, l, request("job", 1))
		time.Sleep(time.Second)
		got, err := l.Renew(lease.RenewRequest{Name: "job", ID: id(1)})
		if err != nil || got.Token != g.Lease.Token || got.TTL != 30*time.Second || got.Left != 30*time.Second {
			t.Errorf("Renew = %+v, %v, want the same lease with its own ttl", got, err)
		}
		got, err = l.Renew(lease.RenewRequest{Name: "job", ID: id(1), TTL: in(time.Minute + 1)})
		if err != nil || got.TTL != time.Minute {
			t.Errorf("Renew(a minute) = ttl %s, %v, want 1m0s", got.TTL, err)
		}
		s.Expire("job")
		_, err = l.Renew(lease.RenewRequest{Name: "job", ID: id(1)})
		wantErr(t, "Renew(expired)", err, lease.ErrLost)
	})
}

// A token is in force until its name is free, grace included, and no other token is.
func TestCheckToken(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
		check := func(what string, token lease.Token, want bool) {
			t.Helper()
			if got, err := l.CheckToken(t.Context(), "job", token); err != nil || got != want {
				t.Errorf("CheckToken(%s) = %t, %v, want %t", what, got, err, want)
			}
		}
		check("free name", 1, false)
		token := grant(t, l, request("job", 1)).Lease.Token
		check("in force", token, true)
		check("smaller", token-1, false)
		check("larger", token+1, false)
		time.Sleep(31 * time.Second)
		check("in grace", token, true)
		time.Sleep(3 * time.Second)
		check("expired", token, false)
	})
}

// A page has 100 leases unless another size is asked for.
func TestListDefaultsItsSize(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
		var want any = lease.ListRequest{Prefix: "a/b", Size: 100}
		_, err := l.List(t.Context(), lease.ListRequest{Prefix: "a/b"})
		if got := s.noted("List")[0].args; err != nil || !cmp.Equal(got, want) {
			t.Errorf("List = %v, and the store was asked %+v, want %+v", err, got, want)
		}
		_, err = l.List(t.Context(), lease.ListRequest{Token: "nonsense"})
		wantInvalid(t, "List(bad page token)", err, "page_token")
	})
}

// ForceRelease ends the lease with exactly that token and answers it.
func TestForceRelease(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
		token := grant(t, l, request("job", 1)).Lease.Token
		_, err := l.ForceRelease(t.Context(), lease.ForceRequest{Name: "job", Token: token - 1, Reason: "gone"})
		if stale := new(lease.TokenError); !errors.As(err, &stale) || stale.InForce == nil || stale.InForce.Token != token {
			t.Errorf("ForceRelease(stale) = %v, want *TokenError with %d in force", err, token)
		}
		was, err := l.ForceRelease(t.Context(), lease.ForceRequest{Name: "job", Token: token, Reason: "gone"})
		if err != nil || was.Token != token || s.tokenOf("job") != 0 {
			t.Errorf("ForceRelease = %+v, %v, want the lease, and the name free", was, err)
		}
	})
}
