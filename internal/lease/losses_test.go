package lease_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/lockd/lockd/internal/lease"
)

// told is what a holder was told.
type told []lease.Loss

// Lost implements lease.Holder.
func (x *told) Lost(loss lease.Loss)  { *x = append(*x, loss) }
func (x *told) Requested(lease.Event) {}

func (x *told) listen(l *lease.Lessor, name string, token lease.Token) (stop func()) {
	ear := new(lease.Listener)
	l.Listen(ear, name, token, x)
	return func() { l.StopListening(ear) }
}

func (x *told) want(t *testing.T, what string, want ...lease.Loss) {
	t.Helper()
	settle()
	if fmt.Sprint(*x) != fmt.Sprint(told(want)) {
		t.Errorf("%s: told %v, want %v", what, *x, want)
	}
}

func force(t *testing.T, l *lease.Lessor, name string, token lease.Token) lease.Loss {
	t.Helper()
	r := lease.ForceRequest{Name: name, Token: token, Reason: "the host burnt down", By: "ada@desk"}
	if _, err := l.ForceRelease(t.Context(), r); err != nil {
		t.Fatalf("ForceRelease = %v, want nil", err)
	}
	return lease.Loss{Cause: lease.CauseForced, By: r.By, Reason: r.Reason}
}

// A holder that listens is told that its lease was forced, by whom and why, once; holders of other
// leases are not, and none that has stopped listening.
func TestListenForced(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, _ *fake) {
		token := grant(t, l, request("job", 1)).Lease.Token
		other := grant(t, l, request("other", 2)).Lease.Token
		var holder, twin, elsewhere, former, stopped told
		holder.listen(l, "job", token)
		stopTwin := twin.listen(l, "job", token)
		elsewhere.listen(l, "other", other)
		former.listen(l, "job", token-1)
		stopped.listen(l, "job", token)()
		loss := force(t, l, "job", token)
		holder.want(t, "the holder", loss)
		twin.want(t, "its twin", loss)
		elsewhere.want(t, "another name's holder")
		former.want(t, "another token's holder")
		stopped.want(t, "one who has stopped listening")
		stopTwin()
		force(t, l, "job", grant(t, l, request("job", 3)).Lease.Token)
		holder.want(t, "the former holder", loss)
	})
}

// Whoever begins to listen after the force is told at once.
func TestListenTooLate(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, _ *fake) {
		token := grant(t, l, request("job", 1)).Lease.Token
		loss := force(t, l, "job", token)
		var late told
		late.listen(l, "job", token)()
		late.want(t, "one who comes late", loss)
	})
}

// A force that hands the name to a waiter here is told as a force, also if the grant is heard of first.
func TestListenForcedWithAWaiter(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
		token := grant(t, l, request("job", 1)).Lease.Token
		_, to := ask(t, l, patient(2))
		settle()
		var holder told
		holder.listen(l, "job", token)
		s.force = func(ctx context.Context, r lease.ForceRequest) (lease.Lease, error) {
			_, err := s.Store.Release(ctx, lease.ReleaseRequest{Name: r.Name, ID: id(1)}) // nobody hears of a force
			return lease.Lease{}, err
		}
		holder.want(t, "the holder", force(t, l, "job", token))
		to.heard(t, "the next", 1, 1)
	})
}

// A force that is made at another server reaches the holder here.
func TestListenForcedElsewhere(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
		elsewhere := lease.NewLessor(s, lease.Limits{}.WithDefaults())
		token := grant(t, l, request("job", 1)).Lease.Token
		var holder told
		holder.listen(l, "job", token)
		holder.want(t, "the holder", force(t, elsewhere, "job", token))
	})
}

// A holder whose name is granted to another while it believes in its lease is told; a release it asked for
// itself, or its own renewal by acquiring again, is no loss.
func TestListenGrantedToAnother(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
		token := grant(t, l, request("job", 1)).Lease.Token
		var holder, next told
		holder.listen(l, "job", token)
		r := request("job", 1)
		r.Attempt = 2
		grant(t, l, r)
		holder.want(t, "the holder that asked again")
		_, to := ask(t, l, patient(2))
		settle()
		s.Expire("job") // as a store that lost it would
		handed := to.heard(t, "next", 1, 1).grant.Lease
		next.listen(l, "job", handed.Token)
		holder.want(t, "the holder", lease.Loss{Cause: lease.CauseGrantedToAnother})
		next.want(t, "the next one")
		s.Expire("job")
		grant(t, l, request("job", 3))
		next.want(t, "the next one", lease.Loss{Cause: lease.CauseGrantedToAnother})
	})
}

// A renewal that says which token it means is told why that lease is lost, if it is known; a lost lease
// stays ErrLost in any case.
func TestRenewSaysWhy(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
		renew := func(token lease.Token) error {
			_, err := l.Renew(lease.RenewRequest{Name: "job", ID: id(1), Told: token})
			return err
		}
		token := grant(t, l, request("job", 1)).Lease.Token
		wantErr(t, "Renew(held)", renew(token), nil)
		loss := force(t, l, "job", token)
		for _, told := range []lease.Token{token, token - 1, 0} {
			err := renew(told)
			wantErr(t, "Renew(forced)", err, lease.ErrLost)
			if why := new(lease.LostError); errors.As(err, &why) != (told == token) || (told == token && why.Loss != loss) {
				t.Errorf("Renew(forced, token %d) = %v, want the loss of %d only", told, err, token)
			}
		}
		s.Expire("job")
	})
}

// A known loss spoils no renewal that succeeds or fails otherwise.
func TestRenewSaysWhyOnlyIfLost(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, _ *fake) {
		token := grant(t, l, request("job", 1)).Lease.Token
		force(t, l, "job", token)
		grant(t, l, request("job", 1))
		if _, err := l.Renew(lease.RenewRequest{Name: "job", ID: id(1), Told: token}); err != nil {
			t.Errorf("Renew(held) = %v, want nil", err)
		}
	})
}

// The last thousand or so forced ends are remembered, not more.
func TestForcedEndsAreForgotten(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, _ *fake) {
		var tokens []lease.Token
		for range lease.MaxRemembered + 1 {
			token := grant(t, l, request("job", 1)).Lease.Token
			force(t, l, "job", token)
			tokens = append(tokens, token)
		}
		for i, known := range map[int]bool{0: false, 1: true, lease.MaxRemembered: true} {
			_, err := l.Renew(lease.RenewRequest{Name: "job", ID: id(1), Told: tokens[i]})
			if got := errors.As(err, new(*lease.LostError)); got != known {
				t.Errorf("force %d of %d is remembered: %t, want %t", i+1, len(tokens), got, known)
			}
		}
	})
}

// Watch passes on what the store sees under a prefix, until it is stopped; its call is bounded.
func TestWatch(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, _ *fake) {
		var kinds []lease.EventKind
		ctx, cancel := context.WithCancel(t.Context())
		stop, err := l.Watch(ctx, "job", func(e lease.Event) { kinds = append(kinds, e.Kind) })
		wantErr(t, "Watch", err, nil)
		cancel() // the caller's ctx is for the call, not for the watching
		grant(t, l, request("job", 1))
		grant(t, l, request("other", 2))
		free(t, l, "job", 1)
		time.Sleep(time.Second)
		stop()
		grant(t, l, request("job", 1))
		if want := []lease.EventKind{lease.EventAcquired, lease.EventReleased}; fmt.Sprint(kinds) != fmt.Sprint(want) {
			t.Errorf("events %v, want %v", kinds, want)
		}
	})
}

// Get answers who waits: the first hundred, and how many.
func TestGetWaiters(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, _ *fake) {
		grant(t, l, request("job", 1))
		var all []*lease.Asking
		for n := range 110 {
			r := patient(2 + n)
			r.Owner = fmt.Sprint("waiter ", n)
			a, _ := ask(t, l, r)
			all = append(all, a)
			settle()
		}
		got, err := l.Get(t.Context(), "job")
		if err != nil || !got.Held || got.Waiting != 110 || len(got.Waiters) != 100 || got.Waiters[99].Owner != "waiter 99" {
			t.Errorf("Get = %d of %d waiters, %v, want the first 100 of 110", len(got.Waiters), got.Waiting, err)
		}
		for _, a := range all {
			a.Cancel(false)
		}
	})
}
