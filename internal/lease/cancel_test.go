package lease_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/lockd/lockd/internal/lease"
)

// cancellations are the states in which an acquisition is cancelled.
var cancellations = []struct {
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
}

// Cancel ends an acquisition in whatever state: nobody is told anything any more, and nothing is left behind
// but, if it was asked for, the place of one who was in line.
func TestCancel(t *testing.T) {
	for _, keep := range []bool{false, true} {
		for _, test := range cancellations {
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

// Who is cancelled at the end of the wait, when the last call is about to begin, leaves nothing behind: neither
// the place in line, nor the lease if its turn has just come.
func TestCancelBeforeTheLastCall(t *testing.T) {
	for _, turn := range []bool{false, true} {
		t.Run(fmt.Sprintf("its turn has come %t", turn), func(t *testing.T) {
			inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
				r := request("job", 1)
				r.TTL = in(time.Hour)
				grant(t, l, r)
				a, to := ask(t, l, patient(2))
				to.heard(t, "in line", 1, 0)
				a.OutOfTime()
				if turn {
					s.Expire("job")
					settle()
				}
				if !a.Cancel(false) {
					t.Fatal("Cancel = false, want true: it was not answered")
				}
				a.Run()
				settle()
				to.heard(t, "cancelled", 1, 0)
				if s.waiters("job") != 0 || turn && s.tokenOf("job") != 0 {
					t.Errorf("%d in line, token %d; want nobody and nothing", s.waiters("job"), s.tokenOf("job"))
				}
			})
		})
	}
}

// An attempt whose place a later one has taken over does that one no harm when it is cancelled, and is not
// granted the name when its time is up, long after the lease was released.
func TestCancelOfAnAttemptThatWasTakenOver(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
		r := request("job", 1)
		r.TTL = in(time.Hour)
		grant(t, l, r)
		first, deaf := ask(t, l, patient(2))
		time.Sleep(30 * time.Second)
		again := patient(2)
		again.Attempt++
		_, to := ask(t, l, again)
		to.heard(t, "in line", 1, 0)
		if !first.Cancel(false) {
			t.Fatal("Cancel = false, want true: it was not answered")
		}
		settle()
		free(t, l, "job", 1)
		to.heard(t, "its turn", 1, 1)
		free(t, l, "job", 2)
		time.Sleep(time.Minute)
		settle()
		deaf.heard(t, "cancelled", 1, 0)
		if s.tokenOf("job") != 0 {
			t.Error("the name is held, want it free")
		}
	})
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
