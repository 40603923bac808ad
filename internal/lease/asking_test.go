package lease_test

import (
	"context"
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

// Asked implements lease.Asker.
func (*ears) Asked() {}

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
