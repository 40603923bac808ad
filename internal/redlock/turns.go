package redlock

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/internal/redlock/ballot"
)

const (
	// laterBy is when a name is asked for after the last of a quorum's keys should have expired.
	laterBy = 3 * time.Millisecond
	// noticesWithin is how long after the first node's notice that a name is free the others' should have come.
	noticesWithin = 10 * time.Millisecond
	// firstPause and lastPause are between askings that the nodes do not answer.
	firstPause = 20 * time.Millisecond
	lastPause  = 500 * time.Millisecond
)

// expiry is when to ask for the name that is held, or closed, like this.
func (s *Store) expiry(held lease.Lease) time.Duration { return held.FreeIn() + about(laterBy) }

// armLocked has the name asked for in so long, unless it will be before.
func (x *lines) armLocked(name string, l *wanted, in time.Duration, now time.Time) {
	if x.ended || l.timer != nil && l.rings.After(now) && !l.rings.After(now.Add(in)) {
		return
	}
	if l.timer != nil {
		l.timer.Stop()
	}
	l.rings = now.Add(in)
	l.timer = time.AfterFunc(in, func() { x.store.crew.start(func() { x.store.promote(name) }) })
}

// freed is told that the name may have come free here or elsewhere. next is the instance that has waited the longest, or ""; it
// is asked for at once unless that is another one, which is given some time.
func (x *lines) freed(name, next string) {
	now := x.lock()
	defer x.unlock()
	*x.slot(name)++
	if l := x.byName[name]; l != nil {
		x.wakeLocked(name, l, next, now)
	}
}

func (x *lines) wakeLocked(name string, l *wanted, next string, now time.Time) {
	in := time.Duration(0)
	if next != "" && next != x.store.instance {
		in = about(courtesy)
	}
	if l.asking != nil && in == 0 {
		l.again = true
		return
	}
	x.armLocked(name, l, in, now)
}

// noticed is told that a node has said that the name is free there. When a quorum has, it is.
func (x *lines) noticed(node int, name, next string) {
	now := x.lock()
	defer x.unlock()
	*x.slot(name)++
	l := x.byName[name]
	if l == nil {
		return
	}
	l.freed |= 1 << node
	said := 0
	for bits := l.freed; bits != 0; bits &= bits - 1 {
		said++
	}
	if said >= ballot.Quorum(len(x.store.queues)) {
		l.freed = 0
		x.wakeLocked(name, l, next, now)
	} else {
		x.armLocked(name, l, noticesWithin+about(courtesy), now)
	}
}

// promote asks the nodes for the name, for whoever is first in its line here, until it is held. If that is being
// done already, it waits for the answer.
func (s *Store) promote(name string) {
	for {
		a, e, underWay := s.lines.first(name)
		if underWay != nil {
			select {
			case <-underWay:
			case <-s.errands.ctx.Done():
			}
			return
		}
		if a == nil {
			return
		}
		g, err := s.tryFor(*a, e)
		if !s.lines.asked(*a, e, g, err) {
			return
		}
	}
}

// tryFor executes the acquisition of one who waits, once.
func (s *Store) tryFor(a lease.Acquisition, e entering) (grant, error) {
	if s.errands.ctx.Err() != nil {
		return grant{}, lease.ErrUnavailable
	}
	r, err := s.propose(a, e.flags, e.wants, time.Now().Add(callTimeout))
	if err != nil {
		return grant{}, err
	}
	return s.decide(r, a)
}

// first begins the asking for who is first in line, as it is to be put; nil if nobody is. If it is under way already, the
// channel is closed at its end.
func (x *lines) first(name string) (*lease.Acquisition, entering, <-chan struct{}) {
	now := x.lock()
	defer x.unlock()
	l := x.byName[name]
	if l == nil {
		return nil, entering{}, nil
	}
	if l.asking != nil {
		return nil, entering{}, l.asked
	}
	p := x.book.First(name, now)
	if p == nil {
		return nil, entering{}, nil
	}
	l.asking, l.asked, l.again, l.freed = p, make(chan struct{}), false, 0
	e := entering{tag: x.store.executed(p.Tag), flags: "GI", wants: wants{mine: x.store.want(p.Since)}}
	if present := x.book.Present(name); len(present) > 1 {
		e.wants.next = x.store.want(present[1].Since)
	}
	a := e.as(p.Acquisition)
	return &a, e, nil
}

// asked takes what came of asking for a, and reports whether to ask again at once.
func (x *lines) asked(a lease.Acquisition, e entering, g grant, err error) (again bool) {
	now := x.lock()
	defer x.unlock()
	l := x.byName[a.Name]
	p := l.asking
	l.asking = nil
	defer func() {
		close(l.asked)
		x.tidyLocked(a.Name, l)
	}()
	if err != nil {
		return x.refusedLocked(a.Name, l, err, now)
	}
	l.failed = 0
	present := func() bool { return len(x.book.Present(a.Name)) > 0 }
	switch {
	case p.Away(): // or gone: nobody is there to be told
		x.store.undoAll(lease.Undoing{Name: a.Name, ID: a.ID, Tag: e.tag, Deadline: now.Add(callTimeout)}, a.TTL)
		return present()
	case !executionOf(e.tag, p.Tag): // asked for again meanwhile: the lease gets that tag first
		return true
	default:
		turn := p.Turn
		x.book.Hand(p, now)
		x.acquiredLocked(g, p.Ticket, now)
		turn(lease.Handover{Lease: g.lease, Began: g.began})
	}
	if present() {
		x.armLocked(a.Name, l, x.store.expiry(g.lease), now)
	}
	return l.again
}

// refusedLocked has the name asked for when it may be free.
func (x *lines) refusedLocked(name string, l *wanted, err error, now time.Time) (again bool) {
	var held *lease.HeldError
	var split *contested
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
	switch {
	case l.again, errors.Is(err, errLate):
		return true
	case errors.As(err, &split), errors.Is(err, errSplit):
		x.armLocked(name, l, about(courtesy/2), now)
	case errors.As(err, &held):
		l.failed = 0
		x.armLocked(name, l, x.store.expiry(held.Holder), now)
	default:
		x.armLocked(name, l, about(min(firstPause<<min(l.failed, 10), lastPause)), now)
		l.failed++
	}
	return false
}

// executed is tag for one execution: it begins with what the Lessor knows it by.
func (s *Store) executed(tag lease.Tag) lease.Tag {
	if tag.Exec != lease.ExecReplayed {
		tag.Exec += s.nextExec()
	}
	return tag
}

// executionOf reports whether tag is that of an execution of what the Lessor knows as known.
func executionOf(tag, known lease.Tag) bool {
	return tag.Attempt == known.Attempt && strings.HasPrefix(tag.Exec, known.Exec)
}

// gone takes an execution out of the line, and waits for what is asked for it right now. handed is its place, if it was
// handed the name.
func (x *lines) gone(ctx context.Context, u lease.Undoing) {
	x.leave(u)
	for {
		x.mu.Lock()
		l := x.byName[u.Name]
		var underWay chan struct{}
		if l != nil && l.asking != nil && l.asking.ID == u.ID && l.asking.Tag == u.Tag {
			underWay = l.asked
		}
		x.mu.Unlock()
		if underWay == nil {
			return
		}
		select {
		case <-underWay:
		case <-ctx.Done():
			return
		}
	}
}

func (x *lines) leave(u lease.Undoing) {
	now := x.lock()
	defer x.unlock()
	x.book.Undo(u, now)
}

// back keeps the place of one who was handed the name, which was undone.
func (x *lines) back(u lease.Undoing) {
	now := x.lock()
	defer x.unlock()
	x.book.Back(u, now)
}
