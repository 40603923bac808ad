package leasetest

import (
	"context"
	"testing"
	"time"

	"github.com/lockd/lockd/internal/lease"
)

var undoTests = []test{
	{"Granted", testUndoGranted},
	{"InGrace", testUndoInGrace},
	{"Twice", testUndoTwice},
	{"OtherLease", testUndoOtherLease},
	{"IsSure", testUndoIsSure},
	{"FreesFirst", testUndoFreesFirst},
}

// Undo frees the name that its execution was granted.
func testUndoGranted(t *testing.T, s Subject) {
	a := claim("job")
	first := s.granted(t, a)
	s.undone(t, a)
	s.free(t, "job")
	if second := s.granted(t, claim("job")); second.Token <= first.Token {
		t.Errorf("token went from %d to %d, want larger", first.Token, second.Token)
	}
}

// Undo frees a name also in the grace.
func testUndoInGrace(t *testing.T, s Subject) {
	a := claim("job")
	s.granted(t, a)
	s.Grace(t, "job")
	s.undone(t, a)
	s.free(t, "job")
}

// Undo of what is already undone, or was never granted, is no error and harms nobody.
func testUndoTwice(t *testing.T, s Subject) {
	a := claim("job")
	s.undone(t, a)
	s.granted(t, a)
	s.undone(t, a)
	second := s.granted(t, claim("job"))
	s.undone(t, a)
	s.stands(t, "job", second.Token)
}

// Undo compares lease id, attempt and exec: any other lease or execution is left alone.
func testUndoOtherLease(t *testing.T, s Subject) {
	a := claim("job")
	held := s.granted(t, a)
	other, attempt, exec, name := a, a, a, a
	other.ID = newID()
	attempt.Tag.Attempt++
	exec.Tag.Exec = newTag(1).Exec
	name.Name = "job/2"
	for _, u := range []lease.Acquisition{other, attempt, exec, name} {
		s.undone(t, u)
		s.stands(t, "job", held.Token)
	}
}

// Once Undo has returned nil its execution can take no more effect, wherever it was until then; so
// Undo of what is not there yet waits until that execution would come too late.
func testUndoIsSure(t *testing.T, s Subject) {
	a := claim("job")
	deadline := time.Now().Add(200 * time.Millisecond)
	arriving, done := context.WithDeadline(t.Context(), deadline)
	defer done()

	undone := make(chan error, 1)
	go func() { undone <- s.undo(t, lease.Undoing{Name: a.Name, ID: a.ID, Tag: a.Tag, Deadline: deadline}) }()
	for arriving.Err() == nil {
		_, _ = s.Acquire(arriving, a) // a copy arrives, again and again, and may succeed
	}
	if err := <-undone; err != nil {
		t.Fatalf("Undo = %v, want nil", err)
	}
	if time.Now().Before(deadline) {
		t.Errorf("Undo returned before the deadline of its execution")
	}
	s.tooLate(t, a, deadline)
	s.free(t, "job")
}

// Undo frees at once what is there, and says ErrUnknown if its own time ends before it can be sure.
func testUndoFreesFirst(t *testing.T, s Subject) {
	a := claim("job")
	s.granted(t, a)
	ctx, cancel := call(t)
	defer cancel()
	undone := make(chan error, 1)
	go func() {
		undone <- s.Undo(ctx, lease.Undoing{Name: a.Name, ID: a.ID, Tag: a.Tag, Deadline: time.Now().Add(time.Hour)})
	}()
	for held := true; held && ctx.Err() == nil; {
		_, held = s.get(t, "job")
	}
	s.free(t, "job")
	cancel()
	select {
	case err := <-undone:
		wantErr(t, "Undo(its ctx ended)", err, lease.ErrUnknown)
	case <-time.After(callTime):
		t.Fatal("Undo went on after its ctx had ended")
	}
}
