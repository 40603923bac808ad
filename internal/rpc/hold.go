package rpc

import (
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/lockd/lockd/internal/lease"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// ending is what a holding has of a longest hold that will be over. The store counts it: what is known here is what it
// answered to the grant or the last renewal. It is guarded by session.mu.
type ending struct {
	maxHold   time.Duration
	due, over time.Time // when the client is told; when the hold is over
	told      bool
	timer     *time.Timer
}

// toldBefore is how long before the end of its hold a holder is told: when four fifths are over.
func toldBefore(maxHold time.Duration) time.Duration { return maxHold / 5 }

// bound has the client told when the longest hold of a lease that was granted or renewed is about to be over: once, or
// again if it has become longer meanwhile.
func (x *session) bound(l *lease.Lease) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if h := x.holdings.byName[l.Name]; h != nil && h.token == l.Token {
		h.boundLocked(l)
	}
}

func (h *holding) boundLocked(l *lease.Lease) {
	e := h.end
	switch {
	case l.MaxHold == 0 && e == nil:
		return
	case l.MaxHold == 0: // any more
		e.timer.Stop()
		h.end = nil
		return
	case e == nil:
		e = new(ending)
		h.end = e
	}
	now := time.Now()
	e.maxHold, e.over = l.MaxHold, now.Add(l.HoldLeft)
	e.due = e.over.Add(-toldBefore(l.MaxHold))
	in := e.due.Sub(now)
	if e.told = e.told && in <= 0; e.told {
		return
	}
	if e.timer == nil {
		e.timer = time.AfterFunc(in, func() { h.session.holdEnds(h, e) })
	} else {
		e.timer.Reset(in)
	}
}

// holdEnds tells the client of h that its hold is about to be over, unless that is not so any more.
func (x *session) holdEnds(h *holding, e *ending) {
	x.mu.Lock()
	now := time.Now()
	is := x.holdings.byName[h.name] == h && h.end == e && !e.told && !now.Before(e.due)
	e.told = e.told || is
	notice := &lockdv1.HoldEnding{
		Name: h.name, Token: int64(h.token), HoldEndsIn: durationpb.New(max(0, e.over.Sub(now))), MaxHold: durationpb.New(e.maxHold),
	}
	x.mu.Unlock()
	if is && x.tells(h) {
		x.out.put(item{}, &lockdv1.SessionResponse{HoldEnding: []*lockdv1.HoldEnding{notice}})
	}
}
