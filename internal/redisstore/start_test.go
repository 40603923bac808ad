package redisstore

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/test/proxy"
	"github.com/lockd/lockd/test/redisproc"
)

// Close waits for the calls that are under way and begins no more of them: what is in the queue is not sent, nor is what
// comes later.
func TestCloseBeginsNoSharedCall(t *testing.T) {
	t.Parallel()
	p := proxy.Redis(t, redisproc.Start(t).Addr())
	s, err := Open(t.Context(), Config{URL: "redis://" + p.Addr()})
	if err != nil {
		t.Fatal(err)
	}
	acquire(t, s, asking("warm"))
	p.HoldReplies()
	defer p.Release()
	const all = 4 * maxBatches * maxBatch
	answers := make(ended, all+1)
	start := func(name string) {
		a := asking(name)
		s.Start([]*lease.Call{{Acquire: &a, To: answers, Deadline: time.Now().Add(time.Minute)}})
	}
	for i := range all {
		start(fmt.Sprint("job-", i))
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close = %v, want nil", err)
	}
	start("late")
	if len(answers) != all+1 {
		t.Fatalf("%d of %d were answered", len(answers), all+1)
	}
	sent := 0
	for range all + 1 {
		switch got := <-answers; {
		case errors.Is(got.Err, lease.ErrUnknown):
			sent++
		case !errors.Is(got.Err, lease.ErrUnavailable):
			t.Errorf("answered %v, want ErrUnknown or ErrUnavailable", got.Err)
		}
	}
	if sent == 0 || sent > maxBatches*maxBatch {
		t.Errorf("%d were sent, want some and no more than %d calls do", sent, maxBatches)
	}
}

// The operations on one name begin in the order in which they came.
func TestNobodyOvertakesAReleaseOfTheName(t *testing.T) {
	t.Parallel()
	s := open(t, redisproc.Start(t).URL())
	s.batch.mu.Lock()
	defer s.batch.mu.Unlock()
	before, release, after := enqueue(t, s, asking("job")), enqueueRelease(t, s, asking("job")), enqueue(t, s, asking("job"))
	for i, want := range []inBatch{before, release, after} {
		if got := s.batch.takeLocked(); len(got) != 1 || got[0] != want.op {
			t.Errorf("call %d has %d operations, want the one that was asked for as number %d", i, len(got), i)
		}
	}
}

// Who asks for a name with a line, and whose time is over before there is somebody to ask, was not sent.
func TestWhatWaitedTooLongForACallInLineIsNotUnknown(t *testing.T) {
	t.Parallel()
	s := open(t, redisproc.Start(t).URL())
	acquire(t, s, asking("job"))
	waiting := asking("job")
	waiting.Turn, waiting.Until = func(lease.Handover) {}, time.Now().Add(time.Minute)
	if _, err := s.Acquire(soon(t), waiting); !errors.As(err, new(*lease.HeldError)) {
		t.Fatalf("Acquire of a name that is held = %v, want *HeldError", err)
	}
	const all = 32
	answers := make(ended, all)
	for range all {
		a := asking("job")
		s.startInLine(&lease.Call{Acquire: &a, To: answers, Deadline: time.Now().Add(-time.Millisecond)})
	}
	for range all {
		if got := <-answers; !errors.Is(got.Err, lease.ErrUnavailable) || errors.Is(got.Err, lease.ErrUnknown) {
			t.Errorf("answered %v, want ErrUnavailable", got.Err)
		}
	}
}
