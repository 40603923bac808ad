package lease

import (
	"fmt"
	"sync"
	"time"
)

// maxRemembered is how many forced ends are remembered, so that a renewal that comes later is told why.
const maxRemembered = 1024

// losses tells holders that their lease is gone, and why. It is a hint: a renewal finds out for sure.
type losses struct {
	mu         sync.Mutex
	listening  map[string]*Listener // by name, one after the other
	remembered map[grantOf]Loss
	order      []grantOf         // of remembered, oldest first
	underWay   map[grantOf]Loss  // forces that are being tried here
	telling    map[grantOf]stand // grants that an Asker is being told of
	observer   Observer          // nil: nobody counts
}

// stand is what is known here of how long a lease stands.
type stand struct {
	// over is when the lease and its grace are over: it was granted or renewed here until then, and perhaps elsewhere for
	// longer. The zero time: not known.
	over time.Time
	hold time.Duration // the longest hold, if that is what it ends by; else 0
}

func standOf(l Lease, over time.Time) stand {
	if l.MaxHold > 0 && l.TTL >= l.HoldLeft {
		return stand{over, l.MaxHold}
	}
	return stand{over: over}
}

// Listener is a place to listen at for the loss of a lease. The zero value is ready.
type Listener struct {
	name  string
	token Token
	to    Holder

	// Guarded by losses.mu.
	next *Listener // for the same name
	stand
}

// Holder is who wants to be told that it has lost a lease.
type Holder interface {
	// Lost must not block, nor call the Lessor.
	Lost(why Loss)
	// Requested is told of an EventAsked, whose ForceIn counts from now. It must not block, nor call the Lessor, and may
	// be told more than once, and before Listen has returned.
	Requested(e Event)
}

// grantOf names one lease.
type grantOf struct {
	name  string
	token Token
}

func newLosses() *losses {
	return &losses{
		listening: make(map[string]*Listener), remembered: make(map[grantOf]Loss),
		underWay: make(map[grantOf]Loss), telling: make(map[grantOf]stand),
	}
}

// Listen has holder told, at most once, if the lease with this token is known to have ended while its
// holder believed in it: by force, or because the name was granted to another, which is CauseExpired if
// the lease was known here to be over by then. That is known of what is renewed or granted here from then
// on, and of the very grant that Listen is called for while its Asker is told of it. A force that was
// heard of before is told at once, before Listen returns. Call StopListening when the lease ends
// otherwise; until it is told or stopped, x is in use.
func (l *Lessor) Listen(x *Listener, name string, token Token, holder Holder) {
	*x = Listener{name: name, token: token, to: holder}
	if loss, forced := l.losses.listen(x); forced {
		l.losses.lost(name, loss.Cause)
		holder.Lost(loss)
		return
	}
	l.asks.remind(grantOf{name, token}, holder)
}

// StopListening ends what Listen began, if anything. Lost may be under way still.
func (l *Lessor) StopListening(x *Listener) {
	l.losses.forget(x.name, func(other *Listener) bool { return other == x })
}

func (x *losses) listen(l *Listener) (loss Loss, forced bool) {
	of := grantOf{l.name, l.token}
	x.mu.Lock()
	defer x.mu.Unlock()
	if loss, forced = x.remembered[of]; !forced {
		l.stand = x.telling[of]
		l.next = x.listening[l.name]
		x.listening[l.name] = l
	}
	return loss, forced
}

// forget takes those that match out and answers them, one after the other.
func (x *losses) forget(name string, match func(*Listener) bool) (gone *Listener) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.forgetLocked(name, match)
}

func (x *losses) forgetLocked(name string, match func(*Listener) bool) (gone *Listener) {
	first := x.listening[name]
	if first == nil {
		return nil
	}
	var stay *Listener
	for l := first; l != nil; {
		next := l.next
		if match(l) {
			l.next, gone = gone, l
		} else {
			l.next, stay = stay, l
		}
		l = next
	}
	if stay == nil {
		delete(x.listening, name)
	} else {
		x.listening[name] = stay
	}
	return gone
}

// tell tells those that were taken out.
func (x *losses) tell(gone *Listener, why func(*Listener) Loss) {
	for l := gone; l != nil; {
		next := l.next
		l.next = nil // it may be used again from here on
		loss := why(l)
		x.lost(l.name, loss.Cause)
		l.to.Lost(loss)
		l = next
	}
}

// forced is told of a lease that was ended by force.
func (x *losses) forced(e Event) {
	loss := Loss{Cause: CauseForced, By: e.By, Reason: e.Reason}
	x.remember(grantOf{e.Name, e.Token}, loss)
	gone := x.forget(e.Name, func(l *Listener) bool { return l.token == e.Token })
	x.tell(gone, func(*Listener) Loss { return loss })
}

// granted is told of a grant that was made here, and when it will be over, before its Asker is; call told
// after that. Whoever holds an older one has lost it, and a repeated one restarts the ttl.
func (x *losses) granted(lease Lease, over time.Time) {
	x.mu.Lock()
	x.telling[grantOf{lease.Name, lease.Token}] = standOf(lease, over)
	x.standsLocked(lease, over)
	gone := x.forgetLocked(lease.Name, func(l *Listener) bool { return l.token < lease.Token })
	x.mu.Unlock()
	x.tell(gone, x.whyGranted)
}

// told forgets a grant: it may be renewed elsewhere from here on.
func (x *losses) told(lease Lease) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.telling, grantOf{lease.Name, lease.Token})
}

// renewed is told of a renewal that was made here.
func (x *losses) renewed(lease Lease, over time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.standsLocked(lease, over)
}

// standsLocked notes that lease is not over before that.
func (x *losses) standsLocked(lease Lease, over time.Time) {
	for l := x.listening[lease.Name]; l != nil; l = l.next {
		if l.token == lease.Token && !l.over.After(over) {
			l.stand = standOf(lease, over)
		}
	}
}

// overAt answers when a lease is over that stood for expiresIn at some moment since began. The store's
// clock may be faster than ours, by a thousandth. That is too early by up to one call and that thousandth,
// but not before the holder's own deadline, which counts from a sending before began, without the grace and
// with 1 % off: whoever is lost then was not renewed in time.
func overAt(began time.Time, expiresIn time.Duration) time.Time {
	return began.Add(expiresIn - expiresIn/1000)
}

// isOver reports whether l was known to be over by now.
func (l *Listener) isOver() bool { return !l.over.IsZero() && !time.Now().Before(l.over) }

// expired is the loss of a lease that is over.
func (s stand) expired() Loss {
	if s.hold > 0 {
		return Loss{Cause: CauseExpired, Reason: fmt.Sprintf("the longest hold of %s is over", s.hold)}
	}
	return Loss{Cause: CauseExpired}
}

// whyGranted answers why the lease of l is over, whose name has been granted to another.
func (x *losses) whyGranted(l *Listener) Loss {
	of := grantOf{l.name, l.token}
	x.mu.Lock()
	defer x.mu.Unlock()
	if loss, forced := x.underWay[of]; forced {
		return loss
	}
	if loss, forced := x.remembered[of]; forced {
		return loss
	}
	if l.isOver() {
		return l.expired()
	}
	return Loss{Cause: CauseGrantedToAnother}
}

// forcing is told of a force that is about to be tried; done, of its end.
func (x *losses) forcing(r ForceRequest) (done func()) {
	of := grantOf{r.Name, r.Token}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.underWay[of] = Loss{Cause: CauseForced, By: r.By, Reason: r.Reason}
	return func() {
		x.mu.Lock()
		defer x.mu.Unlock()
		delete(x.underWay, of)
	}
}

func (x *losses) remember(of grantOf, loss Loss) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if _, known := x.remembered[of]; !known {
		x.order = append(x.order, of)
	}
	x.remembered[of] = loss
	if len(x.order) > maxRemembered {
		delete(x.remembered, x.order[0])
		x.order = x.order[1:]
	}
}

// of answers why a lease ended that is gone, if that is known: it was forced, or it is over for somebody
// who listens for its end. token 0 is none.
func (x *losses) of(name string, token Token) (Loss, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if loss, known := x.remembered[grantOf{name, token}]; known {
		return loss, true
	}
	for l := x.listening[name]; l != nil; l = l.next {
		if l.token == token && l.isOver() {
			return l.expired(), true
		}
	}
	return Loss{}, false
}
