package lease_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockd/lockd/internal/lease"
)

// While the store cannot serve, who waits asks it again after 10 ms, doubling to 250 ms, jittered by half,
// and a last time when the wait is over. Each asking is an execution of its own: none is taken for
// another's copy.
func TestWaitAsksAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
		s.acquire = func(context.Context, lease.Acquisition) (lease.Lease, error) {
			return lease.Lease{}, lease.ErrStoreFull
		}
		start := time.Now()
		r := request("job", 1)
		r.Wait = 10 * time.Second
		_, err := l.Acquire(t.Context(), r)
		wantErr(t, "Acquire(store full throughout)", err, lease.ErrStoreFull)
		if took := time.Since(start); took != r.Wait {
			t.Errorf("Acquire ended after %s, want %s", took, r.Wait)
		}

		calls := s.noted("Acquire")
		pause, distinct, execs := 10*time.Millisecond, map[time.Duration]bool{}, map[string]bool{}
		for i := 1; i < len(calls); i++ {
			got := calls[i].at.Sub(calls[i-1].at)
			distinct[got] = true
			execs[calls[i].args.(lease.Acquisition).Tag.Exec] = true
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
		if len(execs) != len(calls)-1 {
			t.Errorf("%d executions share %d execs, want one each", len(calls)-1, len(execs))
		}
	})
}

// Who stands in line asks nothing more until the wait is over; then once, without a turn, to give the
// place up for now and to say who is in the way. It is the same execution.
func TestWaitStandsInLine(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
		grant(t, l, request("job", 1))
		if _, err := l.Renew(lease.RenewRequest{Name: "job", ID: id(1), TTL: in(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		asked := len(s.noted(""))
		start := time.Now()
		r := request("job", 2)
		r.Wait = time.Minute
		waiting := begin(t.Context(), l, r)
		time.Sleep(r.Wait - time.Nanosecond)
		settle()
		if n := len(s.noted("")) - asked; n != 1 || s.waiters("job") != 1 {
			t.Errorf("while waiting the store was asked %d times, %d in line, want once and one", n, s.waiters("job"))
		}
		got := <-waiting
		wantHeld(t, "Acquire(held throughout)", got.err)
		if held := new(lease.HeldError); !errors.As(got.err, &held) || held.Place != 1 || held.Holder.Owner != "ada@host:1" {
			t.Errorf("Acquire = %+v, want *HeldError with the holder, and place 1", got.err)
		}
		if took := got.at.Sub(start); took != r.Wait {
			t.Errorf("Acquire ended after %s, want %s", took, r.Wait)
		}
		calls := s.noted("Acquire")[1:]
		if len(calls) != 2 || len(s.noted("Undo")) != 0 || s.waiters("job") != 0 {
			t.Fatalf("%d askings, %d undos, %d in line; want two, none, none", len(calls), len(s.noted("Undo")), s.waiters("job"))
		}
		first, last := calls[0].args.(lease.Acquisition), calls[1].args.(lease.Acquisition)
		if first.Turn == nil || !first.Until.Equal(start.Add(r.Wait)) || last.Turn != nil || last.Tag != first.Tag {
			t.Errorf("asked %+v, then %+v; want a turn until the end of the wait, then the same without", first, last)
		}
	})
}

// Who asks again within ten seconds after the wait has its place in line.
func TestWaitingOnKeepsThePlace(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, _ *fake) {
		grant(t, l, request("job", 1))
		first, second := request("job", 2), request("job", 3)
		first.Wait, second.Wait = time.Second, time.Minute
		_, err := l.Acquire(t.Context(), first)
		wantHeld(t, "Acquire(a second)", err)
		behind := begin(t.Context(), l, second)
		settle()
		time.Sleep(9 * time.Second)
		first.Attempt, first.Wait = 2, time.Minute
		again := begin(t.Context(), l, first)
		settle()
		free(t, l, "job", 1)
		if a := wantGrant(t, again); a.grant.Lease.Name != "job" {
			t.Errorf("granted %+v, want the job", a.grant.Lease)
		}
		free(t, l, "job", 2)
		wantGrant(t, behind)
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

// A name that becomes free goes to who waits for it at once, in order, by release, expiry and force.
// Waited is until the call that handed it over began.
func TestHandover(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
		s.release = func(ctx context.Context, r lease.ReleaseRequest) (lease.Released, error) {
			time.Sleep(100 * time.Millisecond)
			released, err := s.Store.Release(ctx, r)
			time.Sleep(100 * time.Millisecond)
			return released, err
		}
		start := time.Now()
		last := grant(t, l, request("job", 1)).Lease.Token
		var all []<-chan outcome
		for n := 2; n <= 4; n++ {
			r := request("job", n)
			r.Wait = 2 * time.Minute
			all = append(all, begin(t.Context(), l, r))
			settle()
		}
		time.Sleep(5 * time.Second)
		for i, freed := range []func(){
			func() { free(t, l, "job", 1) },
			func() { time.Sleep(time.Minute); settle() }, // 33 s in truth
			func() {
				_, err := l.ForceRelease(t.Context(), lease.ForceRequest{Name: "job", Token: last, Reason: "gone"})
				wantErr(t, "ForceRelease", err, nil)
			},
		} {
			began := time.Now()
			freed()
			if i == 1 {
				began = began.Add(-100*time.Millisecond + 33*time.Second) // since the hand-over before
			}
			if i == 0 {
				began = began.Add(100 * time.Millisecond)
			}
			got := wantGrant(t, all[i])
			if got.grant.Lease.Token <= last || got.grant.Lease.Left != 30*time.Second {
				t.Errorf("hand-over %d: token went from %d to %d, %s left; want a larger one, whole", i, last, got.grant.Lease.Token, got.grant.Lease.Left)
			}
			if !got.at.Equal(began) || got.grant.Waited != began.Sub(start) {
				t.Errorf("hand-over %d came %s after it was made, waited %s; want at once, %s", i, got.at.Sub(began), got.grant.Waited, began.Sub(start))
			}
			last = got.grant.Lease.Token
		}
		if n := len(s.noted("Acquire")); n != 4 {
			t.Errorf("the store was asked %d times by four, want once each", n)
		}
	})
}

// Waited is measured before the store call that grants: what that call takes is the holder's risk,
// since the ttl runs from somewhere within it.
func TestWaitedEndsBeforeTheGrantingCall(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
		var asking time.Time // when the store was asked last
		start := time.Now()
		s.acquire = func(ctx context.Context, a lease.Acquisition) (lease.Lease, error) {
			asking = time.Now()
			if a.Name == "job" && time.Since(start) < 3*time.Second {
				return lease.Lease{}, lease.ErrUnavailable
			}
			time.Sleep(100 * time.Millisecond)
			granted, err := s.Store.Acquire(ctx, a)
			time.Sleep(100 * time.Millisecond)
			return granted, err
		}
		if g := grant(t, l, request("free", 1)); g.Waited != 0 {
			t.Errorf("Waited on a free name = %s, want 0s", g.Waited)
		}
		start = time.Now()
		r := request("job", 2)
		r.Wait = time.Minute
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

// A caller that goes while waiting ends the wait at once, and is out of the line: what is freed goes to
// others. Its place is kept, should it come back.
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
		settle()
		if n := s.waiters("job"); n != 0 || l.Status().PendingCleanups != 0 {
			t.Errorf("%d in line, %d cleanups pending; want none at once", n, l.Status().PendingCleanups)
		}
		behind := request("job", 3)
		behind.Wait = time.Minute
		other := begin(t.Context(), l, behind)
		settle()
		r.Attempt++
		back := begin(t.Context(), l, r)
		settle()
		free(t, l, "job", 1)
		wantGrant(t, back)
		free(t, l, "job", 2)
		wantGrant(t, other)
		free(t, l, "job", 3)
		if s.tokenOf("job") != 0 || s.waiters("job") != 0 {
			t.Error("somebody holds the name or waits for it, want nobody")
		}
	})
}

// A caller that goes while the store cannot serve leaves nothing behind: no asking again, nothing to
// clean up.
func TestCallerGoesWhilePausing(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
		s.acquire = func(context.Context, lease.Acquisition) (lease.Lease, error) {
			return lease.Lease{}, lease.ErrUnavailable
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		r := request("job", 1)
		r.Wait = time.Minute
		_, err := l.Acquire(ctx, r)
		wantErr(t, "Acquire(caller gone)", err, context.DeadlineExceeded)
		asked := len(s.noted(""))
		time.Sleep(time.Minute)
		if n := len(s.noted("")) - asked; n != 0 {
			t.Errorf("%d store calls after the caller went, want none", n)
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
