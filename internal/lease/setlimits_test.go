package lease_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/internal/memstore"
)

// New limits count from the next request on. Who holds a lease renews it as it is, whatever they are.
func TestSetLimits(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
		r := request("job", 1)
		r.TTL = in(30 * time.Minute)
		grant(t, l, r)
		l.SetLimits(lease.Limits{MinTTL: 2 * time.Second, MaxTTL: time.Minute, DefaultTTL: 5 * time.Second, MaxWait: time.Second})

		if g := grant(t, l, request("other", 2)); g.Lease.TTL != 5*time.Second {
			t.Errorf("Acquire(default) = a ttl of %s, want the new default of 5s", g.Lease.TTL)
		}
		for what, change := range map[string]func(*lease.AcquireRequest){
			"ttl":  func(r *lease.AcquireRequest) { r.TTL = in(time.Minute + time.Millisecond) },
			"wait": func(r *lease.AcquireRequest) { r.Wait = time.Second + 1 },
		} {
			r := request("third", 3)
			change(&r)
			_, err := l.Acquire(t.Context(), r)
			wantInvalid(t, "Acquire(too long a "+what+")", err, what)
		}
		got, err := l.Renew(lease.RenewRequest{Name: "job", ID: id(1)})
		if err != nil || got.TTL != 30*time.Minute {
			t.Errorf("Renew(its own ttl, which is now too long) = a ttl of %s, %v; want the 30m it was granted", got.TTL, err)
		}
		_, err = l.Renew(lease.RenewRequest{Name: "job", ID: id(1), TTL: in(30 * time.Minute)})
		if err != nil {
			t.Errorf("Renew(names the ttl it was granted) = %v, want nil: new limits end no lease", err)
		}
		_, err = l.Renew(lease.RenewRequest{Name: "job", ID: id(1), TTL: in(2 * time.Hour)})
		wantInvalid(t, "Renew(names what was always too long)", err, "ttl")
	})
}

// A wait under way ends when it would have.
func TestSetLimitsLeavesAWaitAlone(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
		grant(t, l, request("job", 1))
		r := request("job", 2)
		r.Wait = 20 * time.Second
		began := time.Now()
		ended := make(chan error, 1)
		go func() {
			_, err := l.Acquire(t.Context(), r)
			ended <- err
		}()
		synctest.Wait()
		l.SetLimits(lease.Limits{MaxWait: time.Second}.WithDefaults())
		var held *lease.HeldError
		if err := <-ended; !errors.As(err, &held) || time.Since(began) != r.Wait {
			t.Errorf("Acquire(wait 20s) = %v after %s, want HeldError after 20s", err, time.Since(began))
		}
	})
}

// What limits were granted under counts for what was granted: a call for a short lease is still
// bounded by it, and the release of a long one that failed is repeated until it has surely run out.
func TestSetLimitsRemembersTheWidest(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
		long := request("long", 1)
		long.TTL = in(time.Hour)
		grant(t, l, long)
		l.SetLimits(lease.Limits{MinTTL: time.Minute, DefaultTTL: time.Minute, MaxTTL: time.Minute, MaxWait: time.Minute})
		if _, err := l.Renew(lease.RenewRequest{Name: "long", ID: id(1)}); err != nil {
			t.Fatal(err)
		}
		if left := s.noted("Renew")[0].left; left != 250*time.Millisecond {
			t.Errorf("Renew gives the store %s, want a quarter of the second that leases could have had", left)
		}

		var down atomic.Bool
		down.Store(true)
		s.release = func(ctx context.Context, r lease.ReleaseRequest) (lease.Released, error) {
			if down.Load() {
				return lease.Released{}, lease.ErrUnknown
			}
			return s.Store.Release(ctx, r)
		}
		_, err := l.Release(lease.ReleaseRequest{Name: "long", ID: id(1)})
		wantErr(t, "Release(store down)", err, lease.ErrUnknown)
		time.Sleep(30 * time.Minute)
		if l.Status().PendingCleanups != 1 {
			t.Error("the release is given up while the lease may still stand, want it repeated")
		}
		down.Store(false)
		time.Sleep(time.Minute)
		if _, err := l.Acquire(t.Context(), request("long", 2)); err != nil {
			t.Errorf("Acquire(released while the store was down) = %v, want a lease", err)
		}
	})
}

// Nobody ever sees the smallest ttl of one set of limits beside the largest of another.
func TestLimitsChangeInOneStep(t *testing.T) {
	s := memstore.New()
	l := lease.NewLessor(s, lease.Limits{}.WithDefaults())
	of := func(least time.Duration) lease.Limits {
		return lease.Limits{MinTTL: least, DefaultTTL: least, MaxTTL: 2 * least, MaxWait: time.Second}
	}
	l.SetLimits(of(time.Second))
	stop := make(chan struct{})
	var changing sync.WaitGroup
	changing.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				l.SetLimits(of(10 * time.Second))
				l.SetLimits(of(time.Second))
			}
		}
	})
	for range 20_000 {
		r := request("job", 1)
		r.TTL = in(5 * time.Second) // between the two
		_, err := l.Acquire(t.Context(), r)
		wantInvalid(t, "Acquire(5s)", err, "ttl")
	}
	close(stop)
	changing.Wait()
	if err := errors.Join(l.Close(t.Context()), s.Close()); err != nil {
		t.Error(err)
	}
}

// Everything that is wrong is said at once.
func TestLimitsValidateSaysAll(t *testing.T) {
	err := lease.Limits{MinTTL: 1, DefaultTTL: 2, MaxTTL: 25 * time.Hour, MaxWait: 2 * time.Hour}.Validate()
	for _, part := range []string{"smallest ttl", "largest ttl", "longest wait"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("Validate = %v, want %q in it", err, part)
		}
	}
}
