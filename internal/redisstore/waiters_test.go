package redisstore

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/test/redisproc"
)

// entered has w take a place as if Redis had given it.
func entered(t *testing.T, ws *waiters, w turn, ticket int64) (now, before *waiter) {
	t.Helper()
	now, before, err := ws.enter(w.Acquisition)
	if err != nil {
		t.Fatal(err)
	}
	ws.entered(now, before, &lease.HeldError{Place: 1, Ticket: ticket})
	return now, before
}

func again(w turn) turn {
	next := turn{retry(w.Acquisition), make(chan lease.Handover, 1)}
	next.Turn = func(h lease.Handover) { next.came <- h }
	return next
}

func handover(token lease.Token) lease.Handover {
	return lease.Handover{Lease: lease.Lease{Name: "job", Token: token}}
}

// A turn comes once, and only to the asking that stands in line.
func TestATurnComesOnceToWhoWaits(t *testing.T) {
	ws, first := newWaiters(), waiting("job")
	entered(t, ws, first, 1)
	second := again(first)
	entered(t, ws, second, 1)
	ws.turn("job", first.ID, first.Tag, handover(1))
	first.none(t)
	second.none(t)
	ws.turn("job", second.ID, second.Tag, handover(2))
	ws.turn("job", second.ID, second.Tag, handover(2))
	if h := second.within(t, time.Second); h.Lease.Token != 2 {
		t.Errorf("turn with token %d, want 2", h.Lease.Token)
	}
	second.none(t)
	if ws.waits("job") {
		t.Error("somebody waits still")
	}
}

// An earlier attempt does not take a later one's place, nor hear of its turn.
func TestAnEarlierAttemptDoesNotWait(t *testing.T) {
	ws, first := newWaiters(), waiting("job")
	entered(t, ws, again(first), 1)
	if _, _, err := ws.enter(first.Acquisition); !errors.Is(err, lease.ErrSuperseded) {
		t.Errorf("enter(an earlier attempt) = %v, want ErrSuperseded", err)
	}
}

// After an asking that did nothing, who waited before waits on; after any other it does not.
func TestWhoWaitsAfterAnAskingThatFailed(t *testing.T) {
	for _, test := range []struct {
		err   error
		waits bool
	}{
		{lease.ErrUnavailable, true}, {errLate, true}, {lease.ErrStoreFull, true}, {lease.ErrGrantsRefused, true}, {lease.ErrLineFull, true},
		{lease.ErrUnknown, false}, {lease.ErrSuperseded, false}, {lease.ErrLost, false}, {&lease.HeldError{}, false}, {nil, false},
	} {
		for _, waits := range []bool{false, true} {
			ws, w := newWaiters(), waiting("job")
			entered(t, ws, w, 1)
			next := again(w)
			if !waits {
				next.Turn = nil
			}
			now, before, err := ws.enter(next.Acquisition)
			if err != nil {
				t.Fatal(err)
			}
			ws.turn("job", w.ID, w.Tag, handover(1))
			w.none(t) // while the asking is under way
			ws.entered(now, before, test.err)
			ws.turn("job", w.ID, w.Tag, handover(1))
			if got := len(w.came) == 1; got != test.waits {
				t.Errorf("after %v (wait: %v) the earlier one waits: %v, want %v", test.err, waits, got, test.waits)
			}
			if next.turned() {
				t.Errorf("after %v the failed asking waits", test.err)
			}
		}
	}
}

func (w turn) turned() bool { return len(w.came) > 0 }

// An undo ends exactly its own execution, and knows until when a repeated asking of ours can take effect.
func TestAnUndoEndsItsOwnWaiting(t *testing.T) {
	ws, w := newWaiters(), waiting("job")
	entered(t, ws, w, 1)
	u, deadline := undoing(again(w).Acquisition), time.Now().Add(time.Minute)
	if ws.leave(u); !ws.waits("job") {
		t.Fatal("the undo of another execution ended the waiting")
	}
	ws.askAgain("job", w.ID, deadline)
	u = undoing(w.Acquisition)
	if until := ws.leave(u); !until.Equal(deadline) {
		t.Errorf("the undo outlasts %s, want the repeated asking's deadline %s", until, deadline)
	}
	if ws.waits("job") {
		t.Error("somebody waits still")
	}
	if ws.askAgain("job", w.ID, deadline) != nil {
		t.Error("what was undone is asked for again")
	}
}

// What a repeated asking may have done for somebody whose turn has come meanwhile is taken back, unless
// it met the very lease that came with it. What was undone is its undo's business.
func TestARepeatedAskingForWhoHasGone(t *testing.T) {
	const told = 7
	for _, test := range []struct {
		name     string
		turn     bool
		token    lease.Token
		err      error
		takeBack bool
	}{
		{"told, and refreshed", true, told, nil, false},
		{"told, released, and granted anew", true, told + 1, nil, true},
		{"told, and in line before or after", true, 0, &lease.HeldError{Place: 1}, true},
		{"told, and no answer", true, 0, lease.ErrUnknown, false},
		{"undone, and in line again", false, 0, &lease.HeldError{Place: 1}, false},
		{"undone, and granted", false, told, nil, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			ws, w := newWaiters(), waiting("job")
			entered(t, ws, w, 1)
			one := ws.askAgain("job", w.ID, time.Now().Add(time.Minute))
			if ws.askAgain("job", w.ID, time.Now()) != nil {
				t.Error("asked twice at once")
			}
			want := lease.Token(0)
			if test.turn {
				ws.turn("job", w.ID, w.Tag, handover(told))
			} else {
				ws.leave(undoing(w.Acquisition))
			}
			if test.takeBack {
				want = told
			}
			if got := ws.askedAgain(one, lease.Lease{Token: test.token}, time.Now(), test.err); got != want {
				t.Errorf("to be taken back but for token %d, want %d", got, want)
			}
			if _, is := ws.doubt(w.Name, w.ID); is != errors.Is(test.err, lease.ErrUnknown) {
				t.Errorf("doubt = %v", is)
			}
		})
	}
}

// A repeated asking that took effect before the hand-over, and is answered after it, does not cost the
// lease; one that took effect after its release leaves nobody in line.
func TestARepeatedAskingIsAnsweredLate(t *testing.T) {
	s := open(t, redisproc.Shared(t).URL())
	holder := asking("job")
	acquire(t, s, holder)
	w := queued(t, s, "job")
	one := s.waiters.askAgain("job", w.ID, time.Now().Add(time.Second))
	_, err := s.queue(soon(t), w.Acquisition)
	freed(t, s, "job", holder.ID)
	token := w.within(t, time.Second).Lease.Token
	s.takeBack(soon(t), w.Acquisition, s.waiters.askedAgain(one, lease.Lease{}, time.Now(), err))
	standing, err := s.Get(soon(t), lease.GetRequest{Name: "job"})
	if err != nil || standing.Lease.Token != token {
		t.Fatalf("Get = %+v, %v, want the lease that was handed over, with token %d", standing, err, token)
	}
	freed(t, s, "job", w.ID)
	acquire(t, s, holder)
	_, err = s.queue(soon(t), w.Acquisition)
	one.asking = true
	s.takeBack(soon(t), w.Acquisition, s.waiters.askedAgain(one, lease.Lease{}, time.Now(), err))
	if standing, err := s.Get(soon(t), lease.GetRequest{Name: "job"}); err != nil || standing.Waiting != 0 {
		t.Errorf("Get = %+v, %v, want nobody in line", standing, err)
	}
}

// Those who may have lost their places ask again in the order in which they stood, each once until it
// may have lost it again.
func TestWhoLostThePlaceAsksAgainInOrder(t *testing.T) {
	ws := newWaiters()
	tickets := map[lease.ID]int64{}
	for _, ticket := range []int64{5, 0, 3, 9, 1} {
		w := waiting("job")
		entered(t, ws, w, ticket)
		tickets[w.ID] = ticket
	}
	if ws.anyLost() {
		t.Error("somebody lost the place at once")
	}
	ws.loseAll()
	var order []int64
	for _, id := range ws.takeLost()["job"] {
		order = append(order, tickets[id])
	}
	if diff := cmp.Diff([]int64{1, 3, 5, 9, 0}, order); diff != "" { // 0: not known yet
		t.Errorf("order (-want +got):\n%s", diff)
	}
	if ws.anyLost() || len(ws.takeLost()) != 0 {
		t.Error("they would ask twice")
	}
}

// A release takes with it what a repeated asking of ours, of unknown outcome, does after it.
func TestAReleaseOutlastsARepeatedAsking(t *testing.T) {
	s := open(t, redisproc.Shared(t).URL())
	holder := asking("job")
	acquire(t, s, holder)
	w := queued(t, s, "job")
	s.waiters.askAgain("job", w.ID, time.Now().Add(300*time.Millisecond))
	freed(t, s, "job", holder.ID)
	w.within(t, time.Second)
	freed(t, s, "job", w.ID)
	if _, err := s.queue(soon(t), w.Acquisition); err != nil { // the copy that was under way
		t.Fatalf("the late copy = %v, want the free name", err)
	}
	until(t, 5*time.Second, "the name is free again", func() bool { return !held(t, s, "job") })
}

// Who waits no more is not granted the name by a repeated asking of ours that arrives late.
func TestTheEndOfAWaitOutlastsARepeatedAsking(t *testing.T) {
	s := open(t, redisproc.Shared(t).URL())
	holder := asking("job")
	acquire(t, s, holder)
	w := queued(t, s, "job")
	one := s.waiters.askAgain("job", w.ID, time.Now().Add(300*time.Millisecond))
	last := w.Acquisition
	last.Turn = nil
	if _, err := s.Acquire(soon(t), last); !errors.As(err, new(*lease.HeldError)) {
		t.Fatalf("Acquire(without a wait) = %v, want HeldError", err)
	}
	freed(t, s, "job", holder.ID)
	began := time.Now()
	granted, err := s.queue(soon(t), w.Acquisition) // the copy that was under way
	s.waiters.askedAgain(one, granted, began, err)
	until(t, 5*time.Second, "the name is free again", func() bool { return !held(t, s, "job") })
	w.none(t)
}

// A lease id may be on many names: what is under way on one of them is no business of a release on another.
func TestAReleaseIsOfOneName(t *testing.T) {
	s := open(t, redisproc.Shared(t).URL())
	here, holder := asking("here"), asking("there")
	acquire(t, s, here)
	acquire(t, s, holder)
	w := waiting("there")
	w.ID = here.ID
	if _, err := s.Acquire(soon(t), w.Acquisition); !errors.As(err, new(*lease.HeldError)) {
		t.Fatalf("Acquire = %v, want a place", err)
	}
	one := s.waiters.askAgain("there", w.ID, time.Now().Add(200*time.Millisecond))
	freed(t, s, "here", here.ID)
	until(t, 5*time.Second, "the release is done", func() bool { return len(s.owed) == 0 })
	if standing, err := s.Get(soon(t), lease.GetRequest{Name: "there"}); err != nil || standing.Waiting != 1 {
		t.Errorf("Get = %+v, %v, want one who waits", standing, err)
	}
	s.waiters.askedAgain(one, lease.Lease{}, time.Now(), nil)
}
