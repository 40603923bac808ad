package lease_test

import (
	"errors"
	"testing"
	"time"

	"github.com/lockd/lockd/internal/lease"
)

// hold bounds every name, and closes it for a while after a loss.
func hold(l *lease.Lessor, maxHold *time.Duration) {
	l.TermsFrom(func(string) lease.Terms { return lease.Terms{MaxHold: *maxHold, LockDelay: 3 * time.Second} })
}

// What is said of a name reaches the store with whatever sets a ttl, as it is said then; no ttl is asked for beyond it.
func TestTerms(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
		maxHold := 20 * time.Second
		hold(l, &maxHold)
		g := grant(t, l, request("job", 1)) // by default 30 s
		if g.Lease.TTL != maxHold || g.Lease.MaxHold != maxHold || g.Lease.HoldLeft != maxHold {
			t.Errorf("granted %+v, want a ttl and a hold of %s", g.Lease, maxHold)
		}
		if a := s.noted("Acquire")[0].args.(lease.Acquisition); a.TTL != maxHold || a.MaxHold != maxHold || a.LockDelay != 3*time.Second {
			t.Errorf("the store was asked for %+v, want a ttl and a hold of %s, and the delay", a, maxHold)
		}
		maxHold = 25 * time.Second
		for asked, want := range map[time.Duration]time.Duration{0: 0, time.Second: time.Second, time.Minute: maxHold} {
			r := lease.RenewRequest{Name: "job", ID: id(1)}
			if asked > 0 {
				r.TTL = &asked
			}
			if _, err := l.Renew(r); err != nil {
				t.Fatal(err)
			}
			calls := s.noted("Renew")
			if r := calls[len(calls)-1].args.(lease.Renewal); r.TTL != want || r.MaxHold != maxHold {
				t.Errorf("renewed by %s: the store was asked for %+v, want %s within %s", asked, r, want, maxHold)
			}
		}
	})
}

// A renewal that finds a lease under its unbound id, from before identities, is bounded as well.
func TestTermsOfALeaseFromBeforeIdentities(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
		maxHold := 40 * time.Second
		hold(l, &maxHold)
		grant(t, l, request("job", 1))
		time.Sleep(29 * time.Second)
		got, err := l.Renew(lease.RenewRequest{Name: "job", ID: id(1), Principal: "cert:a"})
		if err != nil || got.TTL != 11*time.Second {
			t.Errorf("renewed with %s, %v, want the 11s that are left of the hold", got.TTL, err)
		}
	})
}

// Who waited is told of a whole hold, and Get says what is left of it.
func TestTermsOfAHandOver(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
		maxHold := 40 * time.Second
		hold(l, &maxHold)
		grant(t, l, request("job", 1))
		r := request("job", 2)
		r.Wait = time.Minute
		next := begin(t.Context(), l, r)
		time.Sleep(10 * time.Second)
		free(t, l, "job", 1)
		if got := wantGrant(t, next).grant.Lease; got.MaxHold != maxHold || got.HoldLeft != maxHold || got.TTL != 30*time.Second {
			t.Errorf("handed over %+v, want all of a hold of %s", got, maxHold)
		}
		time.Sleep(15 * time.Second)
		standing, err := l.Get(t.Context(), "job")
		if err != nil || standing.Lease.MaxHold != maxHold || standing.Lease.HoldLeft != 25*time.Second {
			t.Errorf("Get = %+v, %v, want 25s left of %s", standing.Lease, err, maxHold)
		}
		free(t, l, "job", 2)
		if standing, err := l.Get(t.Context(), "job"); err != nil || standing.Lease.MaxHold != 0 {
			t.Errorf("Get of a free name = %+v, %v, want no word of a hold", standing, err)
		}
	})
}

// Whose lease ended by its hold is told so, by a renewal and when another is granted the name; whose did not is not.
func TestTheEndOfAHoldIsAnExpiryThatSaysWhy(t *testing.T) {
	over := lease.Loss{Cause: lease.CauseExpired, Reason: "the longest hold of 30s is over"}
	for maxHold, want := range map[time.Duration]lease.Loss{30 * time.Second: over, time.Hour: expired} {
		inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
			l.TermsFrom(func(string) lease.Terms { return lease.Terms{MaxHold: maxHold} })
			holder, token := holds(t, l, brief(1))
			for range 5 {
				time.Sleep(5 * time.Second)
				if _, err := l.Renew(lease.RenewRequest{Name: "job", ID: id(1)}); err != nil {
					t.Fatalf("lost before the hold is over: %v", err)
				}
			}
			time.Sleep(12 * time.Second)
			_, err := l.Renew(lease.RenewRequest{Name: "job", ID: id(1), Told: token})
			var lost *lease.LostError
			if !errors.As(err, &lost) || lost.Loss != want {
				t.Errorf("Renew = %v, want that it was lost: %+v", err, want)
			}
			grant(t, l, request("job", 2))
			holder.told.want(t, "the holder", want)
		})
	}
}
