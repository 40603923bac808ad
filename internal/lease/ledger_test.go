package lease_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockd/lockd/internal/lease"
)

// limited is inBubble with limits.
func limited(t *testing.T, all, each lease.Share, f func(t *testing.T, l *lease.Lessor, s *fake)) {
	t.Helper()
	inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
		limits := lease.Limits{All: all, Each: each}.WithDefaults()
		l.SetLimits(limits)
		f(t, l, s)
	})
}

// asks is request, of a principal, for a wait.
func asks(who, name string, n int, wait time.Duration) lease.AcquireRequest {
	r := request(name, n)
	r.Principal, r.Wait = who, wait
	return r
}

// wantLimit checks which limit of whom was reached, 0 for none.
func wantLimit(t *testing.T, what string, err error, whose string, limit int) {
	t.Helper()
	var over *lease.LimitError
	if !errors.As(err, &over) {
		t.Errorf("%s = %v, want *LimitError", what, err)
	} else if over.Whose != whose || over.Limit != limit || over.RetryIn <= 0 {
		t.Errorf("%s = %v, again in %s; want the limit %d of %q and when to ask again", what, over, over.RetryIn, limit, whose)
	}
}

func release(t *testing.T, l *lease.Lessor, who, name string, n int) {
	t.Helper()
	if out, err := l.Release(lease.ReleaseRequest{Name: name, ID: id(n), Principal: who}); err != nil || out != lease.Held {
		t.Fatalf("Release(%q) = %d, %v, want Held", name, out, err)
	}
}

func wantCounted(t *testing.T, l *lease.Lessor, claims, held, waiting, tenants int) {
	t.Helper()
	c, h, w, n := l.Counted()
	if c != claims || h != held || w != waiting || n != tenants {
		t.Errorf("counted %d claims, %d held, %d waiting, %d tenants; want %d, %d, %d, %d", c, h, w, n, claims, held, waiting, tenants)
	}
}

// Who has as many leases as it may gets no other, and nobody else is kept from his; a release makes room.
func TestATenantHasItsLeasesAndNoMore(t *testing.T) {
	limited(t, lease.Share{}, lease.Share{Leases: 2}, func(t *testing.T, l *lease.Lessor, s *fake) {
		grant(t, l, asks("a", "one", 1, 0))
		grant(t, l, asks("a", "two", 2, 0))
		asked := len(s.noted("Acquire"))
		_, err := l.Acquire(t.Context(), asks("a", "three", 3, 0))
		wantLimit(t, "a third lease", err, "a", 2)
		if n := len(s.noted("Acquire")); n != asked {
			t.Errorf("the store was asked %d times, want none: nothing was done", n-asked)
		}
		grant(t, l, asks("b", "three", 4, 0))
		for i := range 5 { // nobody is authenticated: only what all have together is bounded
			grant(t, l, asks("", fmt.Sprint(i), 10+i, 0))
		}
		release(t, l, "a", "one", 1)
		grant(t, l, asks("a", "four", 5, 0))
	})
}

// What is held or asked for is never refused when it is repeated or renewed.
func TestAtItsLimitATenantRepeatsAndRenews(t *testing.T) {
	limited(t, lease.Share{}, lease.Share{Leases: 1, Waiters: 1}, func(t *testing.T, l *lease.Lessor, _ *fake) {
		first := asks("a", "job", 1, time.Minute)
		token := grant(t, l, first).Lease.Token
		first.Attempt = 2
		if again := grant(t, l, first); again.Lease.Token != token {
			t.Errorf("repeated, the token is %d, want %d", again.Lease.Token, token)
		}
		for range 3 {
			if _, err := l.Renew(lease.RenewRequest{Name: "job", ID: id(1), Principal: "a"}); err != nil {
				t.Errorf("Renew = %v, want nil", err)
			}
		}
		wantCounted(t, l, 1, 1, 0, 1)
	})
}

// A lease counts until its time is over: renewals put that off, and nothing has to be asked for it to end.
func TestALeaseThatIsOverCountsNoMore(t *testing.T) {
	limited(t, lease.Share{}, lease.Share{Leases: 1}, func(t *testing.T, l *lease.Lessor, _ *fake) {
		r := asks("a", "job", 1, 0)
		r.TTL = in(10 * time.Second)
		grant(t, l, r)
		<-time.After(8 * time.Second)
		if _, err := l.Renew(lease.RenewRequest{Name: "job", ID: id(1), Principal: "a"}); err != nil {
			t.Fatal(err)
		}
		<-time.After(8 * time.Second)
		_, err := l.Acquire(t.Context(), asks("a", "other", 2, 0))
		wantLimit(t, "a second lease while the first is renewed", err, "a", 1)
		<-time.After(4 * time.Second)
		grant(t, l, asks("a", "other", 2, 0))
	})
}

// A lease that another server granted counts from its first renewal here, beyond the limit if need be.
func TestALeaseFromElsewhereCountsWhenRenewed(t *testing.T) {
	limited(t, lease.Share{}, lease.Share{Leases: 1}, func(t *testing.T, l *lease.Lessor, s *fake) {
		other := lease.NewLessor(s, lease.Limits{}.WithDefaults())
		grant(t, other, asks("a", "far", 1, 0))
		grant(t, l, asks("a", "near", 2, 0))
		if _, err := l.Renew(lease.RenewRequest{Name: "far", ID: id(1), Principal: "a"}); err != nil {
			t.Fatalf("Renew = %v, want nil", err)
		}
		wantCounted(t, l, 2, 2, 0, 1)
		release(t, l, "a", "near", 2)
		_, err := l.Acquire(t.Context(), asks("a", "near", 3, 0))
		wantLimit(t, "another lease", err, "a", 1)
		wantErr(t, "Close", other.Close(t.Context()), nil)
	})
}

// What all have together is bounded, whoever they are.
func TestAllTogetherHaveALimit(t *testing.T) {
	limited(t, lease.Share{Leases: 2}, lease.Share{}, func(t *testing.T, l *lease.Lessor, _ *fake) {
		grant(t, l, asks("", "one", 1, 0))
		grant(t, l, asks("a", "two", 2, 0))
		_, err := l.Acquire(t.Context(), asks("b", "three", 3, 0))
		wantLimit(t, "a third lease", err, "", 2)
	})
}

// Where there is no room to wait, what is free is granted, what is held is refused and takes no place in
// line; who waits already may ask again.
func TestWhoMayNotWaitIsServedOrRefusedAtOnce(t *testing.T) {
	for what, c := range map[string]struct {
		all, each lease.Share
		whose     string
	}{
		"waiters":        {each: lease.Share{Waiters: 1}, whose: "a"},
		"line":           {each: lease.Share{Line: 1}, whose: "a"},
		"waiters in all": {all: lease.Share{Waiters: 1}},
	} {
		t.Run(what, func(t *testing.T) {
			limited(t, c.all, c.each, func(t *testing.T, l *lease.Lessor, s *fake) {
				grant(t, l, asks("holder", "job", 1, 0))
				gone, hangUp := context.WithCancel(t.Context())
				waiting := begin(gone, l, asks("a", "job", 2, time.Minute))
				synctest.Wait()
				_, err := l.Acquire(t.Context(), asks("a", "job", 3, time.Minute))
				wantLimit(t, "another waiter", err, c.whose, 1)
				if n := s.waiters("job"); n != 1 {
					t.Errorf("%d in line, want 1", n)
				}
				grant(t, l, asks("a", "free", 4, time.Minute))
				again := asks("a", "job", 2, time.Minute)
				again.Attempt = 2
				still := begin(t.Context(), l, again)
				synctest.Wait()
				hangUp()
				<-waiting
				release(t, l, "holder", "job", 1)
				wantGrant(t, still)
			})
		})
	}
}

// However acquisitions end, nothing of them is counted in the end.
func TestWhatHasEndedIsNotCounted(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	limited(t, lease.Share{Leases: 40, Waiters: 20}, lease.Share{Leases: 12, Waiters: 6, Line: 3}, func(t *testing.T, l *lease.Lessor, s *fake) {
		var all sync.WaitGroup
		var refused, granted, fails int
		var mu sync.Mutex
		for n := range 600 {
			rng := rand.New(rand.NewPCG(seed, uint64(n)))
			all.Go(func() {
				<-time.After(time.Duration(rng.IntN(20_000)) * time.Millisecond)
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rng.IntN(3000))*time.Millisecond)
				defer cancel()
				r := asks(string(rune('a'+rng.IntN(4))), fmt.Sprint("job/", rng.IntN(15)), n, time.Duration(rng.IntN(3))*time.Second)
				r.TTL = in(time.Duration(1+rng.IntN(3)) * time.Second)
				_, err := l.Acquire(ctx, r)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case errors.As(err, new(*lease.LimitError)):
					refused++
				case err != nil:
					fails++
				default:
					granted++
					if rng.IntN(2) == 0 { // else it expires
						all.Go(func() {
							_, _ = l.Release(lease.ReleaseRequest{Name: r.Name, ID: r.ID, Principal: r.Principal})
						})
					}
				}
			})
		}
		all.Wait()
		<-time.After(time.Minute)
		grant(t, l, asks("a", "last", 10_000, 0)) // who comes next notices what is over
		wantCounted(t, l, 1, 1, 0, 1)
		release(t, l, "a", "last", 10_000)
		wantCounted(t, l, 0, 0, 0, 0)
		if refused == 0 || granted == 0 || fails == 0 {
			t.Errorf("%d refused, %d granted, %d others: want some of each", refused, granted, fails)
		}
	})
}

// A grant that is taken back counts no more.
func TestATakenBackGrantCountsNoMore(t *testing.T) {
	limited(t, lease.Share{Leases: 1}, lease.Share{}, func(t *testing.T, l *lease.Lessor, _ *fake) {
		l.TakeBack(grant(t, l, asks("a", "job", 1, 0)))
		wantCounted(t, l, 0, 0, 0, 0)
	})
}

// Metadata has the bound that is set.
func TestMetadataHasTheBoundThatIsSet(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, _ *fake) {
		l.SetLimits(lease.Limits{MaxMetadata: 4}.WithDefaults())
		r := request("job", 1)
		r.Metadata = map[string]string{"ab": "cd"}
		grant(t, l, r)
		r.Metadata = map[string]string{"ab": "cde"}
		_, err := l.Acquire(t.Context(), r)
		wantInvalid(t, "Acquire(5 bytes)", err, "metadata")
	})
}
