package lease_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockd/lockd/internal/lease"
)

// heardOf is an Observer that writes down what it is told.
type heardOf struct {
	mu  sync.Mutex
	all []string
}

func (h *heardOf) note(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all = append(h.all, fmt.Sprintf(format, args...))
}

// since answers what was told since it was last asked.
func (h *heardOf) since() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	defer func() { h.all = nil }()
	return slices.Clone(h.all)
}

func (h *heardOf) Granted(l lease.Lease, after time.Duration) {
	h.note("granted %s after %s", l.Name, after)
}
func (h *heardOf) Refused(name string, err error) {
	var held *lease.HeldError
	var limit *lease.LimitError
	switch {
	case errors.As(err, &held):
		h.note("refused %s: held", name)
	case errors.As(err, &limit):
		h.note("refused %s: limit", name)
	default:
		h.note("refused %s: %v", name, err)
	}
}
func (h *heardOf) Renewed(l lease.Lease, since time.Duration) {
	h.note("renewed %s after %s", l.Name, since.Round(100*time.Millisecond))
}
func (h *heardOf) Held(name string) { h.note("holds %s", name) }
func (h *heardOf) Ended(name string, how lease.End, held time.Duration) {
	h.note("ended %s by %d after %s", name, how, held.Round(100*time.Millisecond))
}
func (h *heardOf) Lost(name string, why lease.Cause) { h.note("lost %s by %d", name, why) }
func (h *heardOf) Forced(name string)                { h.note("forced %s", name) }

// observed is inBubble with an Observer.
func observed(t *testing.T, f func(t *testing.T, l *lease.Lessor, s *fake, told func(want ...string))) {
	t.Helper()
	inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
		h := new(heardOf)
		l.Observe(h)
		f(t, l, s, func(want ...string) {
			t.Helper()
			if diff := cmp.Diff(want, h.since()); diff != "" {
				t.Errorf("the observer was told (-want +got):\n%s", diff)
			}
		})
	})
}

func wantCount(t *testing.T, l *lease.Lessor, held, waiting int) {
	t.Helper()
	if h, w := l.Count(); h != held || w != waiting {
		t.Errorf("Count() = %d, %d, want %d, %d", h, w, held, waiting)
	}
}

// The life of a lease is told: when it was granted, each renewal and how late it came, and how long it was held.
func TestTheLifeOfALeaseIsObserved(t *testing.T) {
	observed(t, func(t *testing.T, l *lease.Lessor, _ *fake, told func(...string)) {
		grant(t, l, request("job", 1))
		told("holds job", "granted job after 0s")
		wantCount(t, l, 1, 0)
		time.Sleep(9 * time.Second)
		if _, err := l.Renew(lease.RenewRequest{Name: "job", ID: id(1)}); err != nil {
			t.Fatal(err)
		}
		told("renewed job after 9s")
		time.Sleep(time.Second)
		release(t, l, "", "job", 1)
		told(fmt.Sprintf("ended job by %d after 10s", lease.EndReleased))
		again, err := l.Release(lease.ReleaseRequest{Name: "job", ID: id(1)})
		if err != nil || again != lease.Gone {
			t.Errorf("Release again = %d, %v, want Gone", again, err)
		}
		told()
		wantCount(t, l, 0, 0)
	})
}

// Why an acquisition got nothing is told: it was refused, its wait was over, it was given up, or it was not even begun.
func TestRefusalsAreObserved(t *testing.T) {
	observed(t, func(t *testing.T, l *lease.Lessor, _ *fake, told func(...string)) {
		grant(t, l, request("job", 1))
		told("holds job", "granted job after 0s")
		if _, err := l.Acquire(t.Context(), request("job", 2)); err == nil {
			t.Error("a held name was granted")
		}
		told("refused job: held")
		r := request("job", 3)
		r.Wait = time.Second
		if _, err := l.Acquire(t.Context(), r); err == nil {
			t.Error("a held name was granted")
		}
		told("refused job: held")
		ctx, cancel := context.WithCancel(t.Context())
		go func() { synctest.Wait(); wantCount(t, l, 1, 1); cancel() }()
		r = request("job", 4)
		r.Wait = time.Minute
		if _, err := l.Acquire(ctx, r); !errors.Is(err, context.Canceled) {
			t.Errorf("Acquire = %v, want cancelled", err)
		}
		told("refused job: context canceled")
		if _, err := l.Acquire(t.Context(), lease.AcquireRequest{Name: "job"}); err == nil {
			t.Error("an acquisition without an id was granted")
		}
		told(`refused job: lease_id has 0 characters; want 32 lower-case hex digits`)
		wantCount(t, l, 1, 0)
	})
}

// A lease that nobody renewed is told as expired once somebody counts, and its holder's renewal as a loss.
func TestExpiryIsObserved(t *testing.T) {
	observed(t, func(t *testing.T, l *lease.Lessor, _ *fake, told func(...string)) {
		grant(t, l, request("job", 1))
		grant(t, l, request("other", 2))
		told("holds job", "granted job after 0s", "holds other", "granted other after 0s")
		time.Sleep(time.Minute)
		wantCount(t, l, 0, 0)
		expired := "ended %s by %d after 33s" // the grace included
		told(fmt.Sprintf(expired, "job", lease.EndExpired), fmt.Sprintf(expired, "other", lease.EndExpired))
		if _, err := l.Renew(lease.RenewRequest{Name: "job", ID: id(1)}); !errors.Is(err, lease.ErrLost) {
			t.Errorf("Renew = %v, want ErrLost", err)
		}
		told("lost job by 0")
	})
}

// A lease that was ended by force is told as forced, its holder as one that lost it, and its time's end not as an expiry.
func TestAForceIsObserved(t *testing.T) {
	observed(t, func(t *testing.T, l *lease.Lessor, _ *fake, told func(...string)) {
		g := grant(t, l, request("job", 1))
		told("holds job", "granted job after 0s")
		hears(l, g)
		if _, err := l.ForceRelease(t.Context(), lease.ForceRequest{Name: "job", Token: g.Lease.Token, Reason: "stuck", By: "ana"}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		told(fmt.Sprintf("lost job by %d", lease.CauseForced), "forced job")
		time.Sleep(time.Minute)
		wantCount(t, l, 0, 0)
		told(fmt.Sprintf("ended job by %d after 33s", lease.EndForced))
	})
}

// A grant to somebody who has gone is none that was held for any time.
func TestATakenBackGrantIsObserved(t *testing.T) {
	observed(t, func(t *testing.T, l *lease.Lessor, _ *fake, told func(...string)) {
		g := grant(t, l, request("job", 1))
		l.TakeBack(g)
		told("holds job", "granted job after 0s", fmt.Sprintf("ended job by %d after 0s", lease.EndTakenBack))
		wantCount(t, l, 0, 0)
	})
}

// A lease that another server granted is held here from its first renewal, and was held since the store says.
func TestALeaseFromElsewhereIsObserved(t *testing.T) {
	observed(t, func(t *testing.T, l *lease.Lessor, s *fake, told func(...string)) {
		elsewhere := lease.NewLessor(s.Store, lease.Limits{}.WithDefaults())
		grant(t, elsewhere, request("job", 1))
		time.Sleep(20 * time.Second)
		if _, err := l.Renew(lease.RenewRequest{Name: "job", ID: id(1)}); err != nil {
			t.Fatal(err)
		}
		told("holds job", "renewed job after 0s")
		release(t, l, "", "job", 1)
		told(fmt.Sprintf("ended job by %d after 20s", lease.EndReleased))
		if err := elsewhere.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
