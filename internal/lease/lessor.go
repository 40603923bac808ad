package lease

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
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
	// Until there is a line, whoever waits asks again after 10 ms, doubling to 250 ms, jittered.
	firstPause = 10 * time.Millisecond
	lastPause  = 250 * time.Millisecond
)

// Lessor stands in front of a store: it checks arguments, fills in defaults, waits, bounds every
// store call, and cleans up after acquisitions whose outcome nobody was told. It is safe for
// concurrent use.
type Lessor struct {
	store    Store
	limits   Limits
	cleanup  *cleanup
	draining chan struct{}
}

// NewLessor returns a Lessor over store. limits must be valid with their defaults set.
func NewLessor(store Store, limits Limits) *Lessor {
	return &Lessor{store: store, limits: limits, cleanup: newCleanup(store), draining: make(chan struct{})}
}

// AcquireRequest is what a client asks for.
type AcquireRequest struct {
	Name     string
	ID       ID
	Attempt  uint32 // 1, then one more for each retry; 0: not counted
	Told     Token  // the token the client was told for ID, 0 if never
	Owner    string
	TTL      *time.Duration // nil: the default
	Wait     time.Duration  // 0: answer at once
	Metadata map[string]string
}

// Grant is a lease and what its holder needs to know how long it may count on it.
type Grant struct {
	Lease Lease
	// Waited is how long the request had been here when the store call that granted it began. Too
	// small is safe: the holder's deadline is counted from its sending of the request plus Waited.
	Waited time.Duration
}

// Acquire grants r.Name, standing by for up to r.Wait while another lease is in force. Repeated with
// the same ID it answers the same lease. Order among those who wait is not promised. If ctx ends
// first, nothing is left behind.
func (l *Lessor) Acquire(ctx context.Context, r AcquireRequest) (Grant, error) {
	arrived := time.Now()
	a, err := l.acquisition(r)
	if err != nil {
		return Grant{}, err
	}
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		// Read before the call, whatever retries happen inside it: too small is safe.
		waited := time.Since(arrived)
		granted, err := l.try(ctx, a)
		if err == nil {
			return Grant{Lease: granted, Waited: waited}, nil
		}
		left := r.Wait - time.Since(arrived)
		if !worthAskingAgain(err) || left <= 0 {
			return Grant{}, err
		}
		if err := l.pause(ctx, min(jittered(pause), left)); err != nil {
			return Grant{}, err
		}
	}
}

// acquisition checks r and fills in defaults.
func (l *Lessor) acquisition(r AcquireRequest) (Acquisition, error) {
	ttl := l.limits.DefaultTTL
	if r.TTL != nil {
		var err error
		if ttl, err = l.limits.checkTTL(*r.TTL); err != nil {
			return Acquisition{}, err
		}
	}
	if r.Told != 0 {
		if err := checkToken(r.Told); err != nil {
			return Acquisition{}, err
		}
	}
	err := firstOf(CheckName(r.Name), checkID(r.ID), l.limits.checkWait(r.Wait), checkOwner(r.Owner), checkMetadata(r.Metadata))
	return Acquisition{
		Name: r.Name, ID: r.ID, Tag: Tag{Attempt: r.Attempt}, Told: r.Told,
		TTL: ttl, Owner: r.Owner, Metadata: r.Metadata,
	}, err
}

// try executes an acquisition once. What it does not answer with a grant, it sees undone: at once if
// the caller has gone, or after a while in which the caller's retry may take the lease over.
func (l *Lessor) try(ctx context.Context, a Acquisition) (Lease, error) {
	if err := ctx.Err(); err != nil {
		return Lease{}, err
	}
	if l.cleanup.full() {
		return Lease{}, fmt.Errorf("acquire %q: %w", a.Name, ErrOverloaded)
	}
	a.Tag.Exec = newExec()
	// Detached: a cancelled caller must not leave us in doubt about a call that is on its way.
	call, cancel := callContext(ctx, a.TTL)
	defer cancel()
	deadline, _ := call.Deadline()

	granted, err := l.store.Acquire(call, a)
	unknown, gone := errors.Is(err, ErrUnknown), ctx.Err()
	open := Undoing{Name: a.Name, ID: a.ID, Tag: a.Tag, Deadline: deadline}
	switch {
	case a.Told != 0:
		// A token was told, so the client may count on the lease: never undone.
	case gone != nil && (unknown || err == nil):
		l.cleanup.undo(open, 0, a.TTL)
	case unknown:
		l.cleanup.undo(open, retryWindow, a.TTL)
	}
	if gone != nil {
		return Lease{}, gone
	}
	return granted, err
}

// pause waits for d unless ctx ends or the server drains first.
func (l *Lessor) pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-l.draining:
		return ErrDraining
	}
}

// RenewRequest asks to restart a lease.
type RenewRequest struct {
	Name string
	ID   ID
	TTL  *time.Duration // nil: the lease's own
}

// Renew restarts the ttl of a lease that r.ID still holds. ErrLost is final; after any other error
// the lease is good until its deadline.
func (l *Lessor) Renew(ctx context.Context, r RenewRequest) (Lease, error) {
	if err := firstOf(CheckName(r.Name), checkID(r.ID)); err != nil {
		return Lease{}, err
	}
	renewal := Renewal{Name: r.Name, ID: r.ID}
	if r.TTL != nil {
		ttl, err := l.limits.checkTTL(*r.TTL)
		if err != nil {
			return Lease{}, err
		}
		renewal.TTL = ttl
	}
	ttl := renewal.TTL
	if ttl == 0 {
		ttl = l.limits.MinTTL // the lease's own is the store's to know; it is no less than this
	}
	call, cancel := callContext(ctx, ttl)
	defer cancel()
	return l.store.Renew(call, renewal)
}

// Release gives a lease back. Every outcome is a success: the lease is not in force any more.
func (l *Lessor) Release(ctx context.Context, r ReleaseRequest) (Outcome, error) {
	if err := firstOf(CheckName(r.Name), checkID(r.ID)); err != nil {
		return 0, err
	}
	call, cancel := callContext(ctx, l.limits.MaxTTL)
	defer cancel()
	released, err := l.store.Release(call, r)
	switch {
	// The client has given its word, and lease ids are not used again: repeating harms nobody.
	case err != nil:
		l.cleanup.release(r, l.limits.MaxTTL+Grace(l.limits.MaxTTL)) // until it has surely run out
	case released.Repeat:
		l.cleanup.release(r, repeatFor)
	}
	return released.Outcome, err
}

// ForceRelease ends the lease that holds r.Name with exactly r.Token and answers it as it was.
func (l *Lessor) ForceRelease(ctx context.Context, r ForceRequest) (Lease, error) {
	if err := firstOf(CheckName(r.Name), checkToken(r.Token), checkReason(r.Reason)); err != nil {
		return Lease{}, err
	}
	call, cancel := callContext(ctx, l.limits.MaxTTL)
	defer cancel()
	return l.store.ForceRelease(call, r)
}

// Get answers the lease on a name and whether there is one.
func (l *Lessor) Get(ctx context.Context, r GetRequest) (Lease, bool, error) {
	if err := CheckName(r.Name); err != nil {
		return Lease{}, false, err
	}
	call, cancel := context.WithTimeout(ctx, maxCall)
	defer cancel()
	return l.store.Get(call, r)
}

// CheckToken reports whether token is in force on name, grace included.
func (l *Lessor) CheckToken(ctx context.Context, name string, token Token) (bool, error) {
	if err := firstOf(CheckName(name), checkToken(token)); err != nil {
		return false, err
	}
	held, ok, err := l.Get(ctx, GetRequest{Name: name})
	return ok && held.Token == token, err
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

// Drain ends every wait with ErrDraining. What is held stays held. Call it once.
func (l *Lessor) Drain() { close(l.draining) }

// Close waits until everything given up is gone from the store, or for ctx. No call may be under way.
func (l *Lessor) Close(ctx context.Context) error { return l.cleanup.close(ctx) }

// callContext bounds one store call for a lease of ttl and lets it outlive its caller: cancelling
// cannot interrupt what is on its way, it would only leave us in doubt about it.
func callContext(ctx context.Context, ttl time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), min(maxCall, max(minCall, ttl/4)))
}

// worthAskingAgain reports whether time may heal err within one request's wait. An unknown outcome
// is not asked about again here: only the client's retry, with its next attempt, tells the two apart.
func worthAskingAgain(err error) bool {
	var held *HeldError
	return errors.As(err, &held) || errors.Is(err, ErrUnavailable) || errors.Is(err, ErrGrantsRefused) || errors.Is(err, ErrStoreFull)
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
