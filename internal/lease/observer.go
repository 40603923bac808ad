package lease

import (
	"context"
	"time"
)

// Observer is told what becomes of leases at this server, for who counts. Its methods must not block, nor call
// the Lessor; they are called on the way of every request, and from several goroutines at once.
type Observer interface {
	// Granted is told of an acquisition that was answered with a lease, and how long after it came. Repeats of
	// one are told again.
	Granted(l Lease, after time.Duration)
	// Refused is told of an acquisition that was answered with an error, as Asker.Answered or Ask has it;
	// context.Canceled if its client has given it up.
	Refused(name string, err error)
	// Renewed is told of a renewal and how long ago, as far as is known here, the ttl was last set; 0 if it is not.
	Renewed(l Lease, since time.Duration)
	// Held is told that a lease is counted as held here, and Ended that it is not any more, how that came, and how long it
	// was held. A moment apart they may come in either order.
	Held(name string)
	Ended(name string, how End, held time.Duration)
	// Lost is told of a holder that learns, by notice or by the answer to its renewal, that its lease is gone; 0 if why
	// is not known. One may learn it twice.
	Lost(name string, why Cause)
	// Forced is told of a lease that was ended by force, by a request to this server.
	Forced(name string)
}

// End is how a lease came to be held no more.
type End int

// The ends, as they are seen here: what a client does at another server is not.
const (
	EndReleased  End = iota + 1
	EndExpired       // its time was over: it was neither renewed nor released here
	EndForced        // its time was over, and it had been ended by force
	EndLost          // a renewal found it gone
	EndTakenBack     // it was granted to somebody who was not there any more
)

// Observe has o told from now on. It is called once, before anything is asked. Leases and waiters are counted
// then whether or not they are limited.
func (l *Lessor) Observe(o Observer) {
	l.observer, l.ledger.always = o, true
	l.ledger.expired = func(c *claim) { o.Ended(c.of.name, l.howOver(c), c.heldFor(time.Now())) }
	l.losses.observer = o
}

// Count answers how many leases are held through this server and how many acquisitions may have to wait, all of
// which is known only if somebody observes or there are limits. What is over is noticed first.
func (l *Lessor) Count() (held, waiting int) {
	l.ledger.mu.Lock()
	defer l.ledger.mu.Unlock()
	l.ledger.expireLocked(time.Now())
	return len(l.ledger.held), l.ledger.waiting
}

// howOver answers how a lease came to be over whose time has passed.
func (l *Lessor) howOver(c *claim) End {
	if loss, known := l.losses.of(c.of.name, c.token); known && loss.Cause == CauseForced {
		return EndForced
	}
	return EndExpired
}

// answered tells the observer how an acquisition ended.
func (l *Lessor) answered(a *Asking, g *Grant, err error) {
	switch {
	case l.observer == nil:
	case err != nil:
		l.observer.Refused(a.next.Name, err)
	default:
		l.observer.Granted(g.Lease, time.Since(a.arrived))
	}
}

// refused tells the observer of an acquisition that did not begin.
func (l *Lessor) refused(name string, err error) {
	if l.observer != nil {
		l.observer.Refused(name, err)
	}
}

// cancelled tells the observer of an acquisition that its client has given up.
func (l *Lessor) cancelled(a *Asking) { l.refused(a.next.Name, context.Canceled) }

// freed takes a lease out of those that are held and tells the observer.
func (l *Lessor) freed(of claimOf, how End) {
	if held, was := l.ledger.free(of); was && l.observer != nil {
		l.observer.Ended(of.name, how, held)
	}
}

// lost tells the observer of a holder that learns of its loss.
func (x *losses) lost(name string, why Cause) {
	if x.observer != nil {
		x.observer.Lost(name, why)
	}
}

// heldFor is how long a lease has been held by now.
func (c *claim) heldFor(now time.Time) time.Duration {
	if now.After(c.over) {
		now = c.over
	}
	return max(0, now.Sub(c.since))
}
