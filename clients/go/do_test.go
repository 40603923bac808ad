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

var errWork = errors.New("work failed")

// Do runs fn under the lease, hands on its error as it is, and releases.
func TestDo(t *testing.T) {
	for _, want := range []error{nil, errWork} {
		f, c := newFake(t)
		var during *Lease
		got := c.Do(t.Context(), "job", func(ctx context.Context, l *Lease) error {
			during = l
			return errors.Join(l.Err(), ctx.Err(), want)
		}, WithTTL(time.Minute))
		if want == nil && got != nil || want != nil && !errors.Is(got, want) {
			t.Errorf("Do = %v, want %v", got, want)
		}
		if _, _, releases := f.seen(); len(releases) != 1 || during.TTL() != time.Minute || during.Err() != ErrReleased {
			t.Errorf("%d releases, ttl %s, Err %v; want 1, 1m, ErrReleased", len(releases), during.TTL(), during.Err())
		}
	}
}

// The context of fn ends with the lease, and Do joins the loss to fn's error.
func TestDoLoss(t *testing.T) {
	for name, test := range map[string]struct {
		renew error
		want  error
	}{
		"expired": {unavailable(), ErrExpired},
		"lost":    {refuse(codes.FailedPrecondition, reasonLost), ErrLost},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, c := newFake(t)
				f.renew = func(context.Context, *lockdv1.RenewRequest) (*lockdv1.RenewResponse, error) {
					return nil, test.renew
				}
				err := c.Do(t.Context(), "job", func(ctx context.Context, l *Lease) error {
					<-ctx.Done()
					if got := context.Cause(ctx); got != test.want {
						t.Errorf("cause = %v, want %v", got, test.want)
					}
					return errWork
				})
				if !errors.Is(err, errWork) || !errors.Is(err, test.want) {
					t.Errorf("Do = %v, want %v and %v", err, errWork, test.want)
				}
			})
		})
	}
}

// A loss that only the release finds out counts as well; a release without answer does not.
func TestDoRelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c := newFake(t)
		nothing := func(context.Context, *Lease) error { return nil }
		f.release = outcome(lockdv1.ReleaseResponse_GONE)
		if err := c.Do(t.Context(), "job", nothing); !errors.Is(err, ErrLost) {
			t.Errorf("Do = %v, want ErrLost", err)
		}
		f.change(func() { f.release = noRelease })
		if err := c.Do(t.Context(), "job", nothing); err != nil {
			t.Errorf("Do = %v, want nil", err)
		}
		f.change(func() { f.release = outcome(lockdv1.ReleaseResponse_HELD) })
		release := func(ctx context.Context, l *Lease) error { return l.Release(ctx) }
		if err := c.Do(t.Context(), "job", release); err != nil {
			t.Errorf("Do with a release inside = %v, want nil", err)
		}
	})
}

// A release inside Do waits for its answer, although it ends the context that it is given.
func TestDoReleaseWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c := newFake(t)
		f.release = func(ctx context.Context, r *lockdv1.ReleaseRequest) (*lockdv1.ReleaseResponse, error) {
			time.Sleep(time.Second)
			return outcome(lockdv1.ReleaseResponse_HELD)(ctx, r)
		}
		for name, derived := range map[string]func(context.Context, *Lease) context.Context{
			"Do's":         func(ctx context.Context, _ *Lease) context.Context { return ctx },
			"the lease's":  func(_ context.Context, l *Lease) context.Context { return l.Context() },
			"of a timeout": func(ctx context.Context, _ *Lease) context.Context { return timeout(t, ctx, time.Minute) },
		} {
			begun := time.Now()
			err := c.Do(t.Context(), "job", func(ctx context.Context, l *Lease) error { return l.Release(derived(ctx, l)) })
			if took := time.Since(begun); err != nil || took != time.Second {
				t.Errorf("%s context: Do with a release inside = %v after %s, want nil after 1s", name, err, took)
			}
		}
		ctx := timeout(t, t.Context(), time.Millisecond)
		err := c.Do(t.Context(), "job", func(_ context.Context, l *Lease) error { return l.Release(ctx) })
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Do with a bounded release inside = %v, want DeadlineExceeded", err)
		}
	})
}

func timeout(t *testing.T, ctx context.Context, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(ctx, d)
	t.Cleanup(cancel)
	return ctx
}

// fn's context is also that of Do: it carries its end, its cause and its deadline; and the lease is
// released although it was cancelled.
func TestDoContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c := newFake(t)
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errWork)
		defer cancel()
		err := c.Do(ctx, "job", func(inner context.Context, l *Lease) error {
			got, ok := inner.Deadline()
			if want, _ := ctx.Deadline(); !ok || !got.Equal(want) {
				t.Errorf("deadline = %v, want %v", got, want)
			}
			<-inner.Done()
			return context.Cause(inner)
		})
		if err != errWork {
			t.Errorf("Do = %v, want fn's error", err)
		}
		if _, _, releases := f.seen(); len(releases) != 1 {
			t.Errorf("%d releases, want 1", len(releases))
		}
	})
}

// fn's context looks at the clock, as the lease's own does.
func TestDoContextLooksAtTheClock(t *testing.T) {
	_, c := newFake(t)
	err := c.Do(t.Context(), "job", func(ctx context.Context, l *Lease) error {
		l.mu.Lock()
		l.deadline = now() // passed, and nobody has been told
		l.mu.Unlock()
		return ctx.Err()
	})
	if !errors.Is(err, context.Canceled) || !errors.Is(err, ErrExpired) {
		t.Errorf("Do = %v, want fn to have seen the end", err)
	}
}

// A panic of fn releases the lease and goes on.
func TestDoPanic(t *testing.T) {
	f, c := newFake(t)
	defer func() {
		if recover() != "oh" {
			t.Error("the panic did not come through")
		}
		if _, _, releases := f.seen(); len(releases) != 1 {
			t.Errorf("%d releases, want 1", len(releases))
		}
	}()
	_ = c.Do(t.Context(), "job", func(context.Context, *Lease) error { panic("oh") })
}

// Without a lease fn does not run.
func TestDoNotAcquired(t *testing.T) {
	f, c := newFake(t)
	f.acquire = fail(errFault)
	err := c.Do(t.Context(), "job", func(context.Context, *Lease) error { t.Error("fn ran"); return nil })
	if !errors.Is(err, errFault) {
		t.Errorf("Do = %v, want %v", err, errFault)
	}
}
