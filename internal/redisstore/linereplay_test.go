package redisstore

import (
	"errors"
	"testing"
	"time"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/test/redisproc"
)

// What becomes of a wait when its attempt is executed once more. Places and turns are leasetest's.

// replayed is another execution of the same attempt.
func replayed(a lease.Acquisition) lease.Acquisition {
	a.Tag.Exec = asking(a.Name).Tag.Exec
	return a
}

// withoutAWait has a refused, not being ready to wait.
func withoutAWait(t *testing.T, s *Store, a lease.Acquisition) {
	t.Helper()
	a.Turn = nil
	if _, err := s.Acquire(soon(t), a); !errors.As(err, new(*lease.HeldError)) {
		t.Fatalf("Acquire(without a wait) = %v, want HeldError", err)
	}
}

// Of two waits of one attempt the one that took the place over gives it up at its end, though no
// execution has the tag that stands there: nothing is granted to nobody.
func TestAReplayedWaitGivesItsTurnUp(t *testing.T) {
	s := open(t, redisproc.Shared(t).URL())
	holder := asking("job")
	acquire(t, s, holder)
	first := queued(t, s, "job")
	second := turn{replayed(first.Acquisition), make(chan lease.Handover, 1)}
	second.Turn, second.Until = func(h lease.Handover) { second.came <- h }, time.Now().Add(20*time.Millisecond)
	if _, err := s.Acquire(soon(t), second.Acquisition); !errors.As(err, new(*lease.HeldError)) {
		t.Fatalf("Acquire = %v, want a place", err)
	}
	until(t, time.Second, "the second wait is over", func() bool { return time.Now().After(second.Until) })
	// Should Redis's clock be behind what we take it for, the wait would still go on there.
	behind := second.Acquisition
	behind.Until = time.Now().Add(300 * time.Millisecond)
	if _, err := s.queue(soon(t), behind); !errors.As(err, new(*lease.HeldError)) {
		t.Fatalf("Acquire = %v, want a place", err)
	}
	withoutAWait(t, s, second.Acquisition)
	freed(t, s, "job", holder.ID)
	if held(t, s, "job") || s.waiters.waits("job") {
		t.Error("the name was handed to somebody who waits no more")
	}
	first.none(t)
	second.none(t)
}

// A replay that finds the name free has the lease that is its id's turn, and so has who waits for it,
// here or through another process.
func TestAReplayThatIsGrantedIsTheTurnOfTheWait(t *testing.T) {
	t.Parallel()
	r := redisproc.Start(t)
	a, b := open(t, r.URL()), open(t, r.URL())
	for _, at := range []*Store{a, b} {
		holder := asking("job")
		acquire(t, a, holder)
		w := queued(t, a, "job")
		if err := client(t, r).Del(t.Context(), a.keys.lock("job")).Err(); err != nil {
			t.Fatal(err)
		}
		a.alarms.arm("job", 0) // as when its time had run out
		replay := replayed(w.Acquisition)
		replay.Turn = nil
		got := acquire(t, at, replay)
		if h := w.within(t, 5*time.Second); h.Lease.Token != got.Token {
			t.Errorf("the wait was told token %d, the replay %d, want the same", h.Lease.Token, got.Token)
		}
		freed(t, at, "job", w.ID)
	}
}

// What is under way for a wait is not taken back because of a replay that leaves it alone.
func TestAReplayTakesNothingBack(t *testing.T) {
	s := open(t, redisproc.Shared(t).URL())
	holder := asking("job")
	acquire(t, s, holder)
	w := queued(t, s, "job")
	var one *waiter
	until(t, 5*time.Second, "nobody asks for it, as after a beat that came late", func() bool {
		one = s.waiters.askAgain("job", w.ID, time.Now().Add(time.Minute))
		return one != nil
	})
	withoutAWait(t, s, replayed(w.Acquisition))
	until(t, 5*time.Second, "nothing is under way", func() bool { return len(s.errands)+len(s.owed) == 0 })
	_, err := s.queue(soon(t), w.Acquisition)
	s.waiters.askedAgain(one, lease.Lease{}, time.Now(), err)
	freed(t, s, "job", holder.ID)
	w.within(t, time.Second)
	freed(t, s, "job", w.ID)
}
