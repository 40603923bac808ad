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

// lockd's word that a lease is gone ends it at once, with the cause, if name and token are its own.
func TestSessionLost(t *testing.T) {
	forced := &lockdv1.Loss{Cause: lockdv1.Loss_FORCED, By: "ann", Reason: "stuck"}
	for name, test := range map[string]struct {
		notice *lockdv1.Lost
		want   error
		text   string
	}{
		"forced":     {&lockdv1.Lost{Name: "job", Token: fakeToken, Loss: forced}, ErrForceReleased, `lockd: the lease was released by force by "ann": stuck`},
		"expired":    {&lockdv1.Lost{Name: "job", Token: fakeToken, Loss: &lockdv1.Loss{Cause: lockdv1.Loss_EXPIRED}}, ErrExpired, ErrExpired.Error()},
		"to another": {&lockdv1.Lost{Name: "job", Token: fakeToken, Loss: &lockdv1.Loss{Cause: lockdv1.Loss_GRANTED_TO_ANOTHER}}, ErrLost, ErrLost.Error()},
		"unknown":    {&lockdv1.Lost{Name: "job", Token: fakeToken}, ErrLost, ErrLost.Error()},
		"older":      {&lockdv1.Lost{Name: "job", Token: fakeToken - 1, Loss: forced}, nil, ""},
		"other name": {&lockdv1.Lost{Name: "jobs", Token: fakeToken, Loss: forced}, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, c := newServers(t)
				done := acquiring(t.Context(), c, "job")
				s := f.stream("a")
				s.grant()
				l := (<-done).lease
				s.received <- &sessionResponse{Lost: []*lockdv1.Lost{test.notice}}
				synctest.Wait()
				got := context.Cause(l.Context())
				if !errors.Is(got, test.want) || got != nil && got.Error() != test.text {
					t.Errorf("cause = %v, want %s", got, test.text)
				}
				if test.want == ErrForceReleased && !errors.Is(got, ErrLost) {
					t.Errorf("%v is no ErrLost", got)
				}
			})
		})
	}
}

// A loss that comes together with the grant ends the lease, too.
func TestSessionLostAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c := newServers(t)
		done := acquiring(t.Context(), c, "job")
		s := f.stream("a")
		id, r := s.asks()
		s.received <- &sessionResponse{
			Answers: []*lockdv1.Answer{grantOf(id, r)},
			Lost:    []*lockdv1.Lost{{Name: "job", Token: fakeToken, Loss: &lockdv1.Loss{Cause: lockdv1.Loss_FORCED}}},
		}
		if got := <-done; got.err != nil || !errors.Is(got.lease.Err(), ErrForceReleased) {
			t.Errorf("Acquire = %v, %v; want a lease that was released by force", got.lease, got.err)
		}
	})
}

// Losses of what nobody holds are forgotten sometime.
func TestSessionLostOfNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c := newServers(t)
		done := acquiring(t.Context(), c, "job")
		s := f.stream("a")
		s.grant()
		<-done
		for n := range 2 * maxEarly {
			s.received <- &sessionResponse{Lost: []*lockdv1.Lost{{Name: "other", Token: int64(n + 1)}}}
			synctest.Wait()
		}
		c.link.mu.Lock()
		defer c.link.mu.Unlock()
		if n := len(c.link.early); n != maxEarly {
			t.Errorf("%d are remembered, want %d", n, maxEarly)
		}
	})
}

// A renewal says its token, and is told why the lease is gone, on either way.
func TestLossInTheAnswerToARenewal(t *testing.T) {
	forced := &lockdv1.Loss{Cause: lockdv1.Loss_FORCED, By: "ann", Reason: "stuck"}
	check := func(t *testing.T, l *Lease) {
		t.Helper()
		var why *ForcedError
		if got := l.Err(); !errors.Is(got, ErrForceReleased) || !errors.As(got, &why) || *why != (ForcedError{By: "ann", Reason: "stuck"}) {
			t.Errorf("Err = %v, want a *ForcedError by ann", got)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		f, c := newServers(t)
		done := acquiring(t.Context(), c, "job", WithTTL(3*time.Second))
		s := f.stream("a")
		s.grant()
		l := (<-done).lease
		time.Sleep(1100 * time.Millisecond)
		op := s.operation()
		if op.GetRenew().GetToken() != fakeToken {
			t.Errorf("%v was sent, want a renewal with its token", op)
		}
		s.answer(errorOf(op.GetId(), &lockdv1.Error{Code: int32(codes.FailedPrecondition), Reason: reasonLost, Loss: forced}))
		synctest.Wait()
		check(t, l)
	})
	synctest.Test(t, func(t *testing.T) {
		f, c := newFake(t)
		f.renew = func(context.Context, *lockdv1.RenewRequest) (*lockdv1.RenewResponse, error) {
			return nil, refuse(codes.FailedPrecondition, reasonLost, forced)
		}
		l := acquired(t, c, "job", WithTTL(3*time.Second))
		time.Sleep(1100 * time.Millisecond)
		check(t, l)
	})
}
