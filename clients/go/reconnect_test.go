package lockd

import (
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// A renewal that gets no answer, on a stream on which nothing comes any more, goes to the next lockd in
// time, and so does everything else that was under way.
func TestMuteStreamIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c := newServers(t)
		done := acquiring(t.Context(), c, "job", WithTTL(3*time.Second))
		first := f.stream("a")
		first.grant()
		l := (<-done).lease
		waits := acquiring(t.Context(), c, "other")
		id, r1 := first.asks()
		first.answer(queuedAt(id, 1))
		time.Sleep(1800 * time.Millisecond) // the renewal was due after 1 s, and given up 750 ms later
		if first.operation().GetRenew() == nil {
			t.Fatal("no renewal was sent")
		}
		second := f.stream("b")
		time.Sleep(300 * time.Millisecond)
		second.take()
		var again, asked bool
		for _, op := range second.pending {
			switch r := op.GetRequest().(type) {
			case *lockdv1.Operation_Renew:
				again = true
				second.answer(&lockdv1.Answer{Id: op.GetId(), Result: &lockdv1.Answer_Renewed{Renewed: renewed(r.Renew)}})
			case *lockdv1.Operation_Acquire:
				asked = r.Acquire.GetLeaseId() == r1.GetLeaseId() && r.Acquire.GetAttempt() == 2
				second.answer(grantOf(op.GetId(), r.Acquire))
			}
		}
		if got := <-waits; !again || !asked || got.err != nil || l.Err() != nil {
			t.Errorf("renewed: %v, asked again: %v, Acquire = %v, Err = %v; want both, and no error", again, asked, got.err, l.Err())
		}
		if first.ctx.Err() == nil {
			t.Error("the mute stream still stands, want it ended")
		}
	})
}

// A lockd that cannot serve is left for another; not for itself.
func TestRefusingServerIsLeft(t *testing.T) {
	for next, left := range map[string]bool{"b": true, "a": false} {
		t.Run(next, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, c := newServers(t)
				done := acquiring(t.Context(), c, "job")
				first := f.stream("a")
				id, _ := first.asks()
				first.answer(errorOf(id, &lockdv1.Error{Code: int32(codes.Unavailable), Reason: reasonStore}))
				second := f.stream(next)
				time.Sleep(time.Second)
				goes, stays := second, first
				if !left {
					goes, stays = first, second
				}
				goes.grant()
				if got := <-done; got.err != nil {
					t.Errorf("Acquire = %v", got.err)
				}
				if stays.take(); len(stays.pending) != 0 {
					t.Errorf("%v was sent to the other", stays.pending)
				}
			})
		})
	}
}

// Streams that end as soon as they are opened are not opened in a loop.
func TestReconnectsWithPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c := newServers(t)
		ctx, cancel := context.WithTimeout(t.Context(), 9*time.Second)
		defer cancel()
		done := acquiring(ctx, c, "job")
		opened := 0
		for {
			select {
			case s := <-f.streams:
				opened++
				s.received <- &sessionResponse{Welcome: &lockdv1.Welcome{}}
				synctest.Wait()
				s.end(io.EOF)
				continue
			case <-done:
			}
			break
		}
		if opened < 5 || opened > 40 {
			t.Errorf("%d streams in 9 s, want some, with pauses of up to 1.5 s", opened)
		}
	})
}

// Tries that led nowhere do not slow down those of a later day: a stream that lasted is replaced at once.
func TestReconnectsAtOnceAfterAGoodStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c := newServers(t)
		done := acquiring(t.Context(), c, "job", WithTTL(2*time.Hour), WithoutKeepalive())
		s := f.stream("a")
		for range 5 { // its store is away, and there is no other lockd
			id, _ := s.asks()
			s.answer(errorOf(id, &lockdv1.Error{Code: int32(codes.Unavailable), Reason: reasonStore}))
			f.stream("a").end(io.EOF)
			time.Sleep(800 * time.Millisecond)
		}
		time.Sleep(time.Second)
		s.grant()
		if got := <-done; got.err != nil {
			t.Fatalf("Acquire = %v", got.err)
		}
		time.Sleep(time.Hour)
		begun := time.Now()
		s.end(io.EOF)
		f.stream("a")
		if took := time.Since(begun); took != 0 {
			t.Errorf("the next stream came after %s, want at once", took)
		}
	})
}

// The deadline is counted from before the operation was queued, however long it took to be sent.
func TestDeadlineIsCountedFromBeforeSending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c := newServers(t)
		holds := acquiring(t.Context(), c, "first")
		s := f.stream("a")
		s.grant()
		<-holds
		s.stall = make(chan struct{})
		asked := time.Now()
		done := acquiring(t.Context(), c, "job", WithTTL(10*time.Second))
		time.Sleep(time.Second)
		close(s.stall)
		s.grant()
		l := (<-done).lease
		if want := asked.Add(validity(10*time.Second, 0, 0)); l.Deadline().After(want) {
			t.Errorf("the deadline is %s after what is proven", l.Deadline().Sub(want))
		}
	})
}

// What waits to be sent while a message is on its way is the next message, as one.
func TestStreamBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c := newServers(t)
		holds := acquiring(t.Context(), c, "first")
		s := f.stream("a")
		s.grant()
		<-holds
		before := s.messages
		s.stall = make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		var done []<-chan result
		for range 50 {
			done = append(done, acquiring(ctx, c, "job"))
			synctest.Wait()
		}
		close(s.stall)
		if s.take(); s.messages-before != 2 || len(s.pending) != 50 {
			t.Errorf("%d operations in %d messages, want 50 in 2: one that was on its way and the rest", len(s.pending), s.messages-before)
		}
		cancel()
		for _, d := range done {
			<-d
		}
	})
}

// Too many operations without an answer wait for room; those who stand in line leave room for others.
func TestStreamHasRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c := newServers(t)
		holds := acquiring(t.Context(), c, "held", WithTTL(time.Minute))
		s := f.stream("a")
		s.grant()
		l := (<-holds).lease
		inside := c.link.current
		for range maxWaiting {
			inside.waiting <- struct{}{}
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := acquiring(ctx, c, "job")
		if s.take(); len(s.pending) != 0 {
			t.Errorf("%v was sent with no room for it", s.pending)
		}
		go l.Release(context.Background())
		s.answerRelease()
		tries := make(chan error, 1)
		go func() { _, err := c.TryAcquire(t.Context(), "free"); tries <- err }()
		s.grant()
		if err := <-tries; err != nil {
			t.Errorf("TryAcquire = %v, want the lease", err)
		}
		<-inside.waiting
		if _, r := s.asks(); r.GetName() != "job" {
			t.Errorf("%v was sent, want what waited for room", r)
		}
		cancel()
		<-done
	})
}

// Close releases what is held and ends the stream in peace, or soon without it.
func TestCloseEndsTheStream(t *testing.T) {
	for _, peace := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			f, c := newServers(t)
			done := acquiring(t.Context(), c, "job")
			s := f.stream("a")
			s.grant()
			<-done
			closed := make(chan error, 1)
			begun := time.Now()
			go func() { closed <- c.Close() }()
			s.answerRelease()
			if s.take(); !s.halfClosed {
				t.Error("the client's half is not closed")
			}
			if peace {
				s.end(io.EOF)
			}
			if err := <-closed; err != nil {
				t.Errorf("Close = %v", err)
			}
			if took := time.Since(begun); took > closeWithin || peace && took > 0 {
				t.Errorf("Close took %s", took)
			}
		})
	}
}
