package lease

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// AcquireRequest is what a client asks for.
type AcquireRequest struct {
	Name    string
	ID      ID
	Attempt uint32 // 1, then one more for each retry; 0: not counted
	Told    Token  // the token the client was told for ID, 0 if never
	Owner   string
	// Principal is who asks, as authenticated; "" while nobody is. Only the same one renews, releases or repeats.
	Principal string
	Own       *Own           // what bounds Principal alone; nil: nothing does
	TTL       *time.Duration // nil: the default
	Wait      time.Duration  // 0: answer at once
	Metadata  map[string]string
}

// Grant is a lease and what its holder needs to know how long it may count on it.
type Grant struct {
	Lease Lease
	// Waited is how long the request had been here when the store call that granted or refreshed the
	// lease began. Too small is safe: the holder's deadline is counted from its sending of the request
	// plus Waited.
	Waited time.Duration

	open Undoing // what TakeBack undoes; the zero value if the lease must not be undone
}

// Asker is who asked. Its methods must not block.
type Asker interface {
	// Asked is told, once, that the store has answered for the first time, before what it answered is told:
	// from then on the request costs the store nothing until it is executed again.
	Asked()
	// Queued is told that the request stands in line; at most once, before Answered.
	Queued(held *HeldError)
	// Answered is told how it ended; once, unless Cancel ended it. A grant that cannot be passed on goes
	// back by Lessor.TakeBack.
	Answered(g Grant, err error)
}

// Asking is one acquisition, from its request to its answer. While it waits it costs no goroutine.
type Asking struct {
	lessor  *Lessor
	to      Asker
	arrived time.Time
	until   time.Time // when the wait is over
	guest   guest
	full    error // the limit that keeps it from waiting, nil if none does

	// Guarded by lessor.ledger's mutex, but for who begins and who ends it.
	claim   *claim
	counted bool // among those who wait

	// The rest is guarded by mu, which is never held during a call.
	mu      sync.Mutex
	next    Acquisition   // what is executed next, or was last; stays as it is while a call is under way
	open    Undoing       // the last execution
	call    Call          // the same, as the store has it
	waited  time.Duration // until it began
	resumed bool          // it was begun by a timer, which has counted it among what Close waits for
	state   state
	handed  *Handover   // came while a call was under way
	timer   *time.Timer // while waiting: the end of the wait; while pausing: the next try
	pause   time.Duration
	inLine  bool // has been
	keep    bool // once over: the place is to be kept
	granted bool // and answered so: the lease is the client's
	unknown bool // ended by an unknown outcome: its undo is under way, and leaves time for a retry
}

// state is what an Asking is doing. over is final.
type state int

const (
	calling state = iota // a store call is under way, or about to begin
	waiting              // in line
	pausing              // until the store is asked again
	over                 // answered or cancelled
)

// Ask begins an acquisition; Run executes it. The request is granted when its turn has come, within
// r.Wait. Repeated with the same ID it answers the same lease, or has its place in line again. Errors:
// *InvalidError, *LimitError, ErrOverloaded.
func (l *Lessor) Ask(r AcquireRequest, to Asker) (*Asking, error) {
	a, err := l.ask(r, to)
	if err != nil {
		l.refused(r.Name, err)
	}
	return a, err
}

func (l *Lessor) ask(r AcquireRequest, to Asker) (*Asking, error) {
	limits := l.limits.Load().of(r.Own) // once: those of two moments may not fit each other
	next, err := l.acquisition(r, &limits)
	if err != nil {
		return nil, err
	}
	if l.cleanup.full() {
		return nil, fmt.Errorf("acquire %q: %w", r.Name, ErrOverloaded)
	}
	a := &Asking{lessor: l, to: to, arrived: time.Now(), next: next, pause: firstPause}
	a.until = a.arrived.Add(r.Wait)
	a.next.Tag.Exec = newExec()
	if r.Wait > 0 {
		a.next.Until, a.next.Turn = a.until, a.turn
	}
	if a.full, err = l.ledger.enter(a, &limits); err != nil {
		return nil, fmt.Errorf("acquire %q: %w", r.Name, err)
	}
	if a.full != nil {
		a.next.Turn = nil
	}
	if err := l.lobby.enter(a); err != nil {
		l.ledger.leave(a)
		return nil, fmt.Errorf("acquire %q: %w", r.Name, err)
	}
	return a, nil
}

// acquisition checks r against limits and fills in their defaults.
func (l *Lessor) acquisition(r AcquireRequest, limits *Limits) (Acquisition, error) {
	ttl := limits.DefaultTTL
	if r.TTL != nil {
		var err error
		if ttl, err = limits.checkTTL(*r.TTL); err != nil {
			return Acquisition{}, err
		}
	}
	if r.Told != 0 {
		if err := checkToken(r.Told); err != nil {
			return Acquisition{}, err
		}
	}
	err := firstOf(CheckName(r.Name), checkID(r.ID), limits.checkWait(r.Wait), checkOwner(r.Owner), checkPrincipal(r.Principal), limits.checkMetadata(r.Metadata))
	if err != nil {
		return Acquisition{}, err
	}
	terms := l.termsOf(r.Name)
	ttl = r.Own.shorten(ttl, limits.MinTTL)
	if terms.MaxHold > 0 {
		ttl = min(ttl, terms.MaxHold)
	}
	return Acquisition{
		Name: r.Name, ID: bound(r.ID, r.Principal), Tag: Tag{Attempt: r.Attempt}, Told: r.Told,
		TTL: ttl, Owner: r.Owner, Principal: r.Principal, Metadata: r.Metadata,
		MaxHold: terms.MaxHold, LockDelay: terms.LockDelay,
	}, nil
}

// Run executes the acquisition: at once it is answered, stands in line, or pauses before it asks a store
// that cannot serve again, all of it within one store call. Call it, or Calls.Acquire, once.
func (a *Asking) Run() {
	calls := a.lessor.Calls()
	calls.Acquire(a)
	calls.Start()
}

// Settled implements Settler.
func (a *Asking) Settled(got Result) {
	defer a.lessor.cleanup.running.Done() // after what is to be undone has been counted
	if !a.resumed {
		a.to.Asked()
	}
	a.settle(Grant{Lease: got.Lease, Waited: a.waited}, got.Err)
}

// settle takes the result of an execution.
func (a *Asking) settle(g Grant, err error) {
	a.mu.Lock()
	if a.handed != nil { // its turn came while the call was under way, which proves more than its result
		g, err = a.grantOf(*a.handed), nil
	}
	held := heldBy(err)
	queued := held != nil && held.Place > 0 && a.next.Turn != nil
	a.inLine = a.inLine || queued
	left := time.Until(a.until)
	// Once draining, nothing is waited for any more: what Drain did not find waiting ends here.
	draining := a.lessor.lobby.closed()
	switch {
	case a.state == over: // cancelled meanwhile
		if err == nil || a.inLine || errors.Is(err, ErrUnknown) {
			a.undoLocked(0, a.keep)
		}
		a.mu.Unlock()
	case queued && !draining:
		a.state = waiting
		a.timer = time.AfterFunc(left, a.outOfTime)
		a.to.Queued(held) // with the mutex held: nothing that is told later may overtake it
		a.mu.Unlock()
	case mayHeal(err) && left > 0 && !draining:
		a.state = pausing
		a.timer = time.AfterFunc(min(jittered(a.pause), left), a.again)
		a.pause = min(2*a.pause, lastPause)
		a.mu.Unlock()
	case queued, mayHeal(err) && left > 0:
		a.finish(Grant{}, a.drained())
	case held != nil && a.full != nil:
		a.finish(Grant{}, fmt.Errorf("acquire %q: %w", a.next.Name, a.full))
	default:
		a.finish(g, err)
	}
}

// heldBy answers who is in the way, nil if err says nothing of the kind.
func heldBy(err error) *HeldError {
	if err == nil {
		return nil
	}
	var held *HeldError
	errors.As(err, &held)
	return held
}

// turn is the store's word that the lease is ours.
func (a *Asking) turn(h Handover) {
	a.mu.Lock()
	switch a.state {
	case calling: // settle will see it
		a.handed = &h
		a.mu.Unlock()
	case over:
		// Nobody is there to be told, unless the lease was answered already, to the same call of the
		// client, or is about to be undone.
		if !a.granted && !a.unknown {
			a.undoLocked(0, a.keep)
		}
		a.mu.Unlock()
	default:
		a.finish(a.grantOf(h), nil)
	}
}

// grantOf is the grant that h is. What was granted just now has all of its hold left.
func (a *Asking) grantOf(h Handover) Grant {
	if h.Lease.MaxHold == 0 {
		h.Lease = h.Lease.Bounded(a.next.MaxHold, a.next.MaxHold)
	}
	return Grant{Lease: h.Lease, Waited: max(0, h.Began.Sub(a.arrived))}
}

// outOfTime asks a last time, without a wait: that gives the turn up, keeps the place, and tells who
// is in the way by now.
func (a *Asking) outOfTime() { a.resume(waiting, func() { a.next.Turn = nil }) }

// again asks a store again that could not serve. The execution before certainly did nothing, so this
// is another one.
func (a *Asking) again() { a.resume(pausing, func() { a.next.Tag.Exec = newExec() }) }

// resume runs once more, prepared, if the state is still from.
func (a *Asking) resume(from state, prepare func()) {
	a.mu.Lock()
	if a.state != from {
		a.mu.Unlock()
		return
	}
	a.state = calling
	prepare()
	// Before mu is free: Drain, which then finds a call under way, comes before Close, which waits for it.
	a.lessor.cleanup.running.Add(1)
	a.resumed = true
	a.mu.Unlock()
	a.Run()
}

// Cancel ends the acquisition unless it has been answered, and reports whether it did; then nobody is
// told anything any more, and nothing is left behind but, with keepPlace, its place in line for
// KeepPlace.
func (a *Asking) Cancel(keepPlace bool) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.state == over {
		return false
	}
	if a.state == waiting {
		a.undoLocked(0, keepPlace)
	}
	a.keep = keepPlace // if calling, settle undoes
	a.leaveLocked()
	a.lessor.cancelled(a)
	return true
}

// drain ends a wait because the server goes away. A call under way is left to its result.
func (a *Asking) drain() {
	a.mu.Lock()
	if a.state == calling || a.state == over {
		a.mu.Unlock()
		return
	}
	a.finish(Grant{}, a.drained())
}

func (a *Asking) drained() error { return fmt.Errorf("acquire %q: %w", a.next.Name, ErrDraining) }

// finish answers and unlocks mu, which must be held.
func (a *Asking) finish(g Grant, err error) {
	a.keep = true // should a turn come yet: whoever was answered may ask again
	switch {
	case err == nil:
		a.granted = true
		if a.next.Told == 0 {
			g.open = a.open
		}
	case errors.Is(err, ErrUnknown):
		a.unknown = true
		a.undoLocked(retryWindow, true)
	case a.inLine && !errors.As(err, new(*HeldError)): // that one has given the turn up already
		a.undoLocked(0, true)
	}
	over := overAt(a.arrived.Add(g.Waited), g.Lease.ExpiresIn)
	if err == nil {
		a.lessor.hold(claimOf{a.next.Name, a.next.ID}, g.Lease, over)
	}
	a.leaveLocked()
	a.mu.Unlock()
	if err == nil {
		a.lessor.losses.granted(g.Lease, over)
		defer a.lessor.losses.told(g.Lease)
	}
	a.lessor.answered(a, &g, err)
	a.to.Answered(g, err)
}

func (a *Asking) leaveLocked() {
	a.state = over
	if a.timer != nil {
		a.timer.Stop()
	}
	a.lessor.lobby.leave(a)
	a.lessor.ledger.leave(a)
}

// giveUp undoes an unknown outcome at once: no retry will come.
func (a *Asking) giveUp() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.undoLocked(0, true)
}

// undoLocked has the last execution undone after delay, unless the client was told a token: then it
// may count on the lease.
func (a *Asking) undoLocked(delay time.Duration, keepPlace bool) {
	if a.next.Told != 0 {
		return
	}
	open := a.open
	open.KeepPlace = keepPlace
	a.lessor.cleanup.undo(open, delay, a.next.TTL, a.next.LockDelay, a.next.Until)
}

// TakeBack undoes a grant that could not be passed on: the client has gone. Its place, had it one, is
// kept for KeepPlace.
func (l *Lessor) TakeBack(g Grant) {
	if g.open.ID == "" {
		return // the client was told of it once, and may count on it
	}
	open := g.open
	open.KeepPlace = true
	l.freed(claimOf{open.Name, open.ID}, EndTakenBack)
	l.cleanup.undo(open, 0, g.Lease.TTL, g.Lease.Delay, time.Time{}) // a turn that has come is the last
}

// mayHeal reports whether time may heal err within one request's wait. An unknown outcome is not asked
// about again here: only the client's retry, with its next attempt, tells the two apart.
func mayHeal(err error) bool {
	return errors.Is(err, ErrUnavailable) || errors.Is(err, ErrGrantsRefused) || errors.Is(err, ErrStoreFull)
}
