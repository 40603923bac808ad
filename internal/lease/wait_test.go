package lease_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockd/lockd/internal/lease"
)

// Whoever waits asks again after 10 ms, doubling to 250 ms, jittered by half, and a last time when
// the wait is over; then the answer is who holds the name.
func TestWaitAsksAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
		grant(t, l, request("job", 1))
		start := time.Now()
		r := request("job", 2)
		r.Wait = 10 * time.Second
		_, err := l.Acquire(t.Context(), r)
		wantHeld(t, "Acquire(held throughout)", err)
		if took := time.Since(start); took != r.Wait {
			t.Errorf("Acquire ended after %s, want %s", took, r.Wait)
		}

		calls := s.noted("Acquire")[1:]
		pause, distinct := 10*time.Millisecond, map[time.Duration]bool{}
		for i := 1; i < len(calls); i++ {
			got := calls[i].at.Sub(calls[i-1].at)
			distinct[got] = true
			last := i == len(calls)-1
			if got >= 3*pause/2 || (got < pause/2 && !last) {
				t.Errorf("pause %d = %s, want %s to %s", i, got, pause/2, 3*pause/2)
			}
			pause = min(2*pause, 250*time.Millisecond)
		}
		if last := calls[len(calls)-1].at.Sub(start); last != r.Wait {
			t.Errorf("the store was asked last after %s, want %s", last, r.Wait)
		}
		if len(distinct) < len(calls)/2 {
			t.Errorf("%d calls with %d different pauses: not jittered", len(calls), len(distinct))
		}
	})
}

// Without a wait the store is asked once.
func TestNoWaitAsksOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
		grant(t, l, request("job", 1))
		_, err := l.Acquire(t.Context(), request("job", 2))
		wantHeld(t, "Acquire(held)", err)
		if n := len(s.noted("Acquire")) - 1; n != 1 {
			t.Errorf("the store was asked %d times, want 1", n)
		}
	})
}

// A name that becomes free is granted to who waits for it, within the longest pause. Each asking is
// an execution of its own: none is taken for another's copy.
func TestWaitEndsWithGrant(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
		held := grant(t, l, request("job", 1))
		r := request("job", 2)
		r.Wait = time.Minute
		waiting := begin(t.Context(), l, r)
		time.Sleep(5 * time.Second)
		freed := time.Now()
		if _, err := l.Release(t.Context(), lease.ReleaseRequest{Name: "job", ID: id(1)}); err != nil {
			t.Fatalf("Release = %v, want nil", err)
		}
		got := <-waiting
		if got.err != nil || got.grant.Lease.Token <= held.Lease.Token {
			t.Fatalf("Acquire(released meanwhile) = %+v, %v, want a larger token", got.grant, got.err)
		}
		if late := got.at.Sub(freed); late > 375*time.Millisecond {
			t.Errorf("granted %s after the release, want at most 375ms", late)
		}
		execs := map[string]bool{}
		for _, call := range s.noted("Acquire") {
			execs[call.args.(lease.Acquisition).Tag.Exec] = true
		}
		if len(execs) != len(s.noted("Acquire")) {
			t.Errorf("%d executions share %d execs, want one each", len(s.noted("Acquire")), len(execs))
		}
	})
}

// Waited is measured before the store call that grants: what that call takes is the holder's risk,
// since the ttl runs from somewhere within it.
func TestWaitedEndsBeforeTheGrantingCall(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
		var asking time.Time // when the store was asked last
		s.acquire = func(ctx context.Context, a lease.Acquisition) (lease.Lease, error) {
			asking = time.Now()
			time.Sleep(100 * time.Millisecond)
			granted, err := s.Store.Acquire(ctx, a)
			time.Sleep(100 * time.Millisecond)
			return granted, err
		}
		if g := grant(t, l, request("free", 1)); g.Waited != 0 {
			t.Errorf("Waited on a free name = %s, want 0s", g.Waited)
		}
		start := time.Now()
		r := request("job", 2)
		r.Wait = time.Minute
		if _, err := s.Store.Acquire(t.Context(), lease.Acquisition{Name: "job", ID: id(3), TTL: 3 * time.Second}); err != nil {
			t.Fatal(err)
		}
		g := grant(t, l, r)
		if want := asking.Sub(start); g.Waited != want || want < 3*time.Second {
			t.Errorf("Waited = %s, want %s: until the last call began", g.Waited, want)
		}
	})
}

// What time may heal is asked about again while the wait lasts; what it cannot heal, or what only
// the client's next attempt can tell apart, is answered at once.
func TestWaitOverErrors(t *testing.T) {
	for _, test := range []struct {
		err   error
		again bool
	}{
		{lease.ErrUnavailable, true},
		{lease.ErrGrantsRefused, true},
		{lease.ErrStoreFull, true},
		{lease.ErrUnknown, false},
		{lease.ErrLost, false},
		{lease.ErrSuperseded, false},
	} {
		t.Run(test.err.Error(), func(t *testing.T) {
			inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
				failures := 0
				s.acquire = func(ctx context.Context, a lease.Acquisition) (lease.Lease, error) {
					if failures++; failures <= 3 {
						return lease.Lease{}, fmt.Errorf("acquire: %w", test.err)
					}
					return s.Store.Acquire(ctx, a)
				}
				r := request("job", 1)
				r.Wait = time.Minute
				if _, err := l.Acquire(t.Context(), r); test.again {
					wantErr(t, "Acquire(healed)", err, nil)
				} else {
					wantErr(t, "Acquire", err, test.err)
				}
				want := 1
				if test.again {
					want = 4
				}
				if n := len(s.noted("Acquire")); n != want {
					t.Errorf("the store was asked %d times, want %d", n, want)
				}

				failures = 0
				_, err := l.Acquire(t.Context(), request("job", 1))
				wantErr(t, "Acquire(no wait)", err, test.err)
			})
		})
	}
}

// A caller that goes while waiting ends the wait at once and leaves nothing behind: no asking again,
// nothing to clean up, no lease later.
func TestCallerGoesWhileWaiting(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
		grant(t, l, request("job", 1))
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start := time.Now()
		r := request("job", 2)
		r.Wait = time.Minute
		_, err := l.Acquire(ctx, r)
		wantErr(t, "Acquire(caller gone)", err, context.DeadlineExceeded)
		if took := time.Since(start); took != 3*time.Second {
			t.Errorf("Acquire ended after %s, want 3s, when its caller went", took)
		}
		asked := len(s.noted(""))
		if n := l.Status().PendingCleanups; n != 0 {
			t.Errorf("%d cleanups are pending, want none: nothing was granted", n)
		}
		s.Expire("job")
		time.Sleep(time.Minute)
		if n := len(s.noted("")) - asked; n != 0 || s.tokenOf("job") != 0 {
			t.Errorf("%d store calls after the caller went, token %d; want none, and the name free", n, s.tokenOf("job"))
		}
	})
}

// A caller that has gone before the first asking is not asked for.
func TestCallerGoneBefore(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := l.Acquire(ctx, request("job", 1))
		wantErr(t, "Acquire(caller gone)", err, context.Canceled)
		if n := len(s.noted("")); n != 0 {
			t.Errorf("the store was asked %d times, want 0", n)
		}
	})
}

// Draining ends every wait at once; what is held stays held, and whoever does not wait is served.
func TestDrainEndsWaits(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
		held := grant(t, l, request("job", 1))
		r := request("job", 2)
		r.Wait = time.Minute
		waiting := begin(t.Context(), l, r)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		drained := time.Now()
		l.Drain()
		if got := <-waiting; !got.at.Equal(drained) {
			t.Errorf("the wait ended %s after Drain, want at once", got.at.Sub(drained))
		} else {
			wantErr(t, "Acquire(drained)", got.err, lease.ErrDraining)
		}
		_, err := l.Acquire(t.Context(), r)
		wantErr(t, "Acquire(with a wait, after Drain)", err, lease.ErrDraining)
		if got := s.tokenOf("job"); got != held.Lease.Token {
			t.Errorf("token in force after Drain = %d, want %d", got, held.Lease.Token)
		}
		grant(t, l, request("free", 3))
	})
}
