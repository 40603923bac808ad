package lease_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/lockd/lockd/internal/lease"
)

// ears note what an Asking tells.
type ears struct {
	mu      sync.Mutex
	queued  []*lease.HeldError
	answers []outcome
}

func (e *ears) Queued(held *lease.HeldError) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.queued = append(e.queued, held)
}

func (e *ears) Answered(g lease.Grant, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.answers = append(e.answers, outcome{g, err, time.Now()})
}

// heard fails the test unless it was told as often of a place and of an answer; it returns the last answer.
func (e *ears) heard(t *testing.T, what string, queued, answers int) outcome {
	t.Helper()
	settle()
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.queued) != queued || len(e.answers) != answers {
		t.Fatalf("%s: told %d times of a place and %d times of an answer, want %d and %d", what, len(e.queued), len(e.answers), queued, answers)
	}
	if answers == 0 {
		return outcome{}
	}
	return e.answers[answers-1]
}

// ask begins r in a goroutine.
func ask(t *testing.T, l *lease.Lessor, r lease.AcquireRequest) (*lease.Asking, *ears) {
	t.Helper()
	to := new(ears)
	a, err := l.Ask(r, to)
	if err != nil {
		t.Fatalf("Ask = %v, want nil", err)
	}
	go a.Run()
	return a, to
}

// patient asks for job as lease id n, ready to wait a minute.
func patient(n int) lease.AcquireRequest {
	r := request("job", n)
	r.Wait = time.Minute
	return r
}

// hold makes every Acquire of the store wait: before it is executed, or before its answer is heard. Closing
// what it returns lets them go on.
func (f *fake) hold(before bool) chan struct{} {
	gate := make(chan struct{})
	f.onAcquire(func(ctx context.Context, a lease.Acquisition) (lease.Lease, error) {
		if before {
			<-gate
		}
		l, err := f.Store.Acquire(ctx, a)
		if !before {
			<-gate
		}
		return l, err
	})
	return gate
}

// Who stands in line is told its place, then the answer.
func TestQueuedThenAnswered(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, _ *fake) {
		grant(t, l, request("job", 1))
		_, first := ask(t, l, patient(2))
		first.heard(t, "in line", 1, 0)
		_, second := ask(t, l, patient(3))
		second.heard(t, "in line", 1, 0)
		if first.queued[0].Place != 1 || second.queued[0].Place != 2 || second.queued[0].Holder.Name != "job" {
			t.Errorf("places %d and %d, want 1 and 2", first.queued[0].Place, second.queued[0].Place)
		}
		free(t, l, "job", 1)
		if got := first.heard(t, "next", 1, 1); got.err != nil {
			t.Errorf("answer = %v, want a lease", got.err)
		}
		second.heard(t, "still in line", 1, 0)
		time.Sleep(time.Minute) // the first has run out by then
		if got := second.heard(t, "next", 1, 1); got.err != nil || got.grant.Waited != 33*time.Second {
			t.Errorf("answer = %v after %s, want a lease after 33s", got.err, got.grant.Waited)
		}
	})
}

// Cancel ends an acquisition in whatever state: nobody is told anything any more, and nothing is left behind
// but, if it was asked for, the place of one who was in line.
func TestCancel(t *testing.T) {
	for _, keep := range []bool{false, true} {
		for _, test := range []struct {
			state string
			held  bool // by another
			kept  bool // there is a place to keep
			until func(t *testing.T, s *fake, run func()) (proceed func())
		}{
			{"before Run", true, false, func(_ *testing.T, _ *fake, run func()) func() { return run }},
			{"calling, not there yet", false, false, func(_ *testing.T, s *fake, run func()) func() {
				gate := s.hold(true)
				go run()
				return func() { close(gate) }
			}},
			{"calling, granted", false, false, func(_ *testing.T, s *fake, run func()) func() {
				gate := s.hold(false)
				go run()
				return func() { close(gate) }
			}},
			{"calling, in line", true, true, func(_ *testing.T, s *fake, run func()) func() {
				gate := s.hold(false)
				go run()
				return func() { close(gate) }
			}},
			{"calling, unknown", false, false, func(_ *testing.T, s *fake, run func()) func() {
				gate := make(chan struct{})
				s.acquire = func(ctx context.Context, a lease.Acquisition) (lease.Lease, error) {
					<-gate
					return s.lost(ctx, a)
				}
				go run()
				return func() { close(gate) }
			}},
			{"calling, handed over", true, true, func(_ *testing.T, s *fake, run func()) func() {
				gate := s.hold(false)
				go run()
				settle()
				s.Expire("job")
				return func() { close(gate) }
			}},
			{"waiting", true, true, func(_ *testing.T, _ *fake, run func()) func() { run(); return func() {} }},
			{"pausing", false, false, func(_ *testing.T, s *fake, run func()) func() {
				s.onAcquire(fails(lease.ErrUnavailable))
				run()
				return func() { s.onAcquire(nil) }
			}},
			{"calling, out of time", true, true, func(_ *testing.T, s *fake, run func()) func() {
				run()
				gate := s.hold(true)
				time.Sleep(time.Minute)
				return func() { close(gate) }
			}},
		} {
			t.Run(fmt.Sprintf("%s, keep %t", test.state, keep), func(t *testing.T) {
				inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
					if test.held {
						r := request("job", 1)
						r.TTL = in(time.Hour)
						grant(t, l, r)
					}
					to := new(ears)
					a, err := l.Ask(patient(2), to)
					if err != nil {
						t.Fatal(err)
					}
					proceed := test.until(t, s, a.Run)
					settle()
					told := len(to.queued)
					if !a.Cancel(keep) {
						t.Fatal("Cancel = false, want true: it was not answered")
					}
					proceed()
					settle()
					to.heard(t, "cancelled", told, 0)
					if a.Cancel(keep) {
						t.Error("Cancel(again) = true, want false")
					}
					s.onAcquire(nil)
					wantNothingLeft(t, l, s, test.kept && keep)
				})
			})
		}
	}
}

// wantNothingLeft fails the test if 2 has the job or stands in line for it, or has a place there although
// it should not.
func wantNothingLeft(t *testing.T, l *lease.Lessor, s *fake, kept bool) {
	t.Helper()
	time.Sleep(time.Second) // for what is undone until it can take no effect
	settle()
	if n := s.waiters("job"); n != 0 || l.Status().PendingCleanups != 0 {
		t.Errorf("%d in line, %d cleanups pending; want none", n, l.Status().PendingCleanups)
	}
	holder := request("job", 1)
	holder.TTL = in(time.Hour)
	grant(t, l, holder)
	_, other := ask(t, l, patient(3))
	other.heard(t, "in line", 1, 0)
	r := patient(2)
	r.Attempt++
	_, back := ask(t, l, r)
	back.heard(t, "in line", 1, 0)
	if want := map[bool]int{false: 2, true: 1}[kept]; back.queued[0].Place != want {
		t.Errorf("asking again it got place %d, want %d", back.queued[0].Place, want)
	}
	for n := range 3 {
		s.Expire("job")
		settle()
		if n == 2 && s.tokenOf("job") != 0 {
			t.Error("the name is held after both had it, want it free")
		}
	}
}

// What was answered cannot be cancelled.
func TestCancelAfterTheAnswer(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
		a, to := ask(t, l, patient(1))
		to.heard(t, "free name", 0, 1)
		if a.Cancel(false) {
			t.Error("Cancel(granted) = true, want false")
		}
		settle()
		if s.tokenOf("job") == 0 || len(s.noted("Undo")) != 0 {
			t.Error("a grant that was answered was undone")
		}
	})
}

// A turn that comes before the answer to the call that queued is the answer, once; Waited counts to when
// that turn began.
func TestTurnBeforeTheReply(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
		grant(t, l, request("job", 1))
		gate := s.hold(false)
		_, to := ask(t, l, patient(2))
		settle()
		time.Sleep(100 * time.Millisecond)
		s.Expire("job")
		to.heard(t, "its call under way", 0, 0)
		time.Sleep(100 * time.Millisecond)
		close(gate)
		got := to.heard(t, "handed over", 0, 1)
		if got.err != nil || got.grant.Waited != 100*time.Millisecond || got.grant.Lease.Token != s.tokenOf("job") {
			t.Errorf("answer = %+v, %v, want the lease that stands, waited 100ms", got.grant, got.err)
		}
	})
}

// A turn that comes while the store is asked a last time, which finds the lease as well, is answered once
// and never undone, whichever of them is heard of first.
func TestTurnAndLastAsking(t *testing.T) {
	for _, turnFirst := range []bool{true, false} {
		t.Run(fmt.Sprintf("turn first %t", turnFirst), func(t *testing.T) {
			inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
				r := request("job", 1)
				r.TTL = in(time.Hour)
				grant(t, l, r)
				late := s.delayTurns()
				_, to := ask(t, l, patient(2))
				to.heard(t, "in line", 1, 0)
				time.Sleep(time.Minute - time.Nanosecond)
				s.Expire("job") // its turn comes, but is still on its way
				inner, gate := s.acquire, make(chan struct{})
				s.onAcquire(func(ctx context.Context, a lease.Acquisition) (lease.Lease, error) {
					l, err := inner(ctx, a)
					<-gate
					return l, err
				})
				time.Sleep(time.Nanosecond)
				settle()
				if turnFirst {
					late()
					settle()
				}
				close(gate)
				settle()
				if !turnFirst {
					late()
				}
				if got := to.heard(t, "both", 1, 1); got.err != nil || got.grant.Lease.Token != s.tokenOf("job") {
					t.Errorf("answer = %+v, %v, want the lease that stands", got.grant, got.err)
				}
				time.Sleep(time.Second)
				if s.tokenOf("job") == 0 || len(s.noted("Undo")) != 0 {
					t.Error("a grant that was answered was undone")
				}
			})
		})
	}
}

// delayTurns keeps every turn on its way until what it returns is called.
func (f *fake) delayTurns() (deliver func()) {
	var mu sync.Mutex
	var late []func()
	f.acquire = func(ctx context.Context, a lease.Acquisition) (lease.Lease, error) {
		if turn := a.Turn; turn != nil {
			a.Turn = func(h lease.Handover) {
				mu.Lock()
				defer mu.Unlock()
				late = append(late, func() { turn(h) })
			}
		}
		return f.Store.Acquire(ctx, a)
	}
	return func() {
		mu.Lock()
		defer mu.Unlock()
		for _, turn := range late {
			turn()
		}
		late = nil
	}
}

// A turn that comes when nobody waits for it any more is undone, so that the next one has the name; after
// an answer that lets the client ask again its place is kept.
func TestTurnToNobody(t *testing.T) {
	for _, test := range []struct {
		name string
		end  func(l *lease.Lessor, s *fake, a *lease.Asking)
		err  error // the answer; nil: none
		kept bool
	}{
		{"cancelled", func(_ *lease.Lessor, _ *fake, a *lease.Asking) { a.Cancel(false) }, nil, false},
		{"cancelled, place kept", func(_ *lease.Lessor, _ *fake, a *lease.Asking) { a.Cancel(true) }, nil, true},
		{"drained", func(l *lease.Lessor, _ *fake, _ *lease.Asking) { l.Drain() }, lease.ErrDraining, true},
		{"out of time, store unavailable", func(_ *lease.Lessor, s *fake, _ *lease.Asking) {
			s.onAcquire(fails(lease.ErrUnavailable))
			time.Sleep(time.Minute) // the lease handed over is longer
		}, lease.ErrUnavailable, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
				r := request("job", 1)
				r.TTL = in(time.Hour)
				grant(t, l, r)
				late := s.delayTurns()
				s.undo = func(context.Context, lease.Undoing) error { return nil } // the first one is too early
				waits := patient(2)
				waits.TTL = in(time.Hour)
				a, to := ask(t, l, waits)
				to.heard(t, "in line", 1, 0)
				s.Expire("job")
				if s.tokenOf("job") == 0 {
					t.Fatal("nothing was handed over")
				}
				test.end(l, s, a)
				settle()
				s.onUndo(nil)
				late()
				settle()
				if test.err == nil {
					to.heard(t, "cancelled", 1, 0)
				} else {
					wantErr(t, "the answer", to.heard(t, "ended", 1, 1).err, test.err)
				}
				if got := s.tokenOf("job"); got != 0 {
					t.Errorf("token in force = %d, want the name free at once", got)
				}
				if kept := s.keeps("job", 2); kept != test.kept {
					t.Errorf("its place is kept: %t, want %t", kept, test.kept)
				}
			})
		})
	}
}

// keeps reports whether lease id n has a place in line for name, which must be free.
func (f *fake) keeps(name string, n int) bool {
	ctx := context.Background()
	holder := lease.Acquisition{Name: name, ID: id(99), Tag: lease.Tag{Attempt: 1, Exec: "0"}, TTL: time.Second}
	_, _ = f.Store.Acquire(ctx, holder)
	_, err := f.Store.Acquire(ctx, lease.Acquisition{Name: name, ID: id(n), Tag: lease.Tag{Attempt: 9, Exec: "0"}, TTL: time.Second})
	var held *lease.HeldError
	return errors.As(err, &held) && held.Place > 0
}

// A grant that could not be passed on goes back: to who is next. Its place is kept. One whose token the
// client was told before stays.
func TestTakeBack(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
		grant(t, l, request("job", 1))
		_, first := ask(t, l, patient(2))
		first.heard(t, "in line", 1, 0)
		_, second := ask(t, l, patient(3))
		second.heard(t, "in line", 1, 0)
		free(t, l, "job", 1)
		l.TakeBack(first.heard(t, "next", 1, 1).grant)
		got := second.heard(t, "taken back", 1, 1)
		if got.err != nil {
			t.Fatalf("answer = %v, want a lease", got.err)
		}
		r := patient(2)
		r.Attempt++
		_, back := ask(t, l, r)
		back.heard(t, "in line again", 1, 0)
		if back.queued[0].Ticket != first.queued[0].Ticket {
			t.Errorf("ticket = %d, want %d as before", back.queued[0].Ticket, first.queued[0].Ticket)
		}

		told := patient(3)
		told.Attempt, told.Told = 2, got.grant.Lease.Token
		l.TakeBack(grant(t, l, told))
		settle()
		if s.tokenOf("job") != told.Told {
			t.Error("a lease that its client may count on was taken back")
		}
		free(t, l, "job", 3)
		back.heard(t, "next", 1, 1)
	})
}

// An undo of what was handed over goes on for as long as that lease can last, although the deadline of
// its call was long ago.
func TestTakeBackGoesOn(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
		s.undo = func(ctx context.Context, _ lease.Undoing) error { <-ctx.Done(); return lease.ErrUnknown }
		grant(t, l, request("job", 1))
		_, to := ask(t, l, patient(2))
		settle()
		time.Sleep(20 * time.Second)
		free(t, l, "job", 1)
		l.TakeBack(to.heard(t, "next", 1, 1).grant)
		time.Sleep(33*time.Second - time.Nanosecond)
		settle()
		if n := l.Status().PendingCleanups; n != 1 {
			t.Errorf("%d cleanups are pending just before the lease is over, want 1", n)
		}
	})
}

// Draining ends whoever waits or pauses at once, and a call under way when it is over; places in line are
// kept, and what a call under way was granted is granted.
func TestDrain(t *testing.T) {
	for _, test := range []struct {
		state string
		free  bool // so that a call under way is granted
		until func(s *fake) (proceed func())
		kept  bool
	}{
		{"waiting", false, func(*fake) func() { return func() {} }, true},
		{"calling", false, func(s *fake) func() { gate := s.hold(false); return func() { close(gate) } }, true},
		{"calling, granted", true, func(s *fake) func() { gate := s.hold(false); return func() { close(gate) } }, false},
		{"pausing", true, func(s *fake) func() {
			s.onAcquire(fails(lease.ErrStoreFull))
			return func() {}
		}, false},
	} {
		t.Run(test.state, func(t *testing.T) {
			inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
				if !test.free {
					grant(t, l, request("job", 1))
				}
				proceed := test.until(s)
				_, to := ask(t, l, patient(2))
				settle()
				queued, drained := len(to.queued), time.Now()
				l.Drain()
				proceed()
				got := to.heard(t, "drained", queued, 1)
				if test.state == "calling, granted" {
					wantErr(t, "the answer", got.err, nil)
					return
				}
				wantErr(t, "the answer", got.err, lease.ErrDraining)
				if !got.at.Equal(drained) {
					t.Errorf("answered %s after Drain, want at once", got.at.Sub(drained))
				}
				s.Expire("job")
				s.onAcquire(nil)
				if got := s.tokenOf("job"); got != 0 {
					t.Errorf("token in force = %d, want none: who was drained is not in line", got)
				}
				if kept := s.keeps("job", 2); kept != test.kept {
					t.Errorf("its place is kept: %t, want %t", kept, test.kept)
				}
			})
		})
	}
}

// Who waits in line when an outcome becomes unknown, at the last asking, has its place kept and no lease.
func TestUnknownInLine(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
		r := request("job", 1)
		r.TTL = in(time.Hour)
		grant(t, l, r)
		_, to := ask(t, l, patient(2))
		to.heard(t, "in line", 1, 0)
		s.onAcquire(fails(lease.ErrUnknown))
		time.Sleep(time.Minute)
		wantErr(t, "the answer", to.heard(t, "out of time", 1, 1).err, lease.ErrUnknown)
		time.Sleep(time.Second)
		settle()
		if n := s.waiters("job"); n != 0 {
			t.Errorf("%d in line, want none", n)
		}
		s.Expire("job")
		if !s.keeps("job", 2) {
			t.Error("its place was not kept")
		}
	})
}

// No more than so many may be under way; who ends makes room.
func TestLobbyIsBounded(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, _ *fake) {
		restore := l.Crowd(lease.MaxAsking - 1)
		a, _ := ask(t, l, patient(1))
		settle() // granted: it has left
		b, err := l.Ask(patient(2), new(ears))
		wantErr(t, "Ask(room for one)", err, nil)
		_, err = l.Ask(patient(3), new(ears))
		wantErr(t, "Ask(full)", err, lease.ErrOverloaded)
		b.Cancel(false)
		c, err := l.Ask(patient(3), new(ears))
		wantErr(t, "Ask(room again)", err, nil)
		c.Cancel(false)
		a.Cancel(false)
		restore()
	})
}
