package lease

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// How long the Lessor gives a store, and how it asks again.
const (
	// maxCall bounds one call to a store. A lease's own calls get a quarter of its ttl if that is
	// less, so that a holder whose call timed out has time for another.
	maxCall = 500 * time.Millisecond
	minCall = 50 * time.Millisecond // less is lost to any scheduler
	// maxListCall bounds a page of List, which looks at many keys.
	maxListCall = 2 * time.Second
	// While the store cannot serve, who waits asks again after 10 ms, doubling to 250 ms, jittered.
	firstPause = 10 * time.Millisecond
	lastPause  = 250 * time.Millisecond
	// maxShown is how many waiters Get answers.
	maxShown = 100
)

// Lessor stands in front of a store: it checks arguments, fills in defaults, keeps those who wait,
// bounds every store call, cleans up after acquisitions whose outcome nobody was told, and tells
// holders of their loss. It is safe for concurrent use.
type Lessor struct {
	store   Store
	limits  atomic.Pointer[inForce]
	cleanup *cleanup
	lobby   *lobby
	ledger  *ledger
	losses  *losses
	asks    *asks
	terms   func(name string) Terms // nil: there are none

	observer Observer // nil: nobody counts
}

// NewLessor returns a Lessor over store. limits must be valid with their defaults set.
func NewLessor(store Store, limits Limits) *Lessor {
	l := &Lessor{store: store, cleanup: newCleanup(store), lobby: newLobby(), ledger: newLedger(), losses: newLosses()}
	l.SetLimits(limits)
	l.asks = newAsks(l)
	store.Forced(l.hear)
	return l
}

// hear is told of what operators did, here or elsewhere.
func (l *Lessor) hear(e Event) {
	if e.Kind == EventAsked {
		l.asks.heard(e, jittered(others))
		return
	}
	l.losses.forced(e)
}

// RenewRequest asks to restart a lease.
type RenewRequest struct {
	Name string
	ID   ID
	TTL  *time.Duration // nil: the lease's own
	Told Token          // the token the client was told for ID, if it says: helps to tell why it is lost
	// Principal is who asks, as authenticated: it must be who acquired the lease.
	Principal string
	Own       *Own // what bounds Principal alone; nil: nothing does
}

// Renew restarts the ttl of a lease that r.ID still holds. ErrLost is final, and a *LostError if its
// cause is known here; after any other error the lease is good until its deadline.
func (l *Lessor) Renew(r RenewRequest) (renewed Lease, err error) {
	done := make(chan struct{})
	calls := l.Calls()
	calls.Renew(new(Renewing), r, renewer(func(l Lease, e error) { renewed, err = l, e; close(done) }))
	calls.Start()
	<-done
	return renewed, err
}

type renewer func(Lease, error)

// Renewed implements Renewer.
func (f renewer) Renewed(l Lease, err error) { f(l, err) }

// hold counts a lease that was granted or renewed here, and answers how long ago that was last done, 0 if never.
func (l *Lessor) hold(of claimOf, held Lease, over time.Time) (since time.Duration) {
	first, since := l.ledger.hold(of, held, over, &l.limits.Load().Limits)
	if first && l.observer != nil {
		l.observer.Held(of.name)
	}
	return since
}

// renewal checks r.
func (l *Lessor) renewal(r RenewRequest) (Renewal, error) {
	if err := firstOf(CheckName(r.Name), checkID(r.ID), checkPrincipal(r.Principal)); err != nil {
		return Renewal{}, err
	}
	renewal := Renewal{Name: r.Name, ID: bound(r.ID, r.Principal), MaxHold: l.termsOf(r.Name).MaxHold}
	limits := l.limits.Load().widest // new limits end no lease
	if r.TTL != nil {
		ttl, err := limits.checkTTL(*r.TTL)
		if err != nil {
			return Renewal{}, err
		}
		renewal.TTL = r.Own.shorten(ttl, limits.MinTTL)
	}
	if renewal.MaxHold > 0 {
		renewal.TTL = min(renewal.TTL, renewal.MaxHold)
	}
	return renewal, nil
}

// Release gives a lease back. Every outcome is a success: the lease is not in force any more.
func (l *Lessor) Release(r ReleaseRequest) (outcome Outcome, err error) {
	done := make(chan struct{})
	calls := l.Calls()
	calls.Release(new(Releasing), r, releaser(func(o Outcome, e error) { outcome, err = o, e; close(done) }))
	calls.Start()
	<-done
	return outcome, err
}

type releaser func(Outcome, error)

// Released implements Releaser.
func (f releaser) Released(o Outcome, err error) { f(o, err) }

// ForceRelease ends the lease that holds r.Name with exactly r.Token and answers it as it was.
func (l *Lessor) ForceRelease(ctx context.Context, r ForceRequest) (Lease, error) {
	if err := firstOf(CheckName(r.Name), checkToken(r.Token), checkReason(r.Reason), checkText("by", r.By, MaxOwnerBytes)); err != nil {
		return Lease{}, err
	}
	// Cancelling could not interrupt what is on its way, it would only leave us in doubt about it.
	call, cancel := context.WithTimeout(context.WithoutCancel(ctx), maxCall)
	defer cancel()
	// The call may hand the name to somebody here before the force is heard of.
	defer l.losses.forcing(r)()
	was, err := l.store.ForceRelease(call, r)
	if err == nil && l.observer != nil {
		l.observer.Forced(r.Name)
	}
	return was, err
}

// Get answers who holds a name and who waits for it: the first 100 and how many.
func (l *Lessor) Get(ctx context.Context, name string) (Standing, error) {
	if err := CheckName(name); err != nil {
		return Standing{}, err
	}
	standing, err := l.get(ctx, GetRequest{Name: name, Waiters: maxShown})
	if maxHold := l.termsOf(name).MaxHold; err == nil && standing.Held && maxHold > 0 {
		// By this server's clock, which is near enough to the store's for people.
		standing.Lease = standing.Lease.Bounded(maxHold, maxHold-time.Since(standing.Lease.Since))
	}
	return standing, err
}

func (l *Lessor) get(ctx context.Context, r GetRequest) (Standing, error) {
	call, cancel := context.WithTimeout(ctx, maxCall)
	defer cancel()
	return l.store.Get(call, r)
}

// CheckToken reports whether token is in force on name, grace included.
func (l *Lessor) CheckToken(ctx context.Context, name string, token Token) (bool, error) {
	if err := firstOf(CheckName(name), checkToken(token)); err != nil {
		return false, err
	}
	standing, err := l.get(ctx, GetRequest{Name: name})
	return standing.Held && standing.Lease.Token == token, err
}

// Watch calls deliver with what happens to names under prefix, as Store.Watch does.
func (l *Lessor) Watch(ctx context.Context, prefix string, deliver func(Event)) (stop func(), err error) {
	if err := CheckPrefix(prefix); err != nil {
		return nil, err
	}
	call, cancel := context.WithTimeout(ctx, maxListCall)
	defer cancel()
	return l.store.Watch(call, prefix, deliver)
}

// List answers a page of leases.
func (l *Lessor) List(ctx context.Context, r ListRequest) (Page, error) {
	if err := CheckPrefix(r.Prefix); err != nil {
		return Page{}, err
	}
	var err error
	if r.Size, err = checkPageSize(r.Size); err != nil {
		return Page{}, err
	}
	call, cancel := context.WithTimeout(ctx, maxListCall)
	defer cancel()
	return l.store.List(call, r)
}

// Status describes the store and what is being cleaned up.
func (l *Lessor) Status() Status {
	status := l.store.Status()
	status.PendingCleanups = l.cleanup.pending()
	return status
}

// Drain ends every wait with ErrDraining, and every one to come; places in line are kept. What is held
// stays held, and who was asked to release is left to other servers. It comes before Close.
func (l *Lessor) Drain() {
	l.asks.close()
	for _, a := range l.lobby.close() {
		a.drain()
	}
}

// Close waits until everything given up is gone from the store, acquisitions included whose callers have gone
// while the store was asked, or for ctx. No method may be under way.
func (l *Lessor) Close(ctx context.Context) error {
	l.asks.close()
	return l.cleanup.close(ctx)
}

// jittered spreads d over [d/2, 3d/2), so that those who wait do not ask in step.
func jittered(d time.Duration) time.Duration {
	return d/2 + rand.N(d)
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
