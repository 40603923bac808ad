package redisstore

import (
	"time"

	"github.com/lockd/lockd/internal/due"
	"github.com/lockd/lockd/internal/lease"
)

// book holds the watched leases that are in force as far as is known, since no script runs when one
// expires. Each is due a look when its key should be over: a renewal publishes nothing, so it may
// well stand. O(log n) a change.
type book struct {
	byName map[string]*entry
	byDue  due.Heap[*entry]
}

// entry is one lease.
type entry struct {
	name      string
	token     lease.Token
	owner     string
	principal string
	end       time.Time // it cannot have expired before; renewals move it unseen
	due       time.Time // when to look
	doubt     bool      // since a gap in the events: its end may have been among what is missing
	index     int       // in byDue
}

// Due implements due.Item.
func (e *entry) Due() time.Time { return e.due }

// Moved implements due.Item.
func (e *entry) Moved(to int) { e.index = to }

func newBook() book { return book{byName: make(map[string]*entry)} }

// put writes a lease down that may expire at end, in the place of any other of that name: its name, token, owner and
// principal.
func (b *book) put(l lease.Lease, end time.Time) {
	if old := b.byName[l.Name]; old != nil {
		b.strike(old)
	}
	e := &entry{name: l.Name, token: l.Token, owner: l.Owner, principal: l.Principal, end: end, due: end}
	b.byName[l.Name] = e
	b.byDue.Add(e)
}

func (b *book) strike(e *entry) {
	delete(b.byName, e.name)
	b.byDue.Remove(e.index)
}

// postpone has e looked at only at due.
func (b *book) postpone(e *entry, due time.Time) {
	e.due = due
	b.byDue.Fix(e.index)
}

// first answers the entry that is due by now the longest, or nil.
func (b *book) first(now time.Time) *entry {
	e, is := b.byDue.First()
	if !is || e.due.After(now) {
		return nil
	}
	return e
}

// doubtAll makes every entry due and doubtful.
func (b *book) doubtAll(now time.Time) {
	for _, e := range b.byDue {
		e.due, e.doubt = now, true // all the same: still a heap
	}
}
