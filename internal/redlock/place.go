package redlock

import (
	"cmp"
	"maps"
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

// Due implements due.Item.
func (p *place) Due() time.Time { return p.until }

// Moved implements due.Item.
func (p *place) Moved(to int) { p.at = to }

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

// queueLocked gives a its place in line, at the end or the one that it had. p is that, or nil.
func (x *lines) queueLocked(a lease.Acquisition, p *place, now time.Time) (*place, error) {
	l := x.byName[a.Name]
	if l == nil {
		l = new(line)
	}
	absent := p == nil || p.away()
	if absent && len(l.present) >= lease.MaxLine {
		return nil, lease.ErrLineFull
	}
	if p == nil {
		if handed := x.handedLocked(a.Name, a.ID, now); handed != nil {
			x.forgetLocked(handed)
		}
		x.ticket = max(x.ticket+1, now.UnixMicro())
		p = &place{Acquisition: a, ticket: x.ticket, since: wall(now), until: a.Until}
		p.Metadata = maps.Clone(a.Metadata)
		x.places[whose{a.Name, a.ID}] = p
		x.waits.Add(p)
	} else {
		p.Tag, p.TTL, p.LockDelay, p.Turn, p.Until, p.handed = replaced(p.Tag, a.Tag), a.TTL, a.LockDelay, a.Turn, a.Until, false
		x.keepLocked(p, a.Until)
	}
	if absent {
		at := l.search(p.ticket)
		l.present = append(l.present, nil)
		copy(l.present[at+1:], l.present[at:])
		l.present[at] = p
		x.byName[a.Name] = l
		x.events = append(x.events, p.event(lease.EventQueued, now))
	}
	return p, nil
}

// placeOfLocked is the place of p in its line, 1 being next; of one who is away, what it would be.
func (x *lines) placeOfLocked(p *place) int {
	if l := x.byName[p.Name]; l != nil {
		return l.search(p.ticket) + 1
	}
	return 1
}

// keepLocked changes when p ends.
func (x *lines) keepLocked(p *place, until time.Time) {
	p.until = until
	x.waits.Fix(p.at)
}

// stepAsideLocked takes p out of the line and keeps its place.
func (x *lines) stepAsideLocked(p *place, now time.Time) {
	x.outOfLineLocked(p)
	x.keepLocked(p, now.Add(lease.KeepPlace))
	x.events = append(x.events, p.event(lease.EventLeft, now))
}

// handLocked takes p, which has the name, out of the line. Its place is remembered for a while: an undo may keep it.
func (x *lines) handLocked(p *place, now time.Time) {
	if !p.away() {
		x.outOfLineLocked(p)
	}
	p.handed = true
	x.keepLocked(p, now.Add(lease.KeepPlace))
}

// leaveLocked ends a place, present or away, without a lease.
func (x *lines) leaveLocked(p *place, now time.Time) {
	if !p.away() {
		x.outOfLineLocked(p)
		x.events = append(x.events, p.event(lease.EventLeft, now))
	}
	x.forgetLocked(p)
}

// outOfLineLocked takes p, which is present, out of the line. Its Turn is never called any more.
func (x *lines) outOfLineLocked(p *place) {
	l := x.byName[p.Name]
	l.remove(l.search(p.ticket))
	p.Turn = nil
	x.tidyLocked(p.Name, l)
}

// tidyLocked forgets a line that nobody is in.
func (x *lines) tidyLocked(name string, l *line) {
	if len(l.present) > 0 || l.asking != nil {
		return
	}
	if l.timer != nil {
		l.timer.Stop()
	}
	delete(x.byName, name)
}

// forgetLocked takes p, which is away, out of the books.
func (x *lines) forgetLocked(p *place) {
	delete(x.places, whose{p.Name, p.ID})
	x.waits.Remove(p.at)
}

// placeLocked answers the place that id has in the line of name, present or away, or nil.
func (x *lines) placeLocked(name string, id lease.ID, now time.Time) *place {
	p := x.handedLocked(name, id, now)
	if p == nil || p.handed {
		return nil
	}
	return p
}

// handedLocked is placeLocked for who was handed the name as well.
func (x *lines) handedLocked(name string, id lease.ID, now time.Time) *place {
	for {
		p := x.places[whose{name, id}]
		if p == nil || now.Before(p.until) {
			return p
		}
		x.endWaitLocked(p, now)
	}
}

// endWaitLocked does what is due at the end of p, which was there whenever that is noticed.
func (x *lines) endWaitLocked(p *place, now time.Time) {
	if p.away() {
		x.forgetLocked(p)
		return
	}
	ended := p.until
	x.stepAsideLocked(p, now)
	x.keepLocked(p, ended.Add(lease.KeepPlace))
}
