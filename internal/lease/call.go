package lease

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A Call is an acquisition, a renewal or a release that a store is asked for without anybody waiting:
// exactly one of the three is set, and stays as it is until the call is settled. See Store.Start.
type Call struct {
	Acquire *Acquisition
	Renew   *Renewal
	Release *ReleaseRequest

	Deadline time.Time // as that of a method's ctx
	To       Settler
}

// Settler is who wants to know what came of a call.
type Settler interface {
	// Settled is told once. It must not block and must not call the store.
	Settled(Result)
}

// Result is what a method would have answered.
type Result struct {
	Lease    Lease    // of an acquisition or a renewal
	Released Released // of a release
	Err      error
}

// Name is the name that c is about.
func (c *Call) Name() string {
	switch {
	case c.Acquire != nil:
		return c.Acquire.Name
	case c.Renew != nil:
		return c.Renew.Name
	default:
		return c.Release.Name
	}
}

// Await starts c at store and waits for what comes of it, for a store whose methods are made of Start. c.To
// and c.Deadline are set here; ctx must have a deadline. Should ctx be cancelled, nobody knows.
func Await(ctx context.Context, store interface{ Start(calls []*Call) }, c *Call) Result {
	settled := make(awaited, 1)
	c.To = settled
	c.Deadline, _ = ctx.Deadline()
	store.Start([]*Call{c})
	select {
	case r := <-settled:
		return r
	case <-ctx.Done():
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return <-settled // the store ends it by itself, and knows whether it was sent
	}
	select {
	case r := <-settled: // both came at once, and what is known is not thrown away
		return r
	default:
		return Result{Err: fmt.Errorf("%q: %w: %w", c.Name(), ErrUnknown, ctx.Err())}
	}
}

// awaited is the Settler of one who waits; it has room for one.
type awaited chan Result

// Settled implements Settler.
func (a awaited) Settled(r Result) { a <- r }

// Calls are what a Lessor is asked for together: they go to the store as one, when Start is called. Use
// them once, in one goroutine.
type Calls struct {
	lessor *Lessor
	began  time.Time // before any of them
	calls  []*Call
}

// Calls returns none yet. What is added is bounded in time from now on, so Start them soon.
func (l *Lessor) Calls() *Calls { return &Calls{lessor: l, began: time.Now()} }

// Start has the store do what was added. Who is to be told may be told before it returns.
func (c *Calls) Start() {
	if len(c.calls) > 0 {
		c.lessor.store.Start(c.calls)
	}
	c.calls = nil
}

// add bounds a call for a lease of ttl. No caller can cancel it: that could not interrupt what is on its way, it
// would only leave us in doubt about it.
func (c *Calls) add(call *Call, ttl time.Duration) {
	call.Deadline = c.began.Add(min(maxCall, max(minCall, ttl/4)))
	c.calls = append(c.calls, call)
}

// Acquire adds the execution of an acquisition: see Asking.Run.
func (c *Calls) Acquire(a *Asking) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.state == over {
		if a.inLine { // by an earlier call; its turn may have come as well
			a.undoLocked(0, a.keep)
		}
		if a.resumed {
			a.lessor.cleanup.running.Done()
		} else {
			a.to.Asked() // as far as it was
		}
		return
	}
	if !a.resumed {
		a.lessor.cleanup.running.Add(1) // until it is settled: should its caller be gone by then, Close waits for it
	}
	a.call = Call{Acquire: &a.next, To: a}
	c.add(&a.call, a.next.TTL)
	a.open = Undoing{Name: a.next.Name, ID: a.next.ID, Tag: a.next.Tag, Deadline: a.call.Deadline}
	// Read before the call, whatever retries happen inside it: too small is safe.
	a.waited = max(0, c.began.Sub(a.arrived))
}

// Renewing is a renewal on its way. The zero value is ready; use it once.
type Renewing struct {
	call    Call
	id      ID // the client's; renewal's is bound to its principal
	renewal Renewal
	told    Token
	began   time.Time
	lessor  *Lessor
	to      Renewer
}

// Renewer is who asked for a renewal.
type Renewer interface {
	// Renewed is told once how it ended, perhaps before it was started; it must not block. See Lessor.Renew.
	Renewed(renewed Lease, err error)
}

// Renew adds a renewal; r is to be left alone until to has been told.
func (c *Calls) Renew(r *Renewing, ask RenewRequest, to Renewer) {
	renewal, err := c.lessor.renewal(ask)
	if err != nil {
		to.Renewed(Lease{}, err)
		return
	}
	*r = Renewing{id: ask.ID, renewal: renewal, told: ask.Told, lessor: c.lessor, to: to}
	c.renew(r)
}

// renew adds a renewal that has been checked.
func (c *Calls) renew(r *Renewing) {
	r.began = c.began
	r.call = Call{Renew: &r.renewal, To: r}
	ttl := r.renewal.TTL
	if ttl == 0 {
		ttl = c.lessor.limits.Load().widest.MinTTL // the lease's own is the store's to know; it is no less than this
	}
	c.add(&r.call, ttl)
}

// Settled implements Settler.
func (r *Renewing) Settled(got Result) {
	l, err := r.lessor, got.Err
	switch {
	case err == nil:
		over := overAt(r.began, got.Lease.ExpiresIn)
		since := l.hold(claimOf{r.renewal.Name, r.renewal.ID}, got.Lease, over)
		l.losses.renewed(got.Lease, over)
		if l.observer != nil {
			l.observer.Renewed(got.Lease, since)
		}
	case errors.Is(err, ErrLost):
		if again := r.unbound(); again != nil {
			l.soon(func(c *Calls) { c.renew(again) })
			return
		}
		l.freed(claimOf{r.renewal.Name, r.renewal.ID}, EndLost)
		loss, known := l.losses.of(r.renewal.Name, r.told)
		if known {
			err = &LostError{Loss: loss}
		}
		l.losses.lost(r.renewal.Name, loss.Cause)
	}
	r.to.Renewed(got.Lease, err)
}

// Releasing is a release on its way. The zero value is ready; use it once.
type Releasing struct {
	call    Call
	id      ID // the client's; request's is bound to its principal
	request ReleaseRequest
	lessor  *Lessor
	to      Releaser
}

// Releaser is who asked for a release.
type Releaser interface {
	// Released is told once how it ended, perhaps before it was started; it must not block. See Lessor.Release.
	Released(outcome Outcome, err error)
}

// Release adds a release; r is to be left alone until to has been told.
func (c *Calls) Release(r *Releasing, ask ReleaseRequest, to Releaser) {
	if err := firstOf(CheckName(ask.Name), checkID(ask.ID), checkPrincipal(ask.Principal)); err != nil {
		to.Released(0, err)
		return
	}
	*r = Releasing{id: ask.ID, request: ask, lessor: c.lessor, to: to}
	r.request.ID = bound(ask.ID, ask.Principal)
	c.release(r)
}

// release adds a release that has been checked.
func (c *Calls) release(r *Releasing) {
	r.call = Call{Release: &r.request, To: r}
	c.add(&r.call, c.lessor.limits.Load().widest.MaxTTL)
}

// Settled implements Settler.
func (r *Releasing) Settled(got Result) {
	l := r.lessor
	if got.Err == nil && got.Released.Outcome == HeldByOther {
		if again := r.unbound(); again != nil {
			l.soon(func(c *Calls) { c.release(again) })
			return
		}
	}
	l.freed(claimOf{r.request.Name, r.request.ID}, EndReleased)
	switch {
	// The client has given its word, and lease ids are not used again: repeating harms nobody.
	case got.Err != nil:
		longest := l.limits.Load().widest.MaxTTL
		l.cleanup.release(r.request, longest+Grace(longest)) // until it has surely run out
	case got.Released.Repeat:
		l.cleanup.release(r.request, repeatFor)
	}
	r.to.Released(got.Released.Outcome, got.Err)
}
