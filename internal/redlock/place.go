package redlock

import (
	"cmp"
	"container/heap"
	"slices"
	"time"

	"github.com/lockd/lockd/internal/lease"
)

// whose names a place.
type whose struct {
	name string
	id   lease.ID
}

// place is one in the line of a name at this server. Who is present is in the line; who is away has the ticket only.
type place struct {
	lease.Acquisition // as asked last, Metadata our own; Turn is nil while away
	ticket            int64
	since             time.Time
	until             time.Time // of the wait; while away, of the keeping of the place
	handed            bool      // away, since it was handed the name: an undo may bring it back
	at                int       // where it is in lines.waits
}

func (p *place) away() bool { return p.Turn == nil }

// goesOnWithout reports whether p waits for another execution than tag's, of the same attempt: that
// wait is not tag's to end.
func (p *place) goesOnWithout(tag lease.Tag) bool {
	return !p.away() && p.Tag.Attempt == tag.Attempt && p.Tag.Exec != tag.Exec
}

func (p *place) event(kind lease.EventKind, now time.Time) lease.Event {
	return lease.Event{Kind: kind, Name: p.Name, At: wall(now), Owner: p.Owner, Principal: p.Principal, Ticket: p.ticket}
}

// replaced is the tag of a place on which next was executed, an attempt no earlier than stored's.
func replaced(stored, next lease.Tag) lease.Tag {
	if next.Attempt > stored.Attempt {
		return next
	}
	if next.Exec != stored.Exec {
		// Two executions of one attempt: an undo could not tell which of them was answered.
		stored.Exec = lease.ExecReplayed
	}
	return stored
}

// wall is now for people: without the monotonic clock, in UTC.
func wall(now time.Time) time.Time { return now.Round(0).UTC() }

// line is who is present for a name, in the order of their tickets.
type line struct {
	present []*place

	asking *place        // whose turn it may be: the nodes are being asked for it
	asked  chan struct{} // closed when they have answered
	again  bool          // ask again then: the name may be free
	freed  uint64        // the nodes that have said so since the last asking, a bit each
	timer  *time.Timer   // nil: not set
	rings  time.Time     // when it does
	failed int           // askings in a row that the nodes did not answer
}

// search answers at which index the place with this ticket is, or would be.
func (l *line) search(ticket int64) int {
	at, _ := slices.BinarySearchFunc(l.present, ticket, func(p *place, ticket int64) int {
		return cmp.Compare(p.ticket, ticket)
	})
	return at
}

// remove takes out what is at this index. The first goes without moving the others.
func (l *line) remove(at int) {
	if at > 0 {
		l.present = slices.Delete(l.present, at, at+1)
		return
	}
	l.present[0] = nil // or the array would keep it from the garbage collector
	l.present = l.present[1:]
}

// show answers the first most waiters, and how many there are. A nil line has none.
func (l *line) show(most int) ([]lease.Waiter, int) {
	if l == nil {
		return nil, 0
	}
	var waiters []lease.Waiter
	for _, p := range l.present[:min(most, len(l.present))] {
		waiters = append(waiters, lease.Waiter{Owner: p.Owner, Principal: p.Principal, Since: p.since, Ticket: p.ticket})
	}
	return waiters, len(l.present)
}

// due is a heap of places, the first to end at its root.
type due []*place

var _ heap.Interface = (*due)(nil)

func (x due) Len() int           { return len(x) }
func (x due) Less(i, j int) bool { return x[i].until.Before(x[j].until) }

func (x due) Swap(i, j int) {
	x[i], x[j] = x[j], x[i]
	x[i].at, x[j].at = i, j
}

// Push is heap.Push's.
func (x *due) Push(e any) {
	p := e.(*place)
	p.at = len(*x)
	*x = append(*x, p)
}

// Pop is heap.Pop's.
func (x *due) Pop() any {
	last := len(*x) - 1
	p := (*x)[last]
	(*x)[last] = nil // or the array would keep it from the garbage collector
	*x = (*x)[:last]
	return p
}
