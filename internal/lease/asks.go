package lease

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// MaxForceIn is how far off the end may be that is announced to a holder.
	MaxForceIn = time.Hour
	// maxAsks bounds the holders that are asked and have not been forced yet.
	maxAsks = 10_000
	// remindFor is how long a holder that is not to be forced is told when it comes to this server.
	remindFor = 10 * time.Minute
	// others is how much later than the server that was asked another one forces, should that one have gone; each at
	// another moment, so that they do not come all at once.
	others = 500 * time.Millisecond
	// forceFor is how long a force is tried again that the store does not answer; then the ttl must do.
	forceFor = time.Minute
)

// asks are the holders that were asked to release. Every server hears of every one, and forces those that were announced
// to be, when it is time: so it does not matter which server dies in between, as long as one lives that has heard
// of it. Comparing the token, the force of all but the first one finds nothing to do, and none ends the next lease.
type asks struct {
	lessor *Lessor
	ctx    context.Context // ends with it
	cancel context.CancelFunc
	forces sync.WaitGroup // under way
	report atomic.Pointer[func(Event, error)]
	some   atomic.Bool // whether there may be any: grants look there

	mu     sync.Mutex
	of     map[grantOf]*asked
	closed bool
}

type asked struct {
	event Event
	end   time.Time // of the lease, if event says so, else of the reminder
	timer *time.Timer
}

func newAsks(l *Lessor) *asks {
	x := &asks{lessor: l, of: make(map[grantOf]*asked)}
	x.ctx, x.cancel = context.WithCancel(context.Background())
	return x
}

// RequestRelease asks the holder of r.Name, with exactly r.Token, to release, and answers the lease as it is. With a
// forceIn of 0 that is all; otherwise the lease is ended by force after that, if it still stands. The holder is told if
// it has a session with any server; as a hint, it can be missed. Asked again, the earlier end counts.
func (l *Lessor) RequestRelease(ctx context.Context, r ForceRequest, forceIn time.Duration) (Lease, error) {
	err := firstOf(CheckName(r.Name), checkToken(r.Token), checkReason(r.Reason), checkText("by", r.By, MaxOwnerBytes))
	if err == nil && (forceIn < 0 || forceIn > MaxForceIn) {
		err = invalid("force_in", "is %s; want 0 (for never) to %s", forceIn, MaxForceIn)
	}
	if err != nil {
		return Lease{}, err
	}
	standing, err := l.get(ctx, GetRequest{Name: r.Name})
	switch {
	case err != nil:
		return Lease{}, err
	case !standing.Held:
		return Lease{}, &TokenError{Name: r.Name, Token: r.Token}
	case standing.Lease.Token != r.Token:
		return Lease{}, &TokenError{Name: r.Name, Token: r.Token, InForce: &standing.Lease}
	}
	e := Event{
		Kind: EventAsked, Name: r.Name, At: time.Now(), Token: r.Token, Owner: standing.Lease.Owner, Principal: standing.Lease.Principal,
		By: r.By, Reason: r.Reason, ForceIn: forceIn.Truncate(time.Millisecond), Ask: newExec(),
	}
	if !l.asks.heard(e, 0) {
		return Lease{}, fmt.Errorf("request the release of %q: %w", r.Name, ErrOverloaded)
	}
	call, cancel := context.WithTimeout(context.WithoutCancel(ctx), maxCall)
	defer cancel()
	if err := l.store.Announce(call, e); err != nil {
		return Lease{}, fmt.Errorf("request the release of %q: %w", r.Name, err) // those who hear of it are asked, and may be asked twice
	}
	return standing.Lease, nil
}

// ReportForces has f told of what becomes of each force that was announced and is tried here. Call it before anything
// else; f must not block.
func (l *Lessor) ReportForces(f func(Event, error)) { l.asks.report.Store(&f) }

// heard is told of an ask, and later than the server that was asked. It answers false if there are too many.
func (x *asks) heard(e Event, later time.Duration) bool {
	of := grantOf{e.Name, e.Token}
	x.mu.Lock()
	before := x.of[of]
	switch {
	case before != nil && before.event.Ask == e.Ask, x.closed:
		x.mu.Unlock()
		return true
	case before == nil && len(x.of) >= maxAsks:
		x.mu.Unlock()
		return false
	}
	next := &asked{event: e, end: time.Now().Add(remindFor)}
	if e.ForceIn > 0 {
		next.end = time.Now().Add(e.ForceIn + later)
	}
	if before != nil {
		before.timer.Stop()
		if before.event.ForceIn > 0 && (e.ForceIn == 0 || before.end.Before(next.end)) {
			next.event.ForceIn, next.end = before.event.ForceIn, before.end
		}
	}
	next.timer = time.AfterFunc(time.Until(next.end), func() { x.over(of, next) })
	x.of[of] = next
	x.some.Store(true)
	told := next.told()
	x.mu.Unlock()
	for _, to := range x.lessor.losses.holders(of) {
		to.Requested(told)
	}
	return true
}

// told is what a holder is told now.
func (a *asked) told() Event {
	e := a.event
	if e.ForceIn > 0 {
		e.ForceIn = max(time.Millisecond, time.Until(a.end))
	}
	return e
}

// remind tells a holder that comes here what it has been asked.
func (x *asks) remind(of grantOf, to Holder) {
	if !x.some.Load() {
		return
	}
	x.mu.Lock()
	a := x.of[of]
	var told Event
	if a != nil {
		told = a.told()
	}
	x.mu.Unlock()
	if a != nil {
		to.Requested(told)
	}
}

// over forgets a, and forces if that was announced.
func (x *asks) over(of grantOf, a *asked) {
	x.mu.Lock()
	if x.of[of] != a || x.closed {
		x.mu.Unlock()
		return
	}
	delete(x.of, of)
	x.some.Store(len(x.of) > 0)
	if a.event.ForceIn > 0 {
		x.forces.Go(func() { x.force(a.event) })
	}
	x.mu.Unlock()
}

// force ends a lease whose time is up, and goes on trying for a while.
func (x *asks) force(e Event) {
	r := ForceRequest{Name: e.Name, Token: e.Token, By: e.By, Reason: e.Reason}
	err := ErrUnavailable
	for pause, end := firstPause, time.Now().Add(forceFor); time.Now().Before(end) && x.ctx.Err() == nil; pause = min(2*pause, time.Second) {
		_, err = x.lessor.ForceRelease(x.ctx, r)
		if err == nil || errors.As(err, new(*TokenError)) {
			break
		}
		sleep(x.ctx, jittered(pause))
	}
	if report := x.report.Load(); report != nil {
		(*report)(e, err)
	}
}

// close leaves everything to other servers.
func (x *asks) close() {
	x.mu.Lock()
	x.closed = true
	for _, a := range x.of {
		a.timer.Stop()
	}
	x.mu.Unlock()
	x.cancel()
	x.forces.Wait()
}

// holders answers who listens for the loss of a lease.
func (x *losses) holders(of grantOf) (found []Holder) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for l := x.listening[of.name]; l != nil; l = l.next {
		if l.token == of.token {
			found = append(found, l.to)
		}
	}
	return found
}
