package redlock

import (
	"hash/maphash"
	"strconv"
	"sync"
	"time"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/internal/line"
	"github.com/lockd/lockd/internal/redlock/ballot"
)

// lines are those of this server: who waits for which name, first come, first served. Between servers it is
// courtesy, see scripts/batch.lua. For who is first the nodes are asked, whenever the name may be free; see turns.go.
type lines struct {
	store *Store

	mu     sync.Mutex
	book   *line.Book
	byName map[string]*wanted // names for which somebody is present, or the nodes are being asked
	ended  bool               // no timer is set any more

	seed   maphash.Seed
	frees  [1024]uint64 // by a hash of the name: counts how often it may have come free
	events []lease.Event
}

func newLines(s *Store) *lines {
	x := &lines{store: s, byName: make(map[string]*wanted), seed: maphash.MakeSeed()}
	x.book = line.NewBook(func(e lease.Event) { x.events = append(x.events, e) }, x.emptied)
	return x
}

// wanted is a name that somebody waits for here.
type wanted struct {
	asking *line.Place   // whose turn it may be: the nodes are being asked for it
	asked  chan struct{} // closed when they have answered
	again  bool          // ask again then: the name may be free
	freed  uint64        // the nodes that have said so since the last asking, a bit each
	timer  *time.Timer   // nil: not set
	rings  time.Time     // when it does
	failed int           // askings in a row that the nodes did not answer
}

// emptied is told that nobody is present for name any more.
func (x *lines) emptied(name string) {
	if l := x.byName[name]; l != nil {
		x.tidyLocked(name, l)
	}
}

// tidyLocked forgets a name that nobody waits for.
func (x *lines) tidyLocked(name string, l *wanted) {
	if len(x.book.Present(name)) > 0 || l.asking != nil {
		return
	}
	if l.timer != nil {
		l.timer.Stop()
	}
	delete(x.byName, name)
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
	x.book.Expire(some, now)
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
	p := x.book.Place(a.Name, a.ID, now)
	if p != nil {
		if a.Tag.Attempt < p.Tag.Attempt {
			return e, lease.ErrSuperseded
		}
		e.tag = line.Replaced(p.Tag, a.Tag)
	}
	e.tag = x.store.executed(e.tag)
	present := x.book.Present(a.Name)
	if x.byName[a.Name] == nil && a.Told == 0 {
		e.flags = "G"
	}
	switch {
	case len(present) > 0:
		e.wants.mine = x.store.want(present[0].Since)
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
	p := x.book.Place(a.Name, a.ID, now)
	ticket := int64(0)
	if p != nil {
		ticket = p.Ticket
		p.Tag = line.Replaced(p.Tag, a.Tag)
		x.book.Hand(p, now)
	}
	x.acquiredLocked(g, ticket, now)
}

// acquiredLocked tells of a grant, but not of one that was merely answered again.
func (x *lines) acquiredLocked(g grant, ticket int64, now time.Time) {
	if l := g.lease; g.fresh {
		x.events = append(x.events, lease.Event{
			Kind: lease.EventAcquired, Name: l.Name, At: line.Wall(now), Token: l.Token, Owner: l.Owner, Principal: l.Principal, Ticket: ticket,
		})
	}
}

// released is told that the name was freed at nodes where the lease stood like this, and which instance has waited the
// longest. What no quorum had was no lease, and nobody heard of it.
func (x *lines) released(name string, at []*value, next string) {
	if token, n := commonToken(at); n >= ballot.Quorum(len(x.store.queues)) {
		if l, err := at[0].lease(name, token, 0); err == nil {
			x.store.watches.tell(lease.Event{
				Kind: lease.EventReleased, Name: name, At: line.Wall(time.Now()), Token: l.Token, Owner: l.Owner, Principal: l.Principal,
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
	p := x.book.Place(a.Name, a.ID, now)
	if p != nil && a.Tag.Attempt < p.Tag.Attempt {
		return lease.ErrSuperseded
	}
	p, err := x.book.Refuse(a, p, now)
	switch {
	case err != nil:
		return err
	case p == nil:
		return held
	case a.Turn != nil:
		in := x.store.expiry(held.Holder)
		if *x.slot(a.Name) != e.frees {
			in = 0 // it may have come free meanwhile
		}
		x.armLocked(a.Name, x.wantedLocked(a.Name), in, now)
	}
	return &lease.HeldError{Holder: held.Holder, Place: x.book.Number(p), Ticket: p.Ticket}
}

// wantedLocked is the name as one that somebody waits for.
func (x *lines) wantedLocked(name string) *wanted {
	l := x.byName[name]
	if l == nil {
		l = new(wanted)
		x.byName[name] = l
	}
	return l
}

// show answers who is present in the line of name: the first most, and how many.
func (x *lines) show(name string, most int) ([]lease.Waiter, int) {
	x.lock()
	defer x.unlock()
	return x.book.Show(name, most)
}

// busy reports whether anybody is present in the line of name.
func (x *lines) busy(name string) bool {
	x.lock()
	defer x.unlock()
	return len(x.book.Present(name)) > 0
}

// close has everybody away, and no timer ring any more.
func (x *lines) close() {
	now := x.lock()
	defer x.unlock()
	x.ended = true
	x.book.AllAside(now)
}
