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
