package history

import (
	"fmt"
	"maps"
	"slices"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// place is one in some line.
type place struct {
	name   string
	ticket int64
}

// Line follows what a watch tells of names and finds grants that are out of order. The zero value is
// ready.
type Line struct {
	// Queued, Granted, Free and Missed count places taken, grants that ended a wait in line, grants to who had
	// not stood in line, and gaps in what the watch told.
	Queued, Granted, Free, Missed int

	present map[string]map[int64]string // by name and ticket: who waits
	away    map[place]struct{}          // who left and has not come back
	wrong   []error
}

// Add takes the next events.
func (l *Line) Add(events ...*lockdv1.Event) {
	for _, e := range events {
		l.add(e)
	}
}

// Wrong is what was out of order, and what cannot be: two who have the same ticket.
func (l *Line) Wrong() []error { return l.wrong }

// Waiting is how many the watch saw take a place in the line of name and neither leave it nor get the lease.
func (l *Line) Waiting(name string) int { return len(l.present[name]) }

// Away is how many places somebody left and did not come back to, or to the lease.
func (l *Line) Away() int { return len(l.away) }

func (l *Line) add(e *lockdv1.Event) {
	if l.present == nil {
		l.present, l.away = make(map[string]map[int64]string), make(map[place]struct{})
	}
	at := place{e.GetName(), e.GetTicket()}
	line := l.present[e.GetName()]
	if line == nil {
		line = make(map[int64]string)
		l.present[e.GetName()] = line
	}
	switch e.GetKind() {
	case lockdv1.Event_MISSED:
		l.Missed++
		clear(l.present) // who is where is not known any more
		clear(l.away)
	case lockdv1.Event_QUEUED:
		l.Queued++
		if by, taken := line[at.ticket]; taken && by != e.GetOwner() {
			l.wrong = append(l.wrong, fmt.Errorf("%s: ticket %d is %q's and %q's", e.GetName(), e.GetTicket(), by, e.GetOwner()))
		}
		line[at.ticket] = e.GetOwner()
		delete(l.away, at)
	case lockdv1.Event_LEFT:
		delete(line, at.ticket)
		l.away[at] = struct{}{}
	case lockdv1.Event_ACQUIRED:
		delete(l.away, at)
		l.acquired(e, line)
	}
}

// acquired: only the first of those present may be granted the lease, and nobody else while one is.
func (l *Line) acquired(e *lockdv1.Event, line map[int64]string) {
	ticket := e.GetTicket()
	if ticket == 0 {
		l.Free++
	} else {
		l.Granted++
		delete(line, ticket)
	}
	if len(line) == 0 {
		return
	}
	first := slices.Min(slices.Collect(maps.Keys(line)))
	if ticket == 0 || first < ticket {
		l.wrong = append(l.wrong, fmt.Errorf("%s: token %d went to %q with ticket %d while %q waited with ticket %d",
			e.GetName(), e.GetToken(), e.GetOwner(), ticket, line[first], first))
	}
}
