// Package line keeps in memory who stands in line for which name, first come, first served: for stores that keep
// their lines themselves. What a line means internal/lease says; here it is done, but for the granting.
package line

import (
	"maps"
	"slices"
	"time"

	"github.com/lockd/lockd/internal/due"
	"github.com/lockd/lockd/internal/lease"
)

// Book has the lines of all names. Coming, going and being next cost O(log places), however long a line is. What is over
// is noticed by whoever asks, so now never goes back. A Book is for one goroutine at a time.
type Book struct {
	tell    func(lease.Event)
	emptied func(name string)

	places map[whose]*Place
	waits  due.Heap[*Place] // the same, by the end of their wait or of the keeping of their place
	lines  map[string]line  // those of the same who are present, by name; none is empty
	ticket int64            // the last one given, on whatever name
}

// whose names a place.
type whose struct {
	name string
	id   lease.ID
}

// NewBook returns one without any places. It calls tell with who is queued, and who has left without a lease, and
// emptied, if that is not nil, with a name for which nobody is present any more. Neither may call it.
func NewBook(tell func(lease.Event), emptied func(name string)) *Book {
	return &Book{tell: tell, emptied: emptied, places: make(map[whose]*Place), lines: make(map[string]line)}
}

// Len is how many places are kept, and for how many names somebody is present.
func (b *Book) Len() (places, names int) { return len(b.places), len(b.lines) }

// Present is who is present for name, in order. It is to be read, before anything else is done.
func (b *Book) Present(name string) []*Place { return b.lines[name] }

// Show is the first most of them as anybody may see them, and how many there are.
func (b *Book) Show(name string, most int) ([]lease.Waiter, int) {
	present := b.lines[name]
	var waiters []lease.Waiter
	for _, p := range present[:min(most, len(present))] {
		waiters = append(waiters, lease.Waiter{Owner: p.Owner, Principal: p.Principal, Since: p.Since, Ticket: p.Ticket})
	}
	return waiters, len(present)
}

// First is who is first in the line of name and whose wait is not over; nil if there is nobody.
func (b *Book) First(name string, now time.Time) *Place {
	for len(b.lines[name]) > 0 {
		p := b.lines[name][0]
		if now.Before(p.until) {
			return p
		}
		b.endWait(p, now)
	}
	return nil
}

// Place is the one that id has in the line of name, present or away, or nil.
func (b *Book) Place(name string, id lease.ID, now time.Time) *Place {
	p := b.handed(name, id, now)
	if p == nil || p.handed {
		return nil
	}
	return p
}

// handed is Place for who was handed the name as well.
func (b *Book) handed(name string, id lease.ID, now time.Time) *Place {
	for {
		p := b.places[whose{name, id}]
		if p == nil || now.Before(p.until) {
			return p
		}
		b.endWait(p, now)
	}
}

// Number is which one p is in its line, 1 being next; of one who is away, what it would be.
func (b *Book) Number(p *Place) int { return b.lines[p.Name].search(p.Ticket) + 1 }

// Refuse takes note that a cannot have its name: it gives a its place in line, or has it step aside; a wait that is not
// a's to end goes on. p is the place that a has or nil, and so is what is answered. Errors: lease.ErrLineFull, and nothing
// has changed.
func (b *Book) Refuse(a lease.Acquisition, p *Place, now time.Time) (*Place, error) {
	switch {
	case a.Turn != nil:
		return b.queue(a, p, now)
	case p == nil || p.goesOnWithout(a.Tag):
		return p, nil
	}
	p.Tag = Replaced(p.Tag, a.Tag)
	if p.Away() {
		b.keep(p, now.Add(lease.KeepPlace))
	} else {
		b.stepAside(p, now)
	}
	return p, nil
}

// queue gives a its place in line, at the end or the one that it had.
func (b *Book) queue(a lease.Acquisition, p *Place, now time.Time) (*Place, error) {
	present := b.lines[a.Name]
	absent := p == nil || p.Away()
	if absent && len(present) >= lease.MaxLine {
		return nil, lease.ErrLineFull
	}
	if p == nil {
		if handed := b.handed(a.Name, a.ID, now); handed != nil {
			b.forget(handed)
		}
		b.ticket = max(b.ticket+1, now.UnixMicro())
		p = &Place{Acquisition: a, Ticket: b.ticket, Since: Wall(now), until: a.Until}
		p.Metadata = nil
		if len(a.Metadata) > 0 {
			p.Metadata = maps.Clone(a.Metadata)
		}
		b.add(p)
	} else {
		p.Tag, p.TTL, p.LockDelay = Replaced(p.Tag, a.Tag), a.TTL, a.LockDelay
		p.Turn, p.Until, p.handed = a.Turn, a.Until, false
		b.keep(p, a.Until)
	}
	if absent {
		b.lines[a.Name] = slices.Insert(present, present.search(p.Ticket), p)
		b.tell(p.event(lease.EventQueued, now))
	}
	return p, nil
}

// Take ends the place of one who has been granted the name.
func (b *Book) Take(p *Place) {
	b.outOfLine(p)
	b.forget(p)
}

// Hand is Take for a grant that may be undone by tag: for a while Back finds the place.
func (b *Book) Hand(p *Place, now time.Time) {
	b.outOfLine(p)
	p.handed = true
	b.keep(p, now.Add(lease.KeepPlace))
}

// Back keeps the place of one who was handed the name, which was undone.
func (b *Book) Back(u lease.Undoing, now time.Time) {
	if p := b.handed(u.Name, u.ID, now); p != nil && p.handed && p.Tag == u.Tag {
		p.handed = false
		b.keep(p, now.Add(lease.KeepPlace))
	}
}

// Return is Back for a place that was taken, by a lease that was undone with this tag.
func (b *Book) Return(p *Place, tag lease.Tag, now time.Time) {
	p.Tag, p.until = tag, now.Add(lease.KeepPlace)
	b.add(p)
}

// Undo ends the place that stands with exactly u's tag, or has it step aside.
func (b *Book) Undo(u lease.Undoing, now time.Time) {
	p := b.Place(u.Name, u.ID, now)
	if p == nil || p.Tag != u.Tag || u.Tag.Exec == lease.ExecReplayed {
		return
	}
	switch {
	case !u.KeepPlace:
		b.leave(p, now)
	case !p.Away():
		b.stepAside(p, now)
	}
}

// AllAside has everybody step aside.
func (b *Book) AllAside(now time.Time) {
	for _, present := range b.lines {
		for _, p := range slices.Backward(slices.Clone(present)) {
			b.stepAside(p, now)
		}
	}
}

// Expire ends up to most waits, and keepings of places, that are over.
func (b *Book) Expire(most int, now time.Time) {
	for range most {
		p, is := b.waits.First()
		if !is || now.Before(p.until) {
			return
		}
		b.endWait(p, now)
	}
}

// endWait does what is due at the end of p, which was there whenever that is noticed.
func (b *Book) endWait(p *Place, now time.Time) {
	if p.Away() {
		b.forget(p)
		return
	}
	ended := p.until
	b.stepAside(p, now)
	b.keep(p, ended.Add(lease.KeepPlace))
}

// stepAside takes p out of the line and keeps its place.
func (b *Book) stepAside(p *Place, now time.Time) {
	b.keep(p, now.Add(lease.KeepPlace))
	b.outOfLine(p)
	b.tell(p.event(lease.EventLeft, now))
}

// leave ends a place, present or away, without a lease.
func (b *Book) leave(p *Place, now time.Time) {
	present := !p.Away()
	b.Take(p)
	if present {
		b.tell(p.event(lease.EventLeft, now))
	}
}

// outOfLine takes p, if it is present, out of the line. Its Turn is never called any more.
func (b *Book) outOfLine(p *Place) {
	if p.Away() {
		return
	}
	p.Turn = nil
	present := b.lines[p.Name]
	if len(present) > 1 {
		b.lines[p.Name] = present.without(present.search(p.Ticket))
		return
	}
	delete(b.lines, p.Name)
	if b.emptied != nil {
		b.emptied(p.Name)
	}
}

// keep changes when p ends.
func (b *Book) keep(p *Place, until time.Time) {
	p.until = until
	b.waits.Fix(p.at)
}

// add puts p, which is not in line yet, into the books.
func (b *Book) add(p *Place) {
	b.places[whose{p.Name, p.ID}] = p
	b.waits.Add(p)
}

// forget takes p, which is away, out of the books.
func (b *Book) forget(p *Place) {
	delete(b.places, whose{p.Name, p.ID})
	b.waits.Remove(p.at)
}
