package lockd

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// TryAcquire says who holds the name, at once, and leaves nothing behind that had to be released.
func TestTryAcquireHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c := newFake(t)
		f.acquire = held
		_, err := c.TryAcquire(t.Context(), "job")
		var got *HeldError
		if !errors.As(err, &got) {
			t.Fatalf("TryAcquire = %v, want a *HeldError", err)
		}
		if d := cmp.Diff(wantHeld, got); d != "" {
			t.Errorf("HeldError (-want +got):\n%s", d)
		}
		if got, want := err.Error(), `lockd: "job" is held by "another" since 2026-01-02T03:04:05Z, for another 7s unless renewed`; got != want {
			t.Errorf("text = %s, want %s", got, want)
		}
		synctest.Wait()
		if _, _, releases := f.seen(); len(releases) != 0 {
			t.Errorf("%d releases, want 0: nothing was granted", len(releases))
		}
	})
}

// An attempt of unknown outcome is given back also when the next one finds the name held: it may
// have been its own, on its way to the store.
func TestTryAcquireHeldAfterDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c := newFake(t)
		f.acquire = inTurn(fail(unavailable()), fail(heldBy("another")))
		var got *HeldError
		if _, err := c.TryAcquire(t.Context(), "job"); !errors.As(err, &got) {
			t.Errorf("TryAcquire = %v, want a *HeldError", err)
		}
		synctest.Wait()
		if _, _, releases := f.seen(); len(releases) != 1 {
			t.Errorf("%d releases, want 1", len(releases))
		}
	})
}

// A refusal without details still is one.
func TestHeldWithoutDetails(t *testing.T) {
	f, c := newFake(t)
	f.acquire = fail(refuse(codes.Aborted, reasonHeld))
	_, err := c.TryAcquire(t.Context(), "job")
	if got, want := fmt.Sprint(err), `lockd: "job" is held by another`; got != want {
		t.Errorf("TryAcquire = %s, want %s", got, want)
	}
}

// Acquire first asks who is there, then waits, in calls that are short enough for the server, with
// one lease id.
func TestAcquireWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c := newFake(t)
		free := time.Now().Add(12 * time.Minute)
		f.acquire = func(ctx context.Context, r *lockdv1.AcquireRequest) (*lockdv1.AcquireResponse, error) {
			until := time.Until(free)
			if until > r.GetWait().AsDuration() {
				return held(ctx, r)
			}
			time.Sleep(max(0, until))
			resp := granted(r)
			resp.Waited = durationpb.New(max(0, until))
			return resp, nil
		}
		l := acquired(t, c, "job", WithTTL(time.Second))
		if late := time.Since(free); late != 0 {
			t.Errorf("acquired %s after it was free, want 0", late)
		}
		acquires, _, _ := f.seen()
		if acquires[0].GetWait().AsDuration() != 0 {
			t.Error("the first request waits, want it to ask who is there")
		}
		for i, r := range acquires {
			if r.GetLeaseId() != l.ID() || r.GetWait().AsDuration() > 5*time.Minute {
				t.Errorf("request %d: wait %s, own lease id: %v; want at most 5m and true", i+1, r.GetWait().AsDuration(), r.GetLeaseId() == l.ID())
			}
		}
		if len(acquires) > 20 {
			t.Errorf("%d requests in 12 minutes, want a few", len(acquires))
		}
	})
}

// A server that does not stand by for as long as it was asked to is not asked in a loop.
func TestAcquireImpatientServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c := newFake(t)
		f.acquire = fail(heldBy("another"))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, _ = c.Acquire(ctx, "job")
		if acquires, _, _ := f.seen(); len(acquires) > 60*40 { // a pause of 25 to 75 ms each
			t.Errorf("%d requests in a minute, want at most one in 25 ms", len(acquires))
		}
	})
}

// When ctx ends, the error is ctx's and says who held the name, and whatever an attempt under way
// may still bring is given back.
func TestAcquireEndsWithContext(t *testing.T) {
	why := errors.New("why")
	for name, test := range map[string]struct {
		ctx  func(context.Context) (context.Context, context.CancelFunc)
		want []error
	}{
		"deadline": {func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, 3*time.Second)
		}, []error{context.DeadlineExceeded}},
		"cancel": {func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancelCause(ctx)
			time.AfterFunc(3*time.Second, func() { cancel(why) })
			return ctx, func() { cancel(nil) }
		}, []error{context.Canceled, why}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, c := newFake(t)
				f.acquire = func(ctx context.Context, r *lockdv1.AcquireRequest) (*lockdv1.AcquireResponse, error) {
					time.Sleep(time.Millisecond) // so that the last answer comes too late
					return held(ctx, r)
				}
				ctx, cancel := test.ctx(t.Context())
				defer cancel()
				begun := time.Now()
				_, err := c.Acquire(ctx, "job")
				if took := time.Since(begun); took < 3*time.Second || took > 3*time.Second+2*time.Millisecond {
					t.Errorf("returned after %s, want 3s", took)
				}
				for _, want := range append(test.want, ctx.Err()) {
					if !errors.Is(err, want) {
						t.Errorf("Acquire = %v, want it to be %v", err, want)
					}
				}
				var got *HeldError
				if !errors.As(err, &got) || got.Owner != "another" {
					t.Errorf("Acquire = %v, want a *HeldError in it", err)
				}
				synctest.Wait()
				acquires, _, releases := f.seen()
				if len(releases) != 1 || releases[0].GetName() != "job" || releases[0].GetLeaseId() != acquires[0].GetLeaseId() {
					t.Errorf("%d releases, want one of the lease id that was waiting", len(releases))
				}
			})
		})
	}
}

// Before its deadline Acquire looks once more who holds the name, so that the error names them.
func TestAcquireNamesThePresentHolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c := newFake(t)
		f.acquire = inTurn(fail(heldBy("first")), held)
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		_, err := c.Acquire(ctx, "job")
		var got *HeldError
		if !errors.As(err, &got) || got.Owner != "another" {
			t.Errorf("Acquire = %v, want the holder of the end in it", err)
		}
	})
}

// An attempt whose caller has gone is given back although lockd cannot be reached at first.
func TestAcquireGivesBackLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c := newFake(t)
		f.acquire = silence
		back := time.Now().Add(2 * time.Second)
		f.release = func(context.Context, *lockdv1.ReleaseRequest) (*lockdv1.ReleaseResponse, error) {
			if time.Now().Before(back) {
				return nil, unavailable()
			}
			return released(lockdv1.ReleaseResponse_HELD), nil
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.Acquire(ctx, "job"); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Acquire = %v, want DeadlineExceeded", err)
		}
		time.Sleep(2 * time.Second)
		_, _, releases := f.seen()
		time.Sleep(time.Minute)
		if _, _, later := f.seen(); len(later) != len(releases) || len(releases) < 2 {
			t.Errorf("%d releases, then %d, want several until one is answered, then none", len(releases), len(later))
		}
	})
}

// Whoever has given up before asking is not asked for.
func TestAcquireWithEndedContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c := newServers(t)
		done := acquiring(t.Context(), c, "other")
		s := f.stream("a")
		s.grant()
		<-done
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := c.Acquire(ctx, "job"); !errors.Is(err, context.Canceled) {
			t.Errorf("Acquire = %v, want context.Canceled", err)
		}
		if s.take(); len(s.pending)+len(s.cancels) != 0 {
			t.Errorf("%v was sent, %v cancelled; want nothing", s.pending, s.cancels)
		}
	})
}

// A lockd that was told to take only shorter waits is asked for such, on either way, until it takes them.
func TestAcquireWaitsAsLongAsLockdAllows(t *testing.T) {
	for most, works := range map[time.Duration]bool{time.Minute: true, 10 * time.Second: true, leastWait: true, leastWait / 2: false} {
		t.Run("stream "+most.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, c := newServers(t)
				done := acquiring(t.Context(), c, "job")
				s := f.stream("a")
				for {
					id, r := s.asks()
					if wait := r.GetWait().AsDuration(); wait > most {
						s.answer(errorOf(id, &lockdv1.Error{Code: int32(codes.InvalidArgument), Reason: "INVALID_ARGUMENT", Field: "wait"}))
						if wait > leastWait {
							continue
						}
					} else {
						s.answer(queuedAt(id, 1), grantOf(id, r))
					}
					break
				}
				if got := <-done; (got.err == nil) != works || !works && !errors.Is(got.err, ErrInvalid) {
					t.Errorf("Acquire = %v, want a lease: %t, else ErrInvalid", got.err, works)
				}
			})
		})
		t.Run("unary "+most.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, c := newFake(t)
				begun := time.Now()
				f.acquire = func(ctx context.Context, r *lockdv1.AcquireRequest) (*lockdv1.AcquireResponse, error) {
					switch wait := r.GetWait().AsDuration(); {
					case wait > most:
						return nil, invalid("wait")
					case time.Since(begun) < time.Minute:
						time.Sleep(wait)
						return held(ctx, r)
					}
					return granted(r), nil
				}
				if _, err := c.Acquire(t.Context(), "job"); (err == nil) != works || !works && !errors.Is(err, ErrInvalid) {
					t.Errorf("Acquire = %v, want a lease: %t, else ErrInvalid", err, works)
				}
			})
		})
	}
}
