package leasetest

import (
	"errors"
	"testing"

	"github.com/lockd/lockd/internal/lease"
)

var placeTests = []test{
	{"AskedAgain", testPlaceAskedAgain},
	{"Superseded", testPlaceSuperseded},
	{"Tags", testPlaceTags},
	{"OutOfTime", testPlaceOutOfTime},
	{"OutOfTimeWhileFree", testPlaceOutOfTimeWhileFree},
	{"BackHalfWay", testPlaceBackHalfWay},
	{"Forgotten", testPlaceForgotten},
	{"AllAway", testPlaceAllAway},
}

// The same lease id asked again keeps its place, here and through another server, as the same attempt
// or the next; the turn comes to who asked last.
func testPlaceAskedAgain(t *testing.T, s Subject) {
	other := s.inLineWith(t)
	holder := claim("job")
	s.granted(t, holder)
	all := crowd(t, "job", 3, s, other)
	former := []*waiter{all[1]}
	for _, next := range []struct {
		at Subject
		as lease.Acquisition
	}{
		{s, all[1].Acquisition}, // the same execution, as a store may repeat it
		{s, again(all[1].Acquisition, 2)},
		{other, again(all[1].Acquisition, 3)},
		{s, again(all[1].Acquisition, 4)},
		{other, again(all[1].Acquisition, 4)},
	} {
		w := next.at.queued(t, next.as)
		if w.place != 2 || w.ticket != all[1].ticket {
			t.Errorf("asked again as %v, it got place %d, ticket %d, want 2, %d", next.as.Tag, w.place, w.ticket, all[1].ticket)
		}
		former = append(former, all[1])
		all[1] = w
		s.inLine(t, "job", all...)
	}
	s.released(t, holder)
	for _, w := range all {
		w.served(t)
	}
	s.empty(t, "job")
	for _, w := range former {
		w.unserved(t)
	}
}

// An attempt that a later one has overtaken changes nothing about the place, present or away, ready to
// wait or not.
func testPlaceSuperseded(t *testing.T, s Subject) {
	other := s.inLineWith(t)
	holder := claim("job")
	s.granted(t, holder)
	w := s.queued(t, again(claim("job"), 3))
	behind := s.queued(t, claim("job"))
	for _, at := range []Subject{s, other} {
		late, turns := waiting(again(w.Acquisition, 2))
		_, err := at.acquire(t, late)
		wantErr(t, "Acquire(overtaken)", err, lease.ErrSuperseded)
		late.Turn = nil
		_, err = at.acquire(t, late)
		wantErr(t, "Acquire(overtaken, without a wait)", err, lease.ErrSuperseded)
		at.undone(t, late)
		s.inLine(t, "job", w, behind)
		if len(turns) != 0 {
			t.Error("a turn came to an attempt that was overtaken, want none")
		}
	}
	s.aside(t, w)
	late, _ := waiting(again(w.Acquisition, 2))
	_, err := s.acquire(t, late)
	wantErr(t, "Acquire(overtaken, away)", err, lease.ErrSuperseded)
	s.inLine(t, "job", behind)
	s.released(t, holder)
	behind.served(t)
}

// aside takes w out of the line, its place kept.
func (s Subject) aside(t *testing.T, w *waiter) {
	t.Helper()
	u := undoing(w.Acquisition)
	u.KeepPlace = true
	if err := s.undo(t, u); err != nil {
		t.Fatalf("Undo(KeepPlace) = %v, want nil", err)
	}
}

// The tag at a place follows the rules of that of a lease: it decides which undo finds the place.
func testPlaceTags(t *testing.T, s Subject) {
	e1, e2, e3 := newTag(0).Exec, newTag(0).Exec, newTag(0).Exec
	const replayed = lease.ExecReplayed
	for _, test := range []struct {
		name     string
		executed []lease.Tag
		stands   lease.Tag // after all; Exec ExecReplayed: no undo may find it
	}{
		{"queued", []lease.Tag{{Attempt: 1, Exec: e1}}, lease.Tag{Attempt: 1, Exec: e1}},
		{"uncounted", []lease.Tag{{Attempt: 0, Exec: e1}}, lease.Tag{Attempt: 0, Exec: e1}},
		{"same execution", []lease.Tag{{Attempt: 1, Exec: e1}, {Attempt: 1, Exec: e1}}, lease.Tag{Attempt: 1, Exec: e1}},
		{"next attempt", []lease.Tag{{Attempt: 1, Exec: e1}, {Attempt: 2, Exec: e2}}, lease.Tag{Attempt: 2, Exec: e2}},
		{"earlier attempt", []lease.Tag{{Attempt: 2, Exec: e2}, {Attempt: 1, Exec: e1}}, lease.Tag{Attempt: 2, Exec: e2}},
		{"replayed", []lease.Tag{{Attempt: 1, Exec: e1}, {Attempt: 1, Exec: e2}}, lease.Tag{Attempt: 1, Exec: replayed}},
		{"replayed and back", []lease.Tag{{Attempt: 1, Exec: e1}, {Attempt: 1, Exec: e2}, {Attempt: 1, Exec: e1}}, lease.Tag{Attempt: 1, Exec: replayed}},
		{"next after replayed", []lease.Tag{{Attempt: 1, Exec: e1}, {Attempt: 1, Exec: e2}, {Attempt: 2, Exec: e3}}, lease.Tag{Attempt: 2, Exec: e3}},
	} {
		t.Run(test.name, func(t *testing.T) {
			holder := claim(test.name)
			s.granted(t, holder)
			a, turns := waiting(claim(test.name))
			for _, tag := range test.executed {
				a.Tag = tag
				_, _ = s.acquire(t, a) // refused in any case; inLine below says what came of it
			}
			for _, tag := range append(test.executed, lease.Tag{Attempt: test.stands.Attempt, Exec: replayed}) {
				if tag == test.stands && tag.Exec != replayed {
					continue
				}
				a.Tag = tag
				s.undone(t, a)
				if n := s.standing(t, test.name).Waiting; n != 1 {
					t.Errorf("%d wait after the undo of %v, want 1", n, tag)
				}
			}
			// What is handed over carries the tag of the place.
			s.released(t, holder)
			handed := (&waiter{Acquisition: a, turns: turns}).turn(t)
			a.Tag = test.stands
			s.undone(t, a)
			if test.stands.Exec == replayed {
				s.stands(t, test.name, handed.Token)
			} else {
				s.empty(t, test.name)
			}
		})
	}
}

// Who asks again without a wait gives the turn up and is told the place it had; it is away then:
// not shown and passed over. Asking again in time, it is back in that place.
func testPlaceOutOfTime(t *testing.T, s Subject) {
	for _, at := range []Subject{s, s.inLineWith(t)} {
		holder := claim("job")
		held := s.granted(t, holder)
		all := crowd(t, "job", 3, s)
		over := all[0].Acquisition
		over.Turn = nil
		for range 2 { // the second time it is away already
			_, err := s.acquire(t, over)
			wantHeld(t, "Acquire(out of time)", err, held)
			if place, ticket := wantPlace(t, "Acquire(out of time)", err); place != 1 || ticket != all[0].ticket {
				t.Errorf("out of time at place %d, ticket %d, want 1, %d", place, ticket, all[0].ticket)
			}
			s.inLine(t, "job", all[1:]...)
		}
		s.released(t, holder)
		all[1].turn(t)

		back := at.queued(t, again(over, 2))
		if back.place != 1 || back.ticket != all[0].ticket {
			t.Errorf("back at place %d, ticket %d, want 1, %d", back.place, back.ticket, all[0].ticket)
		}
		s.inLine(t, "job", back, all[2])
		s.released(t, all[1].Acquisition)
		back.served(t)
		all[2].served(t)
		s.empty(t, "job")
		all[0].unserved(t)
	}
}

// Who is away and asks while the name is free has it.
func testPlaceOutOfTimeWhileFree(t *testing.T, s Subject) {
	holder := claim("job")
	s.granted(t, holder)
	w := s.queued(t, claim("job"))
	s.aside(t, w)
	s.released(t, holder)
	s.empty(t, "job")
	got := s.granted(t, again(w.Acquisition, 2))
	s.stands(t, "job", got.Token)
	s.released(t, w.Acquisition)
	s.empty(t, "job")
	w.unserved(t)
}

// Whoever comes back is before all who came later and behind all who came before, those who came back
// themselves included.
func testPlaceBackHalfWay(t *testing.T, s Subject) {
	holder := claim("job")
	s.granted(t, holder)
	all := crowd(t, "job", 7, s)
	for _, i := range []int{5, 1, 3, 2} {
		s.aside(t, all[i])
	}
	s.inLine(t, "job", all[0], all[4], all[6])
	for _, i := range []int{3, 5, 2, 1} {
		back := s.queued(t, again(all[i].Acquisition, 2))
		if back.ticket != all[i].ticket {
			t.Errorf("waiter %d came back with ticket %d, want %d", i, back.ticket, all[i].ticket)
		}
		all[i] = back
	}
	s.inLine(t, "job", all...)
	s.released(t, holder)
	for _, w := range all {
		w.served(t)
	}
	s.empty(t, "job")
}

// A place is kept for a time only; after that the line is joined at its end.
func testPlaceForgotten(t *testing.T, s Subject) {
	holder := claim("job")
	s.granted(t, holder)
	all := crowd(t, "job", 3, s)
	s.aside(t, all[0])
	s.Forget(t, "job", all[0].ID)
	back := s.queued(t, again(all[0].Acquisition, 2))
	if back.place != 3 || back.ticket <= all[2].ticket {
		t.Errorf("back at place %d, ticket %d, want 3 and more than %d", back.place, back.ticket, all[2].ticket)
	}
	s.inLine(t, "job", all[1], all[2], back)
	s.released(t, holder)
	for _, w := range []*waiter{all[1], all[2], back} {
		w.served(t)
	}
	s.empty(t, "job")
}

// With everybody away the name is free for anybody; a place is no claim to it.
func testPlaceAllAway(t *testing.T, s Subject) {
	holder := claim("job")
	s.granted(t, holder)
	all := crowd(t, "job", 3, s)
	for _, w := range all {
		s.aside(t, w)
	}
	s.released(t, holder)
	s.empty(t, "job")
	newcomer := claim("job")
	got := s.granted(t, newcomer)

	back := s.queued(t, again(all[2].Acquisition, 2))
	_, err := s.acquire(t, claim("job"))
	wantHeld(t, "Acquire(without a wait)", err, got)
	if !errors.As(err, new(*lease.HeldError)) || back.place != 1 {
		t.Errorf("the only one in line got place %d, want 1", back.place)
	}
	s.released(t, newcomer)
	back.served(t)
	s.empty(t, "job")
}
