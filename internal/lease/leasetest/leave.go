package leasetest

import (
	"context"
	"testing"
	"time"

	"github.com/lockd/lockd/internal/lease"
)

var leaveTests = []test{
	{"InLine", testLeaveInLine},
	{"IsSure", testLeaveIsSure},
	{"OtherExecution", testLeaveOtherExecution},
	{"Handed", testLeaveHanded},
	{"HandedAll", testLeaveHandedAll},
	{"HolderUndone", testLeaveHolderUndone},
	{"KeepPlace", testLeaveKeepPlace},
	{"KeepPlaceHanded", testLeaveKeepPlaceHanded},
	{"KeepPlaceNotInLine", testLeaveKeepPlaceNotInLine},
	{"AwayForGood", testLeaveAwayForGood},
}

// Undo takes its execution out of the line, wherever it stands there; the others move up, and its turn
// never comes. Asked again it stands at the end.
func testLeaveInLine(t *testing.T, s Subject) {
	for _, leaves := range []int{0, 2, 4} { // first, in the middle, last
		holder := claim("job")
		s.granted(t, holder)
		all := crowd(t, "job", 5, s, s.inLineWith(t))
		gone := all[leaves]
		gone.undone(t, gone.Acquisition)
		rest := append(append([]*waiter{}, all[:leaves]...), all[leaves+1:]...)
		s.inLine(t, "job", rest...)
		back := s.queued(t, again(gone.Acquisition, 2))
		if back.place != 5 || back.ticket <= rest[3].ticket {
			t.Errorf("back at place %d, ticket %d, want 5 and more than %d", back.place, back.ticket, rest[3].ticket)
		}
		s.released(t, holder)
		for _, w := range append(rest, back) {
			w.served(t)
		}
		s.empty(t, "job")
		gone.unserved(t)
	}
}

// Once Undo has returned nil its execution takes no place any more, wherever it was until then.
func testLeaveIsSure(t *testing.T, s Subject) {
	holder := claim("job")
	s.granted(t, holder)
	a, turns := waiting(claim("job"))
	deadline := time.Now().Add(200 * time.Millisecond)
	arriving, done := context.WithDeadline(t.Context(), deadline)
	defer done()

	undone := make(chan error, 1)
	go func() { undone <- s.undo(t, lease.Undoing{Name: a.Name, ID: a.ID, Tag: a.Tag, Deadline: deadline}) }()
	// The execution arrives again and again for as long as it may.
	for arriving.Err() == nil {
		if _, err := s.Acquire(arriving, a); err == nil {
			t.Fatal("Acquire(held) = nil, want *HeldError")
		}
	}
	if err := <-undone; err != nil {
		t.Fatalf("Undo = %v, want nil", err)
	}
	s.tooLate(t, a, deadline)
	s.inLine(t, "job")
	s.released(t, holder)
	s.empty(t, "job")
	if len(turns) != 0 {
		t.Error("a turn came to an execution that was undone, want none")
	}
}

// Undo compares lease id, attempt and exec: an attempt before, perhaps through another server, never
// takes the place away from the retry, nor what was handed over to it.
func testLeaveOtherExecution(t *testing.T, s Subject) {
	other := s.inLineWith(t)
	holder := claim("job")
	s.granted(t, holder)
	first := s.queued(t, claim("job"))
	retry := other.queued(t, again(first.Acquisition, 2))
	behind := s.queued(t, claim("job"))

	id, attempt, exec, name := retry.Acquisition, retry.Acquisition, retry.Acquisition, retry.Acquisition
	id.ID = newID()
	attempt.Tag.Attempt++
	exec.Tag.Exec = newTag(1).Exec
	name.Name = "job/2"
	wrong := []lease.Acquisition{first.Acquisition, id, attempt, exec, name}
	for _, u := range wrong {
		for _, at := range []Subject{s, other} {
			at.undone(t, u)
			at.aside(t, &waiter{Acquisition: u})
		}
		s.inLine(t, "job", retry, behind)
	}
	s.released(t, holder)
	handed := retry.turn(t)
	for _, u := range wrong {
		s.undone(t, u)
		s.stands(t, "job", handed.Token)
	}
	s.released(t, retry.Acquisition)
	behind.served(t)
	s.empty(t, "job")
	first.unserved(t)
}

// A hand-over to one who has gone is passed on by its undo.
func testLeaveHanded(t *testing.T, s Subject) {
	holder := claim("job")
	s.granted(t, holder)
	all := crowd(t, "job", 6, s, s.inLineWith(t))
	s.released(t, holder)
	last := lease.Token(0)
	for i, w := range all {
		l := w.turn(t)
		if l.Token <= last {
			t.Errorf("passed on, the token went from %d to %d, want larger", last, l.Token)
		}
		last = l.Token
		s.inLine(t, "job", all[i+1:]...)
		w.undone(t, w.Acquisition)
	}
	s.empty(t, "job")
}

// An undo that comes when the hand-over is made, before the turn was heard of, passes it on as well.
func testLeaveHandedAll(t *testing.T, s Subject) {
	holder := claim("job")
	s.granted(t, holder)
	all := crowd(t, "job", 6, s)
	s.released(t, holder)
	for _, w := range all {
		w.undone(t, w.Acquisition)
	}
	s.empty(t, "job")
}

// The undo of a holder nobody was told of hands over to who waits.
func testLeaveHolderUndone(t *testing.T, s Subject) {
	holder := claim("job")
	s.granted(t, holder)
	all := crowd(t, "job", 2, s, s.inLineWith(t))
	s.undone(t, holder)
	for _, w := range all {
		w.served(t)
	}
	s.empty(t, "job")
}

// With KeepPlace who leaves is away: passed over, not shown, and back at the old place by asking again,
// here or through another server.
func testLeaveKeepPlace(t *testing.T, s Subject) {
	other := s.inLineWith(t)
	holder := claim("job")
	s.granted(t, holder)
	all := crowd(t, "job", 4, s, other)
	for range 2 { // the second time finds them away
		all[0].aside(t, all[0])
		all[1].aside(t, all[1])
		s.inLine(t, "job", all[2:]...)
	}
	s.released(t, holder)
	all[2].turn(t)
	back := []*waiter{s.queued(t, again(all[1].Acquisition, 2)), s.queued(t, again(all[0].Acquisition, 2))}
	if back[0].place != 1 || back[1].place != 1 {
		t.Errorf("back at places %d and %d, want 1 each", back[0].place, back[1].place)
	}
	s.inLine(t, "job", back[1], back[0], all[3])
	s.released(t, all[2].Acquisition)
	for _, w := range []*waiter{back[1], back[0], all[3]} {
		w.served(t)
	}
	s.empty(t, "job")
	all[0].unserved(t)
	all[1].unserved(t)
}

// With KeepPlace an undone hand-over is passed on, and who had it gets its old place again.
func testLeaveKeepPlaceHanded(t *testing.T, s Subject) {
	for _, at := range []Subject{s, s.inLineWith(t)} {
		holder := claim("job")
		s.granted(t, holder)
		all := crowd(t, "job", 3, s)
		s.released(t, holder)
		all[0].turn(t)
		s.aside(t, all[0])
		all[1].turn(t)
		back := at.queued(t, again(all[0].Acquisition, 2))
		if back.place != 1 || back.ticket != all[0].ticket {
			t.Errorf("back at place %d, ticket %d, want 1, %d", back.place, back.ticket, all[0].ticket)
		}
		s.inLine(t, "job", back, all[2])
		s.released(t, all[1].Acquisition)
		back.served(t)
		all[2].served(t)
		s.empty(t, "job")
	}
}

// KeepPlace keeps no place that there never was.
func testLeaveKeepPlaceNotInLine(t *testing.T, s Subject) {
	first, second := claim("job"), claim("job")
	s.granted(t, first)
	s.aside(t, &waiter{Acquisition: first})
	s.aside(t, &waiter{Acquisition: second})
	s.empty(t, "job")
	holder := claim("job")
	s.granted(t, holder)
	w := s.queued(t, claim("job"))
	for i, a := range []lease.Acquisition{second, first} {
		if back := s.queued(t, again(a, 2)); back.place != i+2 || back.ticket <= w.ticket {
			t.Errorf("one who never waited got place %d, ticket %d, want %d and more than %d", back.place, back.ticket, i+2, w.ticket)
		}
	}
}

// Undo without KeepPlace ends the place of one who is away as well.
func testLeaveAwayForGood(t *testing.T, s Subject) {
	holder := claim("job")
	s.granted(t, holder)
	all := crowd(t, "job", 2, s)
	s.aside(t, all[0])
	s.undone(t, all[0].Acquisition)
	back := s.queued(t, again(all[0].Acquisition, 2))
	if back.place != 2 {
		t.Errorf("back at place %d, want 2: it had left for good", back.place)
	}
}
