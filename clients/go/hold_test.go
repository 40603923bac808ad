package lockd

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// bounded has the fake hold leases for no longer than *maxHold, from now on.
func (f *fakeLockd) bounded(maxHold *time.Duration) (begun time.Time) {
	begun = time.Now()
	within := func(l *lockdv1.Lease) *lockdv1.Lease {
		f.mu.Lock()
		longest := *maxHold
		f.mu.Unlock()
		left := max(0, longest-time.Since(begun))
		l.MaxHold, l.HoldEndsIn = durationpb.New(longest), durationpb.New(left)
		l.Ttl = durationpb.New(min(l.GetTtl().AsDuration(), left))
		return l
	}
	f.acquire = func(_ context.Context, r *lockdv1.AcquireRequest) (*lockdv1.AcquireResponse, error) {
		resp := granted(r)
		resp.Lease = within(resp.Lease)
		return resp, nil
	}
	f.renew = func(_ context.Context, r *lockdv1.RenewRequest) (*lockdv1.RenewResponse, error) {
		return &lockdv1.RenewResponse{Lease: within(renewed(r).Lease)}, nil
	}
	return begun
}

// A lease whose hold is bounded stands until about the end of that, never beyond it, its holder is told when four fifths are
// over, and the renewals do not come ever faster; then it has expired, and says why.
func TestALeaseEndsWithItsHold(t *testing.T) {
	for name, c := range map[string]struct{ maxHold, ttl time.Duration }{
		"much longer than the ttl": {10 * time.Minute, 30 * time.Second},
		"twice the ttl":            {time.Minute, 30 * time.Second},
		"the ttl":                  {30 * time.Second, 30 * time.Second},
		"less than the ttl":        {20 * time.Second, 30 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, client := newFake(t)
				begun := f.bounded(&c.maxHold)
				l := acquired(t, client, "job", WithTTL(c.ttl))
				told := <-l.HoldEnding()
				if at := time.Since(begun); at < c.maxHold*4/5 || at >= c.maxHold {
					t.Errorf("told after %s of %s, want after four fifths", at, c.maxHold)
				}
				if off := told.At.Sub(begun.Add(c.maxHold)).Abs(); off > time.Millisecond || told.Max != c.maxHold {
					t.Errorf("told %+v, want %s, at its end; it is off by %s", told, c.maxHold, off)
				}
				if err := l.Err(); err != nil {
					t.Errorf("the lease has ended when its holder was told: %v", err)
				}
				<-l.Context().Done()
				if left := c.maxHold - time.Since(begun); left < 0 || left > c.ttl/30+time.Second/2 {
					t.Errorf("it ended with %s of its hold left, want hardly any, and not less than none", left)
				}
				var over *HoldOverError
				if err := l.Err(); !errors.As(err, &over) || !errors.Is(err, ErrExpired) || over.Max != c.maxHold {
					t.Errorf("Err = %v, want that a hold of %s is over, an ErrExpired", err, c.maxHold)
				}
				ttl := min(c.ttl, c.maxHold)
				times, _ := f.renewals()
				if n, most := len(times), int(3*c.maxHold/ttl)*10/9+16; n > most {
					t.Errorf("%d renewals, want at most %d", n, most)
				}
				select {
				case again := <-l.HoldEnding():
					t.Errorf("told once more: %+v", again)
				default:
				}
			})
		})
	}
}

// An operator who allows more while the hold is about to be over is heard: the lease goes on, and its holder is told anew.
func TestAHoldMayBecomeLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c := newFake(t)
		maxHold := time.Minute
		begun := f.bounded(&maxHold)
		l := acquired(t, c, "job")
		<-l.HoldEnding()
		time.Sleep(time.Until(begun.Add(55 * time.Second)))
		f.change(func() { maxHold = 10 * time.Minute })
		time.Sleep(time.Minute)
		if err := l.Err(); err != nil {
			t.Fatalf("the lease ended although it might be held for longer: %v", err)
		}
		if told := <-l.HoldEnding(); told.Max != 10*time.Minute {
			t.Errorf("told of %s, want 10m", told.Max)
		}
		// One that was cut short by mistake is not lost before its time: nothing shortens a lease.
		f.change(func() { maxHold = time.Second })
		time.Sleep(11 * time.Second)
		f.change(func() { maxHold = time.Hour })
		time.Sleep(time.Minute)
		if err := l.Err(); err != nil {
			t.Errorf("the lease ended after a slip of its operator that was put right in time: %v", err)
		}
	})
}

// A lease that ends for want of answers does not say that it was its hold.
func TestNotEveryEndIsThatOfTheHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c := newFake(t)
		maxHold := time.Hour
		f.bounded(&maxHold)
		l := acquired(t, c, "job")
		f.onRenew(func(context.Context, *lockdv1.RenewRequest) (*lockdv1.RenewResponse, error) {
			return nil, unavailable()
		})
		<-l.Context().Done()
		if err := l.Err(); err != ErrExpired {
			t.Errorf("Err = %v, want %v", err, ErrExpired)
		}
	})
}

// What a session says of the end of a hold is passed on, once, and to the holder of that very lease.
func TestTheEndOfAHoldIsHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c := newServers(t)
		done := acquiring(t.Context(), c, "job")
		s := f.stream("a")
		s.grant()
		l := (<-done).lease
		tell := func(token int64) {
			s.received <- &sessionResponse{HoldEnding: []*lockdv1.HoldEnding{{
				Name: "job", Token: token, HoldEndsIn: durationpb.New(2 * time.Second), MaxHold: durationpb.New(10 * time.Second),
			}}}
			synctest.Wait()
		}
		ending := l.HoldEnding()
		tell(fakeToken + 1)
		if len(ending) != 0 {
			t.Error("told of another's hold")
		}
		tell(fakeToken)
		if got, want := <-ending, (HoldEnd{At: time.Now().Add(2 * time.Second), Max: 10 * time.Second}); got != want {
			t.Errorf("told %+v, want %+v", got, want)
		}
		tell(fakeToken)
		if len(ending) != 0 {
			t.Error("told twice")
		}
		s.end(status.Error(codes.Unavailable, ""))
	})
}
