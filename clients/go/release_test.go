package lockd

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

type releaseAnswer = func(context.Context, *lockdv1.ReleaseRequest) (*lockdv1.ReleaseResponse, error)

func outcome(o lockdv1.ReleaseResponse_Outcome) releaseAnswer {
	return func(context.Context, *lockdv1.ReleaseRequest) (*lockdv1.ReleaseResponse, error) {
		return released(o), nil
	}
}

// thenOutcome fails the first release as if its answer had been lost, and answers o from there on.
func thenOutcome(o lockdv1.ReleaseResponse_Outcome) releaseAnswer {
	first := true // releases of one lease do not overlap
	return func(context.Context, *lockdv1.ReleaseRequest) (*lockdv1.ReleaseResponse, error) {
		if first {
			first = false
			return nil, unavailable()
		}
		return released(o), nil
	}
}

func noRelease(ctx context.Context, _ *lockdv1.ReleaseRequest) (*lockdv1.ReleaseResponse, error) {
	return nil, mute(ctx)
}

// Release says whether the lease was held until then. A first answer proves it, a later one may speak
// of the work of an earlier request.
func TestRelease(t *testing.T) {
	const (
		heldUntilNow = lockdv1.ReleaseResponse_HELD
		gone         = lockdv1.ReleaseResponse_GONE
		byOther      = lockdv1.ReleaseResponse_HELD_BY_OTHER
	)
	for name, test := range map[string]struct {
		before func(l *Lease)
		answer releaseAnswer
		want   error
		sent   int
	}{
		"held":                    {answer: outcome(heldUntilNow), sent: 1},
		"gone":                    {answer: outcome(gone), want: ErrLost, sent: 1},
		"another's":               {answer: outcome(byOther), want: ErrLost, sent: 1},
		"answer lost, then held":  {answer: thenOutcome(heldUntilNow), sent: 2},
		"answer lost, then gone":  {answer: thenOutcome(gone), sent: 2},
		"answer lost, then other": {answer: thenOutcome(byOther), sent: 2},
		"expired":                 {before: func(*Lease) { time.Sleep(10 * time.Second) }, answer: outcome(heldUntilNow), want: ErrExpired, sent: 1},
		"expired and gone":        {before: func(*Lease) { time.Sleep(10 * time.Second) }, answer: outcome(gone), want: ErrExpired, sent: 1},
		"lost":                    {before: func(l *Lease) { l.end(ErrLost) }, answer: outcome(gone), want: ErrLost, sent: 0},
		"fault":                   {answer: func(context.Context, *lockdv1.ReleaseRequest) (*lockdv1.ReleaseResponse, error) { return nil, errFault }, want: errFault, sent: 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, c := newFake(t)
				f.release = test.answer
				l := acquired(t, c, "job", WithTTL(10*time.Second), WithoutKeepalive())
				if test.before != nil {
					test.before(l)
				}
				for range 2 { // idempotent
					if got := l.Release(t.Context()); !errors.Is(got, test.want) || (got == nil) != (test.want == nil) {
						t.Errorf("Release = %v, want %v", got, test.want)
					}
				}
				_, _, releases := f.seen()
				if len(releases) != test.sent {
					t.Fatalf("%d requests, want %d", len(releases), test.sent)
				}
				if test.sent > 0 && (releases[0].GetName() != "job" || releases[0].GetLeaseId() != l.ID()) {
					t.Errorf("released %q, want job by its own id", releases[0].GetName())
				}
			})
		})
	}
}

var errFault = refuse(codes.Internal, "INTERNAL")

// Release ends the context and the renewals before it asks lockd.
func TestReleaseStopsRenewalFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c := newFake(t)
		l := acquired(t, c, "job", WithTTL(3*time.Second))
		f.change(func() {
			f.release = func(context.Context, *lockdv1.ReleaseRequest) (*lockdv1.ReleaseResponse, error) {
				if got := context.Cause(l.Context()); got != ErrReleased {
					t.Errorf("cause while releasing = %v, want ErrReleased", got)
				}
				before, _ := f.renewals()
				time.Sleep(1500 * time.Millisecond) // a renewal would be due
				if after, _ := f.renewals(); len(after) != len(before) {
					t.Error("renewed while releasing")
				}
				return released(lockdv1.ReleaseResponse_HELD), nil
			}
		})
		if err := l.Release(t.Context()); err != nil {
			t.Errorf("Release = %v", err)
		}
		before, _ := f.renewals()
		time.Sleep(time.Minute)
		if after, _ := f.renewals(); len(after) != len(before) {
			t.Error("renewed after the release")
		}
		if l.Err() != ErrReleased {
			t.Errorf("Err = %v, want ErrReleased", l.Err())
		}
	})
}

// A renewal under way when the lease is released is cancelled.
func TestReleaseCancelsTheRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c := newFake(t)
		ended := make(chan error, 1)
		f.renew = func(ctx context.Context, _ *lockdv1.RenewRequest) (*lockdv1.RenewResponse, error) {
			err := mute(ctx)
			ended <- context.Cause(ctx)
			return nil, err
		}
		l := acquired(t, c, "job", WithTTL(30*time.Second))
		time.Sleep(10 * time.Second) // one is under way now, and may take 3 s
		if err := l.Release(t.Context()); err != nil {
			t.Errorf("Release = %v", err)
		}
		if got := <-ended; got != ErrReleased {
			t.Errorf("the renewal ended with %v, want ErrReleased", got)
		}
	})
}

// A context that had ended before does not hinder a release.
func TestReleaseAfterCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c := newFake(t)
		l := acquired(t, c, "job")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		f.change(func() {
			f.release = func(ctx context.Context, _ *lockdv1.ReleaseRequest) (*lockdv1.ReleaseResponse, error) {
				return released(lockdv1.ReleaseResponse_HELD), ctx.Err()
			}
		})
		if err := l.Release(ctx); err != nil {
			t.Errorf("Release = %v, want nil", err)
		}
	})
}

// A context that ends meanwhile ends the waiting for the answer, not the release.
func TestReleaseGoesOnInTheBackground(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c := newFake(t)
		l := acquired(t, c, "job")
		done := make(chan error, 1)
		f.change(func() {
			f.release = func(ctx context.Context, _ *lockdv1.ReleaseRequest) (*lockdv1.ReleaseResponse, error) {
				time.Sleep(time.Second)
				done <- ctx.Err()
				return released(lockdv1.ReleaseResponse_HELD), nil
			}
		})
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if err := l.Release(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Release = %v, want DeadlineExceeded", err)
		}
		if err := <-done; err != nil {
			t.Errorf("the release itself ended with %v, want nil", err)
		}
		if err := l.Release(t.Context()); err != nil {
			t.Errorf("Release again = %v, want the result of the first, nil", err)
		}
	})
}

// A release that nobody answers is over after 2 s, and may be tried again; what the second finds
// proves nothing.
func TestReleaseUnavailable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c := newFake(t)
		l := acquired(t, c, "job")
		f.change(func() { f.release = noRelease })
		begun := time.Now()
		if err := l.Release(t.Context()); !errors.Is(err, ErrUnavailable) || time.Since(begun) != releaseFor {
			t.Errorf("Release = %v after %s, want ErrUnavailable after 2s", err, time.Since(begun))
		}
		f.change(func() { f.release = outcome(lockdv1.ReleaseResponse_GONE) })
		if err := l.Release(t.Context()); err != nil {
			t.Errorf("Release again = %v, want nil", err)
		}
	})
}
