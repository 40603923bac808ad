package lockd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// Acquire asks to stand in line at once, says who is in the way and which place it has, and gets the
// lease when its turn comes.
func TestSessionWaitsInLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c := newServers(t)
		var told []HeldError
		done := acquiring(t.Context(), c, "job", WithTTL(10*time.Second), WithQueued(func(h HeldError) { told = append(told, h) }))
		s := f.stream("a")
		id, r := s.asks()
		if got, want := r.GetWait().AsDuration(), longWait+keepsStanding; got != want || r.GetAttempt() != 1 {
			t.Errorf("attempt %d waits %s, want 1 and %s", r.GetAttempt(), got, want)
		}
		s.answer(queuedAt(id, 3))
		synctest.Wait()
		want := HeldError{Name: "job", Owner: "another", Token: 42, Position: 3, Since: told[0].Since}
		if len(told) != 1 || told[0] != want {
			t.Errorf("told %v, want %v once", told, want)
		}
		time.Sleep(30 * time.Second)
		resp := granted(r)
		s.answer(&lockdv1.Answer{Id: id, Result: &lockdv1.Answer_Acquired{Acquired: resp}})
		synctest.Wait()
		// It does not say that it waited: its ttl is counted from its sending and is over by now, so that
		// it is renewed before it is anybody's.
		op := s.operation()
		if op.GetRenew() == nil && op.GetAcquire() == nil {
			t.Errorf("%v was sent, want something that makes the lease fresh", op)
		}
		_ = c.Close()
		<-done
	})
}

// A wait that outlasts one request asks again while the first still stands, with the next attempt; the
// answer to the first does not matter any more.
func TestSessionAsksAgainBeforeItsWaitIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c := newServers(t)
		begun := time.Now()
		var places []int
		done := acquiring(t.Context(), c, "job", WithQueued(func(h HeldError) { places = append(places, h.Position) }))
		s := f.stream("a")
		first, r1 := s.asks()
		s.answer(queuedAt(first, 2))
		time.Sleep(longWait)
		second, r2 := s.asks()
		if took := time.Since(begun); took >= r1.GetWait().AsDuration() {
			t.Errorf("asked again after %s, want before the wait of %s is over", took, r1.GetWait().AsDuration())
		}
		if r2.GetLeaseId() != r1.GetLeaseId() || r2.GetAttempt() != 2 || len(s.cancels) != 0 {
			t.Errorf("asked again as attempt %d with %d cancellations, want attempt 2 of the same lease id and none", r2.GetAttempt(), len(s.cancels))
		}
		s.answer(queuedAt(second, 1), errorOf(first, &lockdv1.Error{Code: int32(codes.Aborted), Reason: reasonSuperseded}))
		time.Sleep(time.Second)
		s.answer(&lockdv1.Answer{Id: second, Result: &lockdv1.Answer_Acquired{Acquired: granted(r2)}})
		if got := <-done; got.err != nil {
			t.Errorf("Acquire = %v, want the lease of the second attempt", got.err)
		}
		if len(places) != 2 || places[0] != 2 || places[1] != 1 {
			t.Errorf("told the places %v, want 2, then 1", places)
		}
	})
}

// An attempt whose place the next one has taken over is given up: it could be granted the name once more after
// all is over, and those of a long wait would pile up.
func TestSessionGivesUpWhatWasTakenOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c := newServers(t)
		done := acquiring(t.Context(), c, "job")
		s := f.stream("a")
		for n := range 4 {
			id, r := s.asks()
			if s.take(); len(s.cancels) != max(0, n-1) {
				t.Errorf("%v are cancelled before attempt %d stands in line, want %d", s.cancels, n+1, max(0, n-1))
			}
			s.answer(queuedAt(id, 1))
			if s.take(); len(s.cancels) != n || n > 0 && s.cancels[n-1] != id-1 {
				t.Errorf("%v are cancelled when attempt %d stands in line, want all before it", s.cancels, n+1)
			}
			if n == 3 {
				s.answer(grantOf(id, r))
				break
			}
			time.Sleep(longWait)
		}
		if got := <-done; got.err != nil {
			t.Errorf("Acquire = %v, want the lease", got.err)
		}
		if s.take(); len(s.cancels) != 3 || len(s.pending) != 0 {
			t.Errorf("%v are cancelled, %v sent; want three and nothing", s.cancels, s.pending)
		}
	})
}

// A grant to an attempt that nobody waits for any more, after the lease was released, is given back.
func TestSessionLateGrant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c := newServers(t)
		done := acquiring(t.Context(), c, "job")
		s := f.stream("a")
		first, r1 := s.asks()
		s.answer(queuedAt(first, 1))
		time.Sleep(longWait)
		s.grant()
		l := (<-done).lease
		s.answer(grantOf(first, r1)) // of the lease that is held: nothing to give back
		synctest.Wait()
		if s.take(); len(s.pending) != 0 || l.Err() != nil {
			t.Errorf("%v was sent, Err = %v; want nothing", s.pending, l.Err())
		}
	})
	synctest.Test(t, func(t *testing.T) {
		f, c := newServers(t)
		done := acquiring(t.Context(), c, "job")
		s := f.stream("a")
		first, r1 := s.asks()
		s.answer(queuedAt(first, 1))
		time.Sleep(longWait)
		s.grant()
		l := (<-done).lease
		go l.Release(context.Background())
		s.answerRelease()
		s.answer(grantOf(first, r1)) // a new lease, and nobody's
		synctest.Wait()
		if op := s.operation(); op.GetRelease().GetLeaseId() != r1.GetLeaseId() {
			t.Errorf("%v was sent, want the late grant to be released", op)
		}
	})
}

// answerRelease answers the next operation, a release, with HELD.
func (s *fakeStream) answerRelease() {
	s.t.Helper()
	op := s.operation()
	if op.GetRelease() == nil {
		s.t.Fatalf("%v was sent, want a release", op)
	}
	s.answer(&lockdv1.Answer{Id: op.GetId(), Result: &lockdv1.Answer_Released{Released: released(lockdv1.ReleaseResponse_HELD)}})
	synctest.Wait()
}

// A waiter whose context ends leaves the line at once; the error names holder and place, and nothing has
// to be released: what crosses the cancellation is lockd's to take back.
func TestSessionCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c := newServers(t)
		ctx, cancel := context.WithCancel(t.Context())
		done := acquiring(ctx, c, "job")
		s := f.stream("a")
		id, r := s.asks()
		s.answer(queuedAt(id, 7))
		synctest.Wait()
		cancel()
		got := <-done
		var held *HeldError
		if !errors.Is(got.err, context.Canceled) || !errors.As(got.err, &held) || held.Position != 7 {
			t.Errorf("Acquire = %v, want context.Canceled and a *HeldError with place 7", got.err)
		}
		if s.take(); len(s.cancels) != 1 || s.cancels[0] != id {
			t.Errorf("cancelled %v, want %d", s.cancels, id)
		}
		s.answer(grantOf(id, r)) // it crossed
		synctest.Wait()
		if s.take(); len(s.pending) != 0 {
			t.Errorf("%v was sent, want nothing: lockd has the cancellation", s.pending)
		}
	})
}

// If the stream breaks before lockd has confirmed a cancellation, the lease id is released on the next.
func TestSessionCancelThatBroke(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c := newServers(t)
		ctx, cancel := context.WithCancel(t.Context())
		done := acquiring(ctx, c, "job")
		s := f.stream("a")
		_, r := s.asks()
		cancel()
		<-done
		s.end(io.EOF)
		if op := f.stream("b").operation(); op.GetRelease().GetLeaseId() != r.GetLeaseId() {
			t.Errorf("%v was sent, want a release of the lease id", op)
		}
	})
}

// How lockd calls the end of a stream says nothing of the operations that it left unanswered: they may
// have been done.
func TestSessionEndLeavesDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c := newServers(t)
		ctx, cancel := context.WithCancel(t.Context())
		done := acquiring(ctx, c, "job")
		s := f.stream("a")
		_, r := s.asks()
		s.end(refuse(codes.Unavailable, reasonDraining))
		next := f.unwelcomed()
		cancel()
		<-done
		next.received <- &sessionResponse{Welcome: &lockdv1.Welcome{Instance: "b"}}
		if op := next.operation(); op.GetRelease().GetLeaseId() != r.GetLeaseId() {
			t.Errorf("%v was sent, want a release of the lease id", op)
		}
	})
}

// When a stream ends, whoever waits asks again on the next, still to stand in line, and the next is told
// which leases are held.
func TestSessionReconnects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c := newServers(t)
		holds := acquiring(t.Context(), c, "held", WithTTL(time.Minute))
		first := f.stream("a")
		first.grant()
		l := (<-holds).lease
		waits := acquiring(t.Context(), c, "job")
		id, r1 := first.asks()
		first.answer(queuedAt(id, 1))
		time.Sleep(10 * time.Second)
		broke := time.Now()
		first.end(io.EOF)
		second := f.stream("b")
		time.Sleep(100 * time.Millisecond)
		id, r2 := second.asks()
		if r2.GetLeaseId() != r1.GetLeaseId() || r2.GetAttempt() != 2 || r2.GetWait().AsDuration() <= longWait {
			t.Errorf("asked again as attempt %d with wait %s, want attempt 2, to stand in line", r2.GetAttempt(), r2.GetWait().AsDuration())
		}
		if took := time.Since(broke); took > 500*time.Millisecond {
			t.Errorf("it took %s, want at most 500ms", took)
		}
		if len(second.resumed) != 1 || second.resumed[0].GetName() != "held" || second.resumed[0].GetToken() != l.Token() {
			t.Errorf("resumed %v, want the lease that is held", second.resumed)
		}
		second.answer(grantOf(id, r2))
		if got := <-waits; got.err != nil {
			t.Errorf("Acquire = %v", got.err)
		}
		if l.Err() != nil {
			t.Errorf("Err = %v, want nil: the end of a stream ends no lease", l.Err())
		}
	})
}

// A lockd that is going away: acquisitions go on elsewhere at once, in their old place; what is
// under way is still answered; then the old stream is closed.
func TestSessionDraining(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c := newServers(t)
		holds := acquiring(t.Context(), c, "held", WithTTL(time.Hour))
		first := f.stream("a")
		first.grant()
		l := (<-holds).lease
		waits := acquiring(t.Context(), c, "job")
		id, _ := first.asks()
		first.answer(queuedAt(id, 1))
		released := make(chan error, 1)
		go func() { released <- l.Release(context.Background()) }()
		release := first.operation()

		began := time.Now()
		first.received <- &sessionResponse{Draining: true, Answers: []*lockdv1.Answer{
			errorOf(id, &lockdv1.Error{Code: int32(codes.Unavailable), Reason: reasonDraining}),
		}}
		second := f.stream("b")
		_, r := second.asks()
		if r.GetAttempt() != 2 || time.Since(began) != 0 {
			t.Errorf("attempt %d after %s, want 2 at once", r.GetAttempt(), time.Since(began))
		}
		if first.take(); first.halfClosed {
			t.Error("the old stream was closed before its last answer")
		}
		first.answer(&lockdv1.Answer{Id: release.GetId(), Result: &lockdv1.Answer_Released{Released: &lockdv1.ReleaseResponse{Outcome: lockdv1.ReleaseResponse_HELD}}})
		if err := <-released; err != nil {
			t.Errorf("Release = %v, want the old stream's answer to count", err)
		}
		if first.take(); !first.halfClosed {
			t.Error("the old stream stays open after its last answer")
		}
		_ = c.Close()
		<-waits
	})
}

// A lease that the old lockd still granted is made known to the new one, which is to tell of its loss.
func TestSessionResumesWhatTheOldStreamGrants(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c := newServers(t)
		done := acquiring(t.Context(), c, "job")
		first := f.stream("a")
		id, r := first.asks()
		first.received <- &sessionResponse{Draining: true}
		second := f.stream("b")
		first.answer(grantOf(id, r))
		if got := <-done; got.err != nil {
			t.Fatalf("Acquire = %v", got.err)
		}
		if second.take(); len(second.resumed) != 1 || second.resumed[0].GetName() != "job" {
			t.Errorf("resumed %v, want the lease", second.resumed)
		}
	})
}

// Draining counts neither as a failure nor as silence, however long it lasts and however often.
func TestSessionDrainingTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c := newServers(t, WithUnavailableFor(time.Second))
		done := acquiring(t.Context(), c, "job")
		for i := range 20 {
			s := f.stream(fmt.Sprint(i))
			id, _ := s.asks()
			s.answer(queuedAt(id, 1))
			time.Sleep(settled)
			s.received <- &sessionResponse{Draining: true}
			s.answer(errorOf(id, &lockdv1.Error{Code: int32(codes.Unavailable), Reason: reasonDraining}))
		}
		f.stream("last").grant()
		if got := <-done; got.err != nil {
			t.Errorf("Acquire = %v, want the lease", got.err)
		}
	})
}
