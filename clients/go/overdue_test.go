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
	"google.golang.org/protobuf/types/known/durationpb"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// What is granted counts from little before its sending, however long ago the clocks were read last.
func TestSentIsRecent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, s, _ := holdingOver(t, "first")
		time.Sleep(time.Second) // nothing is heard meanwhile
		begun := time.Now()
		done := acquiring(t.Context(), c, "job", WithTTL(10*time.Second))
		time.Sleep(time.Second)
		s.grant()
		l := (<-done).lease
		l.mu.Lock()
		defer l.mu.Unlock()
		if from := l.deadline.mono.Add(-validity(10*time.Second, 0, 0)); from.After(begun) || begun.Sub(from) > recent {
			t.Errorf("the ttl counts from %s after the sending, want from up to %s before", from.Sub(begun), recent)
		}
	})
}

// One timer is enough for many: each is told when its own word is overdue, in whichever order they were sent.
func TestEachCallIsOverdueInItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c := newServers(t)
		l := c.link
		s := newStream(l, nil, func() {}, "a")
		within := []time.Duration{3, 1, 2, 1, 5, 4}
		told := make(chan time.Duration, len(within))
		begun := time.Now()
		for _, d := range within {
			one := &call{slots: s.trying, until: closing}
			slot(one.slots)
			if _, err := s.begin(one, new(releasing), d*time.Second); err != nil {
				t.Fatal(err)
			}
			go func() {
				if got := one.next(nil); got != overdue {
					t.Errorf("news = %d, want that it is overdue", got)
				}
				told <- time.Since(begun) - d*time.Second
			}()
		}
		for range within {
			if late := <-told; late < 0 || late > time.Millisecond {
				t.Errorf("told %s after the word was due, want at once", late)
			}
		}
		s.mu.Lock()
		watch := s.watch
		s.mu.Unlock()
		if watch != 0 {
			t.Error("the timer is set and nothing is due any more")
		}
		s.end(io.EOF)
	})
}

// Who has been told that it stands in line is not told that its first word is overdue.
func TestInLineIsAWord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c := newServers(t)
		done := acquiring(t.Context(), c, "job")
		s := f.stream("a")
		id, r := s.asks()
		time.Sleep(replyWithin - time.Millisecond)
		s.answer(queuedAt(id, 1))
		time.Sleep(time.Minute - replyWithin)
		if s.take(); len(s.pending) != 0 {
			t.Errorf("%v was sent while it stands in line", s.pending)
		}
		answer := grantOf(id, r)
		answer.GetAcquired().Waited = durationpb.New(time.Minute)
		s.answer(answer)
		<-done
	})
}

// Close ends who waits on a stream, for a first word or in line, and tells lockd.
func TestCloseEndsWhoWaitsOnAStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c := newServers(t)
		var waits []<-chan result
		for i := range 3 {
			waits = append(waits, acquiring(context.Background(), c, fmt.Sprint(i)))
		}
		s := f.stream("a")
		id, _ := s.asks()
		s.answer(queuedAt(id, 1))
		synctest.Wait()
		begun, closed := time.Now(), make(chan struct{})
		go func() { _ = c.Close(); close(closed) }()
		for _, done := range waits {
			if got := <-done; !errors.Is(got.err, ErrClosed) {
				t.Errorf("Acquire = %v, want ErrClosed", got.err)
			}
		}
		if took := time.Since(begun); took > 0 {
			t.Errorf("they ended %s after Close began, want at once", took)
		}
		if s.take(); len(s.cancels) != len(waits) {
			t.Errorf("%v are cancelled, want all three", s.cancels)
		}
		<-closed
	})
}

// An answer and the word that it stands in line may come in one message: both count, in this order.
func TestQueuedAndAnsweredAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c := newServers(t)
		var told []int
		done := acquiring(t.Context(), c, "job", WithQueued(func(h HeldError) { told = append(told, h.Position) }))
		s := f.stream("a")
		id, r := s.asks()
		s.answer(queuedAt(id, 5), grantOf(id, r))
		if got := <-done; got.err != nil || len(told) != 1 {
			t.Errorf("Acquire = %v, told %v; want the lease, and the place before", got.err, told)
		}
	})
}

// A release that is not answered ends when Close does, also if it is the first try.
func TestCloseBoundsAFirstRelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, s, leases := holdingOver(t, "a")
		closed := make(chan struct{})
		go func() { _ = c.Close(); close(closed) }()
		begun := time.Now()
		time.Sleep(releaseFor - releaseTry/2)
		s.take()
		s.answer(errorOf(s.operation().GetId(), &lockdv1.Error{Code: int32(codes.Unavailable)}))
		<-closed
		if took := time.Since(begun); took > releaseFor+closeWithin {
			t.Errorf("Close took %s, want at most %s", took, releaseFor+closeWithin)
		}
		if leases[0].Err() == nil {
			t.Error("the lease has not ended")
		}
	})
}
