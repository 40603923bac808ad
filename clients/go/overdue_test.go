package lockd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

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

// The answer is seen also when one wake was for both, and none is told late who has its word already.
func TestOneWakeForTwo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c := newServers(t)
		s := newStream(c.link, nil, func() {}, "a")
		one := &call{slots: s.trying, until: closing}
		slot(one.slots)
		if _, err := s.begin(one, new(releasing), time.Second); err != nil {
			t.Fatal(err)
		}
		one.queued, one.late = heldAt(1), true
		one.signal()
		if got := one.next(nil); got != inLine || one.stood(time.Minute).GetPlace() != 1 {
			t.Fatalf("news = %d, want the place in line", got)
		}
		if one.late || one.due != time.Minute {
			t.Errorf("late %v, due after %s; want the word to be the place in line, and the answer due a minute on", one.late, one.due)
		}
		one.queued = heldAt(2)
		s.end(io.EOF)
		<-one.wake
		one.signal()
		if got := one.next(nil); got != inLine {
			t.Fatalf("news = %d, want the new place in line", got)
		}
		one.stood(time.Minute)
		if got := one.next(nil); got != answered {
			t.Errorf("news = %d, want the end", got)
		}
	})
}

// Close is seen also when one wake was for it and for the word that the call stands in line.
func TestOneWakeForThePlaceAndClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c := newServers(t)
		s := newStream(c.link, nil, func() {}, "a")
		one := &call{slots: s.trying, until: closing}
		slot(one.slots)
		if _, err := s.begin(one, new(releasing), time.Second); err != nil {
			t.Fatal(err)
		}
		one.queued = heldAt(1)
		one.signal()
		c.link.reached.Store(int32(closing))
		s.wakeAll()
		if got := one.next(nil); got != inLine {
			t.Fatalf("news = %d, want the place in line", got)
		}
		one.stood(time.Minute)
		begun := time.Now()
		if got, took := one.next(nil), time.Since(begun); got != cancelled || took > 0 {
			t.Errorf("news = %d after %s, want that nobody waits, at once", got, took)
		}
		s.end(io.EOF)
		c.link.reached.Store(int32(working))
	})
}

// What begins when the client has come too far for it is refused: nobody would end it any more.
func TestNothingBeginsTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c := newServers(t)
		s := newStream(c.link, nil, func() {}, "a")
		for _, until := range []stage{closing, abandoned} {
			one := &call{slots: s.others, until: until}
			if _, err := s.begin(one, new(releasing), time.Second); err != nil {
				t.Errorf("begin before stage %d = %v, want nil", until, err)
			}
			c.link.reach(until)
			if got := one.next(nil); got != cancelled {
				t.Errorf("news = %d at stage %d, want that nobody waits", got, until)
			}
			if _, err := s.begin(&call{slots: s.others, until: until}, new(releasing), time.Second); !errors.Is(err, errStreamEnded) {
				t.Errorf("begin at stage %d = %v, want an error", until, err)
			}
		}
		s.end(io.EOF)
		c.link.reached.Store(int32(working))
	})
}

// A release that nobody answers ends when Close does, also if it began late.
func TestCloseBoundsALateRelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c := newServers(t)
		done := acquiring(t.Context(), c, "job", WithoutKeepalive())
		f.stream("a").grant()
		l := (<-done).lease
		c.work.begin() // something that has Close wait
		begun, closed := time.Now(), make(chan struct{})
		go func() { _ = c.Close(); close(closed) }()
		time.Sleep(releaseFor - releaseTry/2)
		released := make(chan error)
		go func() { released <- l.Release(context.Background()) }()
		err := <-released
		if took := time.Since(begun); took > releaseFor || !errors.Is(err, ErrUnavailable) {
			t.Errorf("Release = %v, %s after Close began; want ErrUnavailable after %s", err, took, releaseFor)
		}
		c.work.end()
		<-closed
	})
}

// An answer that comes just when nobody waits for it any more is nobody's: neither reads what the other writes. Only
// the race detector can tell.
func TestAnAnswerThatComesAsItIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c := newServers(t)
		done := acquiring(t.Context(), c, "job", WithoutKeepalive())
		s := f.stream("a")
		s.grant()
		<-done
		here := c.link.ready(false).(*stream)
		go func() { _, _ = here.release(t.Context(), "job", "id") }()
		id := s.operation().GetId()
		<-time.After(releaseTry)
		s.answer(&lockdv1.Answer{Id: id, Result: &lockdv1.Answer_Released{Released: &lockdv1.ReleaseResponse{Outcome: lockdv1.ReleaseResponse_HELD}}})
		synctest.Wait()
	})
}
