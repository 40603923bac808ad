package lockd

import (
	"fmt"
	"time"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// HoldEnd says that the longest hold that lockd allows is about to be over.
type HoldEnd struct {
	// At is about when it is over, and the lease with it: renewals do not move [Lease.Deadline] beyond it.
	At  time.Time
	Max time.Duration // for how long leases on the name may be renewed in all, counted from the grant
}

// HoldOverError is an [ErrExpired]: the longest hold that lockd allows for the name was over, and no renewal could have
// kept the lease.
type HoldOverError struct{ Max time.Duration }

func (e *HoldOverError) Error() string {
	return fmt.Sprintf("%s: the longest hold of %s is over", ErrExpired, e.Max)
}

// Is makes errors.Is true for ErrExpired.
func (e *HoldOverError) Is(target error) bool { return target == ErrExpired }

// HoldEnding returns a channel that gets a value when four fifths of the longest hold are over that lockd's operator allows
// for the name, if there is one: so that the holder can come to an end in good order, release, and acquire the name anew
// if there is more to do. The channel is the same each time, has room for the latest value, and is never closed: select on the
// lease's Context beside it. A lease that is not renewed (see [WithoutKeepalive]) may hear nothing.
func (l *Lease) HoldEnding() <-chan HoldEnd {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.holdLocked().ends
}

// hold is what a lease knows of its longest hold; guarded by the lease's mu.
type hold struct {
	ends chan HoldEnd
	max  time.Duration // 0: nothing bounds it, as far as is known
	told time.Duration // the max whose end was told
	cut  bool          // the ttl that was answered last ends with it
	ttl  time.Duration // the longest that was answered
}

// holdLocked makes what most leases do not need.
func (l *Lease) holdLocked() *hold {
	if l.hold == nil {
		l.hold = &hold{ends: make(chan HoldEnd, 1)}
	}
	return l.hold
}

// boundLocked takes what an answer that was heard at t says of the hold.
func (l *Lease) boundLocked(t instant, g terms) {
	if g.maxHold <= 0 && l.hold == nil {
		return
	}
	h := l.holdLocked()
	h.max, h.cut, h.ttl = g.maxHold, g.maxHold > 0 && g.ttl >= g.holdLeft, max(h.ttl, g.ttl)
	switch {
	case g.maxHold <= 0:
	case g.holdLeft <= g.maxHold/5:
		h.tell(HoldEnd{At: t.mono.Add(g.holdLeft), Max: g.maxHold})
	default:
		h.told = 0 // it has become longer
	}
}

// tell passes on that the hold ends, once; an older value that nobody has looked at yet gives way.
func (h *hold) tell(e HoldEnd) {
	if h.told == e.Max {
		return
	}
	h.told = e.Max
	select {
	case <-h.ends:
	default:
	}
	h.ends <- e // there is room, since nobody else sends
}

// rhythmLocked is what renewals go by: the ttl. Towards the end of a hold, when there is less and less of that, they do
// not come ever faster; but they do come, since the operator may allow more.
func (l *Lease) rhythmLocked() time.Duration {
	if l.hold == nil || !l.hold.cut {
		return l.ttl
	}
	return max(l.ttl, l.hold.ttl/3)
}

// expiredLocked is why the lease ended whose deadline has passed.
func (l *Lease) expiredLocked() error {
	if l.hold == nil || !l.hold.cut {
		return ErrExpired
	}
	return &HoldOverError{Max: l.hold.max}
}

// holdEnds passes on what lockd says of a lease that is held here.
func (l *link) holdEnds(notice *lockdv1.HoldEnding) {
	l.mu.Lock()
	lease := l.leases[holding{notice.GetName(), notice.GetToken()}]
	l.mu.Unlock()
	if lease == nil {
		return
	}
	lease.mu.Lock()
	defer lease.mu.Unlock()
	lease.holdLocked().tell(HoldEnd{At: time.Now().Add(notice.GetHoldEndsIn().AsDuration()), Max: notice.GetMaxHold().AsDuration()})
}
