package history_test

import (
	"testing"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
	"github.com/lockd/lockd/test/history"
)

func event(kind lockdv1.Event_Kind, ticket int64) *lockdv1.Event {
	return &lockdv1.Event{Kind: kind, Name: "job", Ticket: ticket, Owner: "somebody"}
}

func TestLine(t *testing.T) {
	const (
		queued, left, acquired, missed = lockdv1.Event_QUEUED, lockdv1.Event_LEFT, lockdv1.Event_ACQUIRED, lockdv1.Event_MISSED
	)
	other := &lockdv1.Event{Kind: queued, Name: "job", Ticket: 1, Owner: "another"}
	for name, c := range map[string]struct {
		events  []*lockdv1.Event
		waiting int
		away    int
		wrong   string
	}{
		"in order":                     {[]*lockdv1.Event{event(queued, 1), event(queued, 2), event(acquired, 1), event(acquired, 2), event(acquired, 0)}, 0, 0, ""},
		"the second first":             {[]*lockdv1.Event{event(queued, 1), event(queued, 2), event(acquired, 2)}, 1, 0, "ticket 1"},
		"a newcomer overtakes":         {[]*lockdv1.Event{event(queued, 1), event(acquired, 0)}, 1, 0, "ticket 1"},
		"the first has left":           {[]*lockdv1.Event{event(queued, 1), event(queued, 2), event(left, 1), event(acquired, 2)}, 0, 1, ""},
		"and is back at its place":     {[]*lockdv1.Event{event(queued, 1), event(queued, 2), event(left, 1), event(queued, 1), event(acquired, 2)}, 1, 0, "ticket 1"},
		"present again, told twice":    {[]*lockdv1.Event{event(queued, 1), event(queued, 1), event(acquired, 1)}, 0, 0, ""},
		"one ticket for two":           {[]*lockdv1.Event{event(queued, 1), other}, 1, 0, `"another"`},
		"what was missed is not known": {[]*lockdv1.Event{event(queued, 1), event(missed, 0), event(acquired, 5)}, 0, 0, ""},
		"but what came after is":       {[]*lockdv1.Event{event(missed, 0), event(queued, 1), event(acquired, 5)}, 1, 0, "ticket 1"},
		"another name's line is another": {[]*lockdv1.Event{event(queued, 2), {Kind: queued, Name: "other", Ticket: 1}, event(acquired, 2)},
			0, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var line history.Line
			line.Add(c.events...)
			want(t, line.Wrong(), c.wrong)
			if got := line.Waiting("job"); got != c.waiting {
				t.Errorf("Waiting() = %d, want %d", got, c.waiting)
			}
			if got := line.Away(); got != c.away {
				t.Errorf("Away() = %d, want %d", got, c.away)
			}
		})
	}
}

func TestLineCounts(t *testing.T) {
	var line history.Line
	line.Add(event(lockdv1.Event_SYNCED, 0), event(lockdv1.Event_ACQUIRED, 0), event(lockdv1.Event_QUEUED, 1), event(lockdv1.Event_ACQUIRED, 1), event(lockdv1.Event_MISSED, 0))
	if line.Queued != 1 || line.Granted != 1 || line.Free != 1 || line.Missed != 1 {
		t.Errorf("counted %d queued, %d granted, %d free, %d missed, want 1 of each", line.Queued, line.Granted, line.Free, line.Missed)
	}
}
