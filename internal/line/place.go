package line

import (
	"cmp"
	"slices"
	"time"

	"github.com/lockd/lockd/internal/lease"
)

// Place is one in the line of a name. Who is present is in the line; who is away has the ticket only.
type Place struct {
	lease.Acquisition           // as asked last, Metadata its own; Turn is nil while away
	Ticket            int64     // smaller is earlier
	Since             time.Time // when it was taken, for people

	until  time.Time // of the wait; while away, of the keeping of the place
	handed bool      // away, since it was handed the name: see Book.Hand
	at     int       // where it is in Book.waits
}

// Due implements due.Item.
func (p *Place) Due() time.Time { return p.until }

// Moved implements due.Item.
func (p *Place) Moved(to int) { p.at = to }

// Away reports whether p is passed over.
func (p *Place) Away() bool { return p.Turn == nil }

// goesOnWithout reports whether p waits for another execution than tag's, of the same attempt: that
// wait is not tag's to end.
func (p *Place) goesOnWithout(tag lease.Tag) bool {
	return !p.Away() && p.Tag.Attempt == tag.Attempt && p.Tag.Exec != tag.Exec
}

func (p *Place) event(kind lease.EventKind, now time.Time) lease.Event {
	return lease.Event{Kind: kind, Name: p.Name, At: Wall(now), Owner: p.Owner, Principal: p.Principal, Ticket: p.Ticket}
}

// Replaced is the tag of a lease or a place on which next was executed, an attempt no earlier than stored's.
func Replaced(stored, next lease.Tag) lease.Tag {
	if next.Attempt > stored.Attempt {
		return next
	}
	if next.Exec != stored.Exec {
		// Two executions of one attempt: an undo could not tell which of them was answered.
		stored.Exec = lease.ExecReplayed
	}
	return stored
}

// Wall is now for people: without the monotonic clock, in UTC.
func Wall(now time.Time) time.Time { return now.Round(0).UTC() }

// line is who is present, in the order of their tickets. Whoever is not the first or the last moves
// those behind when coming or going; with lease.MaxLine places that is 80 KB at most, so a microsecond or two.
type line []*Place

// search answers at which index the place with this ticket is, or would be.
func (l line) search(ticket int64) int {
	at, _ := slices.BinarySearchFunc(l, ticket, func(p *Place, ticket int64) int { return cmp.Compare(p.Ticket, ticket) })
	return at
}

// without is l without what is at this index. The first goes without moving the others.
func (l line) without(at int) line {
	if at > 0 {
		return slices.Delete(l, at, at+1)
	}
	l[0] = nil // or the array would keep it from the garbage collector
	return l[1:]
}
