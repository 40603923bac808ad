package leasetest

import (
	"testing"

	"github.com/lockd/lockd/internal/lease"
)

// Two executions of one attempt: a request that was duplicated on its way, or a client that does not
// count. One of them waits.
var equalTests = []test{
	{"WithoutAWait", testEqualWithoutAWait},
	{"Undo", testEqualUndo},
	{"ReplayedWait", testEqualReplayedWait},
	{"WhileAway", testEqualWhileAway},
	{"LaterAttempt", testLaterWithoutAWait},
}

// askedAside has a asked without a wait, which must be refused with the place and the ticket of w.
func (w *waiter) askedAside(t *testing.T, at Subject, a lease.Acquisition, holder lease.Lease) {
	t.Helper()
	a.Turn = nil
	_, err := at.acquire(t, a)
	wantHeld(t, "Acquire(without a wait)", err, holder)
	if place, ticket := wantPlace(t, "Acquire(without a wait)", err); place != w.place || ticket != w.ticket {
		t.Errorf("without a wait it is told place %d, ticket %d, want %d, %d", place, ticket, w.place, w.ticket)
	}
}

// An asking without a wait is told the place of a wait of the same attempt, here or through another
// server, and leaves it its place and its turn.
func testEqualWithoutAWait(t *testing.T, s Subject) {
	for _, at := range []Subject{s, s.inLineWith(t)} {
		for _, attempt := range []uint32{0, 1, 2} {
			holder := claim("job")
			held := s.granted(t, holder)
			before, w, behind := s.queued(t, claim("job")), s.queued(t, again(claim("job"), attempt)), s.queued(t, claim("job"))
			for range 2 {
				w.askedAside(t, at, again(w.Acquisition, attempt), held)
				s.inLine(t, "job", before, w, behind)
			}
			s.released(t, holder)
			for _, one := range []*waiter{before, w, behind} {
				one.served(t)
			}
			s.empty(t, "job")
		}
	}
}

// The undo of such an asking finds nothing; that of the wait finds the wait.
func testEqualUndo(t *testing.T, s Subject) {
	for _, at := range []Subject{s, s.inLineWith(t)} {
		holder := claim("job")
		held := s.granted(t, holder)
		w := s.queued(t, again(claim("job"), 0))
		aside := again(w.Acquisition, 0)
		w.askedAside(t, at, aside, held)
		at.undone(t, aside)
		s.inLine(t, "job", w)
		s.undone(t, w.Acquisition)
		s.inLine(t, "job")
		s.released(t, holder)
		s.empty(t, "job")
		w.unserved(t)
	}
}

// When the first of two waits of one attempt ends, the other, which took it over, goes on.
func testEqualReplayedWait(t *testing.T, s Subject) {
	for _, at := range []Subject{s, s.inLineWith(t)} {
		holder := claim("job")
		held := s.granted(t, holder)
		first, behind := s.queued(t, again(claim("job"), 0)), s.queued(t, claim("job"))
		second := at.queued(t, again(first.Acquisition, 0))
		first.askedAside(t, s, first.Acquisition, held)
		s.inLine(t, "job", second, behind)
		s.released(t, holder)
		second.served(t)
		behind.served(t)
		s.empty(t, "job")
		first.unserved(t)
	}
}

// Where nobody waits any more the place is kept as ever, the tag replaced, and no turn comes.
func testEqualWhileAway(t *testing.T, s Subject) {
	holder := claim("job")
	held := s.granted(t, holder)
	w, behind := s.queued(t, claim("job")), s.queued(t, claim("job"))
	s.aside(t, w)
	w.askedAside(t, s, again(w.Acquisition, 1), held)
	s.undone(t, w.Acquisition) // which does not find it any more
	s.inLine(t, "job", behind)
	s.released(t, holder)
	behind.turn(t)
	if back := s.queued(t, again(w.Acquisition, 2)); back.ticket != w.ticket {
		t.Errorf("back with ticket %d, want %d", back.ticket, w.ticket)
	} else {
		s.released(t, behind.Acquisition)
		back.served(t)
	}
	s.empty(t, "job")
	w.unserved(t)
}

// A later attempt without a wait ends the wait of an earlier one, wherever it stands.
func testLaterWithoutAWait(t *testing.T, s Subject) {
	for _, at := range []Subject{s, s.inLineWith(t)} {
		holder := claim("job")
		held := s.granted(t, holder)
		w, behind := s.queued(t, again(claim("job"), 0)), s.queued(t, claim("job"))
		w.askedAside(t, at, again(w.Acquisition, 1), held)
		s.inLine(t, "job", behind)
		s.released(t, holder)
		behind.served(t)
		s.empty(t, "job")
		w.unserved(t)
	}
}
