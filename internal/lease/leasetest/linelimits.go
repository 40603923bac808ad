package leasetest

import (
	"errors"
	"testing"
	"time"

	"github.com/lockd/lockd/internal/lease"
)

// Who was told a token is not taken into line: the lease is lost.
func testLineTold(t *testing.T, s Subject) {
	a := claim("job")
	first := s.granted(t, a)
	s.Expire(t, "job")
	holder := claim("job")
	s.granted(t, holder)
	told, turns := waiting(again(a, 2))
	told.Told = first.Token
	_, err := s.acquire(t, told)
	wantErr(t, "Acquire(told, ready to wait)", err, lease.ErrLost)
	s.inLine(t, "job")
	s.released(t, holder)
	s.empty(t, "job")
	if len(turns) != 0 {
		t.Error("a turn came to who was told a token, want none")
	}
}

// No turn comes when the wait is over: whoever is next has it, or nobody.
func testLineOutOfWait(t *testing.T, s Subject) {
	holder := claim("job")
	s.granted(t, holder)
	over, turns := waiting(claim("job"))
	over.Until = time.Now().Add(-time.Second)
	_, err := s.acquire(t, over)
	if !errors.As(err, new(*lease.HeldError)) {
		t.Errorf("Acquire(its wait is over) = %v, want *HeldError", err)
	}
	w := s.queued(t, claim("job"))
	s.released(t, holder)
	w.served(t)
	s.empty(t, "job")
	if len(turns) != 0 {
		t.Error("a turn came after the wait, want none")
	}
}

// An execution whose deadline is over takes no place.
func testLineLate(t *testing.T, s Subject) {
	holder := claim("job")
	s.granted(t, holder)
	late, turns := waiting(claim("job"))
	s.tooLate(t, late, time.Now().Add(-time.Millisecond))
	s.inLine(t, "job")
	s.released(t, holder)
	s.empty(t, "job")
	if len(turns) != 0 {
		t.Error("a turn came to who came too late, want none")
	}
}

// Lines of other names are none of a name's business, whether above or below it, for the same lease id too.
func testLineOtherNames(t *testing.T, s Subject) {
	holders, waiters := map[string]lease.Acquisition{}, map[string]*waiter{}
	same := claim("")
	names := []string{"job", "job/1", "job/1/2", "other"}
	for _, name := range names {
		holders[name] = claim(name)
		s.granted(t, holders[name])
		a := same
		a.Name = name
		waiters[name] = s.queued(t, a)
	}
	for i, name := range names {
		s.released(t, holders[name])
		waiters[name].served(t)
		s.empty(t, name)
		for _, rest := range names[i+1:] {
			waiters[rest].unserved(t)
			s.inLine(t, rest, waiters[rest])
		}
	}
}

// MaxLine may be present in a line, not one more; those who are not are told so and have no place. The
// place of one who leaves is the next newcomer's chance.
func testLineFull(t *testing.T, s Subject) {
	holder := claim("job")
	s.granted(t, holder)
	together(t, lease.MaxLine-1, func(t *testing.T, _ int) {
		a, _ := waiting(claim("job"))
		if _, err := s.acquire(t, a); !errors.As(err, new(*lease.HeldError)) {
			t.Fatalf("Acquire(a place in line) = %v, want *HeldError", err)
		}
	})
	last := s.queued(t, claim("job"))
	if last.place != lease.MaxLine {
		t.Errorf("the last one got place %d, want %d", last.place, lease.MaxLine)
	}
	more, _ := waiting(claim("job"))
	_, err := s.acquire(t, more)
	wantErr(t, "Acquire(line full)", err, lease.ErrLineFull)
	retry, _ := waiting(again(last.Acquisition, 2))
	_, err = s.acquire(t, retry)
	if place, _ := wantPlace(t, "Acquire(again, line full)", err); place != lease.MaxLine {
		t.Errorf("the last one, asking again, got place %d, want %d", place, lease.MaxLine)
	}
	_, err = s.acquire(t, claim("job"))
	if !errors.As(err, new(*lease.HeldError)) {
		t.Errorf("Acquire(without a wait, line full) = %v, want *HeldError", err)
	}
	s.undone(t, retry)
	if standing := s.standing(t, "job"); standing.Waiting != lease.MaxLine-1 {
		t.Errorf("Get = %d waiters after one left, want %d", standing.Waiting, lease.MaxLine-1)
	}
	s.queued(t, more)
}
