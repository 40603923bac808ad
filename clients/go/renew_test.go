package lockd

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// A lease is renewed after each third of its ttl, with the ttl that was asked for.
func TestRenewedAfterAThird(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const ttl = 30 * time.Second
		f, c := newFake(t)
		begun := time.Now()
		l := acquired(t, c, "job", WithTTL(ttl))
		time.Sleep(20 * time.Minute)
		if err := l.Err(); err != nil {
			t.Fatalf("Err = %v after twenty minutes of renewals, want nil", err)
		}
		times, _ := f.renewals()
		if n := len(times); n < 120 || n > 140 {
			t.Errorf("%d renewals in twenty minutes, want about 127", n)
		}
		last := begun
		for i, at := range times {
			// The validity is 1 % and 5 ms short of the ttl, and up to a tenth of a third is by chance.
			if d := at.Sub(last); d < ttl/3-ttl/100-5*time.Millisecond-ttl/30 || d > ttl/3 {
				t.Fatalf("renewal %d came %s after the one before, want a third of %s or a little less", i+1, d, ttl)
			}
			last = at
		}
		_, renews, _ := f.seen()
		if r := renews[0]; r.GetName() != "job" || r.GetLeaseId() != l.ID() || r.GetTtl().AsDuration() != ttl {
			t.Errorf("renewed %q, ttl %s, want job, %s", r.GetName(), r.GetTtl().AsDuration(), ttl)
		}
	})
}

// Leases taken together do not stay together.
func TestRenewalsSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c := newFake(t)
		for i := range 100 {
			acquired(t, c, fmt.Sprint(i))
		}
		time.Sleep(time.Minute)
		seen := make(map[time.Time]int)
		times, _ := f.renewals()
		for _, at := range times {
			seen[at]++
		}
		if len(seen) < len(times)/2 || len(times) < 400 {
			t.Errorf("%d renewals at %d moments, want more than 400, spread", len(times), len(seen))
		}
	})
}

// Without an answer to its renewals a lease ends at its deadline, with ErrExpired, and nobody has to
// look.
func TestExpiresAtTheDeadline(t *testing.T) {
	for name, renew := range map[string]func(context.Context) error{
		"mute":        mute,
		"unavailable": func(context.Context) error { return unavailable() },
		"fault":       func(context.Context) error { return refuse(codes.Internal, "INTERNAL") },
		"held?":       func(context.Context) error { return heldBy("another") },
		"lost, in the words of another domain": func(context.Context) error {
			st, err := status.New(codes.FailedPrecondition, "").WithDetails(&errdetails.ErrorInfo{Domain: "another", Reason: reasonLost})
			return errors.Join(st.Err(), err)
		},
		"lost, said by somebody else": func(context.Context) error {
			return status.Error(codes.FailedPrecondition, "a proxy without manners")
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, c := newFake(t)
				f.onRenew(func(ctx context.Context, _ *lockdv1.RenewRequest) (*lockdv1.RenewResponse, error) {
					return nil, renew(ctx)
				})
				l := acquired(t, c, "job", WithTTL(10*time.Second))
				deadline := l.Deadline()
				<-l.context().Context.Done() // the inner one: it does not look by itself
				if late := time.Since(deadline); late != 0 {
					t.Errorf("ended %s after the deadline, want 0", late)
				}
				if got := context.Cause(l.Context()); got != ErrExpired {
					t.Errorf("cause = %v, want ErrExpired", got)
				}
				sent, _ := f.renewals()
				if len(sent) < 3 {
					t.Errorf("%d renewals were tried, want at least 3", len(sent))
				}
				time.Sleep(time.Minute)
				if later, _ := f.renewals(); len(later) != len(sent) {
					t.Error("an expired lease was renewed")
				}
			})
		})
	}
}

// A renewal that fails is tried again until the deadline; whoever is back before that keeps the lease.
func TestBackBeforeTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c := newFake(t)
		l := acquired(t, c, "job", WithTTL(10*time.Second))
		back := l.Deadline().Add(-1500 * time.Millisecond) // the longest pause, spread, is 1.5 s
		f.onRenew(func(ctx context.Context, r *lockdv1.RenewRequest) (*lockdv1.RenewResponse, error) {
			if time.Now().Before(back) {
				return nil, unavailable()
			}
			return renewed(r), nil
		})
		time.Sleep(time.Minute)
		if err := l.Err(); err != nil {
			t.Errorf("Err = %v, want nil", err)
		}
	})
}

// Only lockd's word that the lease is gone is final, and then at once.
func TestLostAtRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c := newFake(t)
		f.onRenew(func(context.Context, *lockdv1.RenewRequest) (*lockdv1.RenewResponse, error) {
			return nil, refuse(codes.FailedPrecondition, reasonLost)
		})
		begun := time.Now()
		l := acquired(t, c, "job", WithTTL(30*time.Second))
		<-l.Context().Done()
		if took := time.Since(begun); took > 10*time.Second {
			t.Errorf("it took %s to learn of the loss, want a third of the ttl", took)
		}
		if got := context.Cause(l.Context()); got != ErrLost || l.Err() != ErrLost {
			t.Errorf("cause = %v, Err = %v, want ErrLost", got, l.Err())
		}
		time.Sleep(time.Minute)
		if times, _ := f.renewals(); len(times) != 1 {
			t.Errorf("%d renewals, want 1", len(times))
		}
	})
}

// The deadline counts from the sending of a request, not from its answer.
func TestDeadlineCountsFromTheSending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const ttl = 10 * time.Second
		f, c := newFake(t)
		l := acquired(t, c, "job", WithTTL(ttl))
		f.onRenew(func(_ context.Context, r *lockdv1.RenewRequest) (*lockdv1.RenewResponse, error) {
			time.Sleep(2 * time.Second)
			return renewed(r), nil
		})
		time.Sleep(5500 * time.Millisecond) // sent at about 3.2 s, answered 2 s later
		times, _ := f.renewals()
		sent := times[len(times)-1]
		if got, want := l.Deadline(), sent.Add(validity(ttl, 0, 0)); !got.Equal(want) {
			t.Errorf("deadline = sent + %s, want sent + %s", got.Sub(sent), want.Sub(sent))
		}
	})
}

// The latest deadline counts, not that of the last answer; and a ttl beyond what was asked is not used.
func TestDeadlineNeverMovesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c := newFake(t)
		l := acquired(t, c, "job", WithTTL(30*time.Second))
		first := l.Deadline()
		var answer atomic.Int64
		answer.Store(int64(2 * time.Second))
		f.onRenew(func(_ context.Context, r *lockdv1.RenewRequest) (*lockdv1.RenewResponse, error) {
			r.Ttl = durationpb.New(time.Duration(answer.Load()))
			return renewed(r), nil
		})
		time.Sleep(10 * time.Second)
		if got := l.Deadline(); !got.Equal(first) {
			t.Errorf("the deadline moved by %s, want 0", got.Sub(first))
		}
		if got := l.TTL(); got != 2*time.Second {
			t.Errorf("TTL = %s, want what was answered, 2s", got)
		}
		answer.Store(int64(time.Hour))
		time.Sleep(20 * time.Second)
		if got := time.Until(l.Deadline()); got > 30*time.Second {
			t.Errorf("the deadline is %s away, want no more than the 30s that were asked for", got)
		}
		if got := l.TTL(); got != 30*time.Second {
			t.Errorf("TTL = %s, want what was asked, 30s", got)
		}
	})
}

// An answer that comes after the deadline does not bring the lease back, nor does one without a token.
func TestAnswersThatProveNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c := newFake(t)
		l := acquired(t, c, "job", WithTTL(time.Second), WithoutKeepalive())
		sent := now()
		time.Sleep(time.Second)
		if err := l.extend(now(), sent.add(time.Hour), time.Hour, terms{}); err != ErrExpired || l.Err() != ErrExpired {
			t.Errorf("extend after the deadline = %v, Err = %v, want ErrExpired", err, l.Err())
		}
	})
	synctest.Test(t, func(t *testing.T) {
		f, c := newFake(t)
		f.onRenew(func(_ context.Context, r *lockdv1.RenewRequest) (*lockdv1.RenewResponse, error) {
			return &lockdv1.RenewResponse{}, nil
		})
		l := acquired(t, c, "job", WithTTL(time.Second))
		<-l.Context().Done()
		if got := l.Err(); got != ErrExpired {
			t.Errorf("renewals answered without a token: %v, want ErrExpired", got)
		}
	})
}

// Another token under the same id is another lease, granted to nobody: ours is lost, and that is given back.
func TestARenewalWithAnotherTokenIsALoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c := newFake(t)
		f.onRenew(func(_ context.Context, r *lockdv1.RenewRequest) (*lockdv1.RenewResponse, error) {
			resp := renewed(r)
			resp.Lease.Token++
			return resp, nil
		})
		l := acquired(t, c, "job", WithTTL(time.Second))
		<-l.Context().Done()
		if got := l.Err(); got != ErrLost {
			t.Errorf("a renewal answered with another token: %v, want ErrLost", got)
		}
		synctest.Wait()
		if _, _, releases := f.seen(); len(releases) != 1 || releases[0].GetLeaseId() != l.ID() {
			t.Errorf("releases = %v, want one of the same lease id", releases)
		}
	})
}

// At most 64 renewals are under way, however many are due, and deadlines are watched meanwhile.
func TestRenewalsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c := newFake(t)
		var slow atomic.Bool
		f.onRenew(func(ctx context.Context, r *lockdv1.RenewRequest) (*lockdv1.RenewResponse, error) {
			if slow.Load() {
				return nil, mute(ctx)
			}
			time.Sleep(time.Millisecond)
			return renewed(r), nil
		})
		var leases []*Lease
		late := make(chan time.Duration, maxRenewals+50)
		for i := range cap(late) {
			l := acquired(t, c, fmt.Sprint(i), WithTTL(10*time.Second))
			context.AfterFunc(l.context().Context, func() { late <- time.Since(l.Deadline()) })
			leases = append(leases, l)
		}
		time.Sleep(time.Minute)
		for _, l := range leases {
			if err := l.Err(); err != nil {
				t.Fatalf("%s: %v, want nil: a healthy server loses nothing", l, err)
			}
		}
		slow.Store(true)
		for range leases {
			if d := <-late; d != 0 {
				t.Errorf("a lease ended %s after its deadline, want 0", d)
			}
		}
		if _, most := f.renewals(); most != maxRenewals {
			t.Errorf("%d renewals were under way at once, want %d", most, maxRenewals)
		}
	})
}

// Each try of a renewal gives up in time for others.
func TestRenewalTriesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, ttl := range []time.Duration{100 * time.Millisecond, 2 * time.Second, time.Minute} {
			f, c := newFake(t)
			f.onRenew(func(ctx context.Context, _ *lockdv1.RenewRequest) (*lockdv1.RenewResponse, error) {
				deadline, ok := ctx.Deadline()
				if left := time.Until(deadline); !ok || left > ttl/3 || left > maxRenewal {
					t.Errorf("ttl %s: a try may take %s (bounded: %v), want at most a third of the ttl and %s", ttl, left, ok, maxRenewal)
				}
				return nil, unavailable()
			})
			l := acquired(t, c, "job", WithTTL(ttl))
			<-l.Context().Done()
		}
	})
}

// Without keepalive a lease is not renewed and ends at its deadline.
func TestWithoutKeepalive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c := newFake(t)
		l := acquired(t, c, "job", WithTTL(time.Second), WithoutKeepalive())
		<-l.context().Context.Done()
		if late := time.Since(l.Deadline()); late != 0 || l.Err() != ErrExpired {
			t.Errorf("ended %s after the deadline with %v, want 0 and ErrExpired", late, l.Err())
		}
		if times, _ := f.renewals(); len(times) != 0 {
			t.Errorf("%d renewals, want 0", len(times))
		}
	})
}

// Very short ttls are served as well as they can be, without asking in a loop.
func TestTinyTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c := newFake(t)
		l := acquired(t, c, "job", WithTTL(10*time.Millisecond))
		time.Sleep(time.Second)
		if err := l.Err(); err != nil && !errors.Is(err, ErrExpired) {
			t.Errorf("Err = %v", err)
		}
		if times, _ := f.renewals(); len(times) > 1100 {
			t.Errorf("%d renewals in a second, want no more than one a millisecond", len(times))
		}
	})
}
