package memstore

import (
	"cmp"
	"slices"
	"time"

	"github.com/lockd/lockd/internal/lease"
)

// whose names a place.
type whose struct {
	name string
	id   lease.ID
}

// place is one in the line of a name. Who is present is in the line; who is away has the ticket only.
type place struct {
	lease.Acquisition // as asked last, Metadata our own; Turn is nil while away
	ticket            int64
	since             time.Time
	until             time.Time // of the wait; while away, of the keeping of the place
	at                int       // where it is in Store.waits
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

// turn is a hand-over that has been made and is still to be told.
type turn struct {
	call func(lease.Handover)
	with lease.Handover
}

// line is who is present, in the order of their tickets. Whoever is not the first or the last moves
// those behind when coming or going; with lease.MaxLine places that is 80 KB at most, so a microsecond or two.
type line struct {
	present []*place
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
func (s *Store) queueLocked(a lease.Acquisition, p *place, now time.Time) (*place, error) {
	l := s.lines[a.Name]
	if l == nil {
		l = new(line)
	}
	absent := p == nil || p.away()
	if absent && len(l.present) >= lease.MaxLine {
		return nil, lease.ErrLineFull
	}
	if p == nil {
		s.ticket = max(s.ticket+1, now.UnixMicro())
		p = &place{Acquisition: a, ticket: s.ticket, since: wall(now), until: a.Until}
		p.Metadata = copied(a.Metadata)
		s.addLocked(p)
	} else {
		p.Tag, p.TTL, p.LockDelay, p.Turn, p.Until = replaced(p.Tag, a.Tag), a.TTL, a.LockDelay, a.Turn, a.Until
		s.keepLocked(p, a.Until)
	}
	if absent {
		l.present = slices.Insert(l.present, l.search(p.ticket), p)
		s.lines[a.Name] = l
		s.tellLocked(p.event(lease.EventQueued, now))
	}
	return p, nil
}

// placeOfLocked is the place of p in its line, 1 being next; of one who is away, what it would be.
func (s *Store) placeOfLocked(p *place) int {
	if l := s.lines[p.Name]; l != nil {
		return l.search(p.ticket) + 1
	}
	return 1
}

// addLocked adds p, not in line yet, to the books.
func (s *Store) addLocked(p *place) {
	s.places[whose{p.Name, p.ID}] = p
	s.waits.Add(p)
}

// keepLocked changes when p ends.
func (s *Store) keepLocked(p *place, until time.Time) {
	p.until = until
	s.waits.Fix(p.at)
}

// stepAsideLocked takes p out of the line and keeps its place.
func (s *Store) stepAsideLocked(p *place, now time.Time) {
	s.outOfLineLocked(p)
	s.keepLocked(p, now.Add(lease.KeepPlace))
	s.tellLocked(p.event(lease.EventLeft, now))
}

// leaveLocked ends a place, present or away, without a lease.
func (s *Store) leaveLocked(p *place, now time.Time) {
	if !p.away() {
		s.outOfLineLocked(p)
		s.tellLocked(p.event(lease.EventLeft, now))
	}
	s.forgetPlaceLocked(p)
}

// outOfLineLocked takes p, which is present, out of the line. Its Turn is never called any more.
func (s *Store) outOfLineLocked(p *place) {
	l := s.lines[p.Name]
	l.remove(l.search(p.ticket))
	if len(l.present) == 0 {
		delete(s.lines, p.Name)
	}
	p.Turn = nil
}

// forgetPlaceLocked takes p, which is away, out of the books.
func (s *Store) forgetPlaceLocked(p *place) {
	delete(s.places, whose{p.Name, p.ID})
	s.waits.Remove(p.at)
}

// placeLocked answers the place that id has in the line of name, present or away, or nil.
func (s *Store) placeLocked(name string, id lease.ID, now time.Time) *place {
	for {
		p := s.places[whose{name, id}]
		if p == nil || now.Before(p.until) {
			return p
		}
		s.endWaitLocked(p, now)
	}
}

// endWaitLocked does what is due at the end of p, which was there whenever that is noticed.
func (s *Store) endWaitLocked(p *place, now time.Time) {
	if p.away() {
		s.forgetPlaceLocked(p)
		return
	}
	ended := p.until
	s.stepAsideLocked(p, now)
	s.keepLocked(p, ended.Add(lease.KeepPlace))
}

// handOverLocked grants name, which is free, to the first in line whose wait is not over. If no token is
// left the name stays free, and the line stands.
func (s *Store) handOverLocked(name string, now time.Time) {
	for l := s.lines[name]; l != nil && len(l.present) > 0; {
		p := l.present[0]
		if !now.Before(p.until) {
			s.endWaitLocked(p, now)
			continue
		}
		e, err := s.grantLocked(p.Acquisition, p, now)
		if err != nil {
			return
		}
		s.turns = append(s.turns, turn{p.Turn, lease.Handover{Lease: e.lease(now), Began: now}})
		s.outOfLineLocked(p)
		s.forgetPlaceLocked(p)
		return
	}
}
