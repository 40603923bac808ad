package redlock

import (
	"hash/maphash"
	"strconv"
	"sync"
	"time"

	"github.com/lockd/lockd/internal/due"
	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/internal/redlock/ballot"
)

// lines are those of this server: who waits for which name, first come, first served. Between servers it is
// courtesy, see scripts/batch.lua. For who is first the nodes are asked, whenever the name may be free; see turns.go.
type lines struct {
	store *Store

	mu     sync.Mutex
	byName map[string]*line // none is empty, but while it asks
	places map[whose]*place
	waits  due.Heap[*place] // the same, by the end of their wait or of the keeping of their place
	ticket int64            // the last one given, on whatever name
	ended  bool             // no timer is set any more

	seed   maphash.Seed
	frees  [1024]uint64 // by a hash of the name: counts how often it may have come free
	events []lease.Event
}

func newLines(s *Store) *lines {
	return &lines{store: s, byName: make(map[string]*line), places: make(map[whose]*place), seed: maphash.MakeSeed()}
}

// entering is how an acquisition is put to the nodes, and what it is compared with when they have refused it.
type entering struct {
	tag   lease.Tag
	flags string
	wants wants
	frees uint64
}

// as is a as it is executed: each execution has a tag of its own, that begins with what the Lessor knows it by. So
// undoing an execution that failed cannot meet the next one.
func (e entering) as(a lease.Acquisition) lease.Acquisition {
	a.Tag = e.tag
	return a
}

// lock takes the mutex and forgets some of what is over: more than one operation can add.
func (x *lines) lock() time.Time {
	const some = 2
	x.mu.Lock()
	now := time.Now()
	for range some {
		p, is := x.waits.First()
		if !is || now.Before(p.until) {
			break
		}
		x.endWaitLocked(p, now)
	}
	return now
}

// unlock frees the mutex and tells what happened to those who watch.
func (x *lines) unlock() {
	events := x.events
	x.events = nil
	if len(events) > 0 {
		x.store.watches.tell(events...) // before mu is free: that is their order
	}
	x.mu.Unlock()
}

func (x *lines) slot(name string) *uint64 {
	return &x.frees[maphash.String(x.seed, name)%uint64(len(x.frees))]
}

// enter answers how a is to be put to the nodes: it may be granted a free name unless others are present before it.
func (x *lines) enter(a lease.Acquisition) (entering, error) {
	now := x.lock()
	defer x.unlock()
	e := entering{tag: a.Tag, frees: *x.slot(a.Name)}
	l, p := x.byName[a.Name], x.placeLocked(a.Name, a.ID, now)
	if p != nil {
		if a.Tag.Attempt < p.Tag.Attempt {
			return e, lease.ErrSuperseded
		}
		e.tag = replaced(p.Tag, a.Tag)
	}
	e.tag = x.store.executed(e.tag)
	busy := l != nil && (len(l.present) > 0 || l.asking != nil)
	if !busy && a.Told == 0 {
		e.flags = "G"
	}
	switch {
	case busy && len(l.present) > 0:
		e.wants.mine = x.store.want(l.present[0].since)
	case a.Turn != nil:
		e.wants.mine = x.store.want(now)
	}
	return e, nil
}

// want is what nodes are told of who waits here since then.
func (s *Store) want(since time.Time) string {
	return s.instance + "|" + strconv.FormatInt(since.UnixMicro(), 10)
}

// granted takes note that a, as asked by its caller, has the name: it waits no more.
func (x *lines) granted(a lease.Acquisition, g grant) {
	now := x.lock()
	defer x.unlock()
	p := x.placeLocked(a.Name, a.ID, now)
	ticket := int64(0)
	if p != nil {
		ticket = p.ticket
		p.Tag = replaced(p.Tag, a.Tag)
		x.handLocked(p, now)
	}
	x.acquiredLocked(g, ticket, now)
}

// acquiredLocked tells of a grant, but not of one that was merely answered again.
func (x *lines) acquiredLocked(g grant, ticket int64, now time.Time) {
	if l := g.lease; g.fresh {
		x.events = append(x.events, lease.Event{
			Kind: lease.EventAcquired, Name: l.Name, At: wall(now), Token: l.Token, Owner: l.Owner, Principal: l.Principal, Ticket: ticket,
		})
	}
}

// released is told that the name was freed at nodes where the lease stood like this, and which instance has waited the
// longest. What no quorum had was no lease, and nobody heard of it.
func (x *lines) released(name string, at []*value, next string) {
	if token, n := commonToken(at); n >= ballot.Quorum(len(x.store.queues)) {
		if l, err := at[0].lease(name, token, 0); err == nil {
			x.store.watches.tell(lease.Event{
				Kind: lease.EventReleased, Name: name, At: wall(time.Now()), Token: l.Token, Owner: l.Owner, Principal: l.Principal,
			})
		}
	}
	x.freed(name, next)
}

// commonToken is the one that most of them have, and how many do.
func commonToken(at []*value) (token int64, n int) {
	for _, a := range at {
		same := 0
		for _, b := range at {
			if a.token == b.token {
				same++
			}
		}
		if same > n {
			token, n = a.token, same
		}
	}
	return token, n
}

// refuse answers why a cannot have the name, and gives it its place in line, or has it step aside; a wait that is not
// a's to end goes on.
func (x *lines) refuse(a lease.Acquisition, held *lease.HeldError, e entering, until time.Time) error {
	now := x.lock()
	defer x.unlock()
	if !now.Before(until) {
		return errLate // whoever undoes this execution relies on nothing happening after it
	}
	p := x.placeLocked(a.Name, a.ID, now)
	switch {
	case p != nil && a.Tag.Attempt < p.Tag.Attempt:
		return lease.ErrSuperseded
	case a.Turn != nil:
		var err error
		if p, err = x.queueLocked(a, p, now); err != nil {
			return err
		}
		l := x.byName[a.Name]
		if *x.slot(a.Name) != e.frees {
			x.armLocked(a.Name, l, 0, now) // it may have come free meanwhile
		} else {
			x.armLocked(a.Name, l, x.store.expiry(held.Holder), now)
		}
	case p == nil:
		return held
	case p.goesOnWithout(a.Tag):
	default:
		p.Tag = replaced(p.Tag, a.Tag)
		if p.away() {
			x.keepLocked(p, now.Add(lease.KeepPlace))
		} else {
			x.stepAsideLocked(p, now)
		}
	}
	return &lease.HeldError{Holder: held.Holder, Place: x.placeOfLocked(p), Ticket: p.ticket}
}

// show answers who is present in the line of name: the first most, and how many.
func (x *lines) show(name string, most int) ([]lease.Waiter, int) {
	x.lock()
	defer x.unlock()
	return x.byName[name].show(most)
}

// busy reports whether anybody is present in the line of name.
func (x *lines) busy(name string) bool {
	x.lock()
	defer x.unlock()
	l := x.byName[name]
	return l != nil && len(l.present) > 0
}

// close has everybody away, and no timer ring any more.
func (x *lines) close() {
	now := x.lock()
	defer x.unlock()
	x.ended = true
	for _, l := range x.byName {
		for len(l.present) > 0 {
			x.stepAsideLocked(l.present[len(l.present)-1], now)
		}
	}
}
