package lockd

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

const (
	// firstConnection is how long the first connection may take.
	firstConnection = 5 * time.Second
	// replyWithin is how long an answer may take beyond the wait that was asked for. lockd gives its
	// store half a second.
	replyWithin = 3 * time.Second
	// longWait is how long to wait in one call. lockd allows 5 min; less keeps what is known of the
	// holder fresh and stays below the idle limits of most proxies.
	longWait = time.Minute
	// lastLook is how long before the caller's deadline the last wait but one ends, so that the error
	// names the present holder.
	lastLook = 100 * time.Millisecond
)

// Acquire waits until it holds name or ctx ends. ctx bounds the waiting only: until Release the lease
// is renewed in the background, and its Context ends the moment it can no longer be proven held. A
// process that was paused can still act late, so pass Token to what you protect and have that refuse
// a smaller one.
//
// Leases are not re-entrant: whoever acquires a name twice waits for itself. The order among those
// who wait is not promised.
//
// It returns [ErrInvalid], [ErrUnavailable], [ErrClosed], or, when ctx ended, an error that is
// ctx.Err() and, if anybody was seen to hold the name, also a *[HeldError]. After an error nothing
// is left behind: an acquisition whose outcome is unknown is given back in the background.
func (c *Client) Acquire(ctx context.Context, name string, opts ...AcquireOption) (*Lease, error) {
	return c.acquire(ctx, name, true, opts)
}

// TryAcquire answers at once: with the lease, or with a *[HeldError] that says who has it. It does
// ask again while lockd cannot be reached, as Acquire does. Otherwise it is like Acquire.
func (c *Client) TryAcquire(ctx context.Context, name string, opts ...AcquireOption) (*Lease, error) {
	return c.acquire(ctx, name, false, opts)
}

func (c *Client) acquire(ctx context.Context, name string, wait bool, opts []AcquireOption) (*Lease, error) {
	r := newRequest(opts)
	if err := checkText(name, c.owner, r.metadata); err != nil {
		return nil, failed("acquire", name, err)
	}
	if !c.work.begin() {
		return nil, failed("acquire", name, ErrClosed)
	}
	defer c.work.end()
	asking, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.ctx, cancel)()

	a := &acquisition{client: c, name: name, request: r, caller: ctx, wait: wait}
	for rounds := 1; ; rounds++ {
		a.id, a.attempt = newLeaseID(), 0
		lease, err := a.run(asking)
		if err == nil {
			return lease, nil
		}
		if a.doubt {
			a.giveUp()
		}
		again := wait && errors.Is(err, errAnew)
		if again && pause(asking, retryPause(rounds, firstPause, longPause)) {
			continue
		}
		return nil, a.failed(err)
	}
}

// firstPause and longPause bound the pauses between attempts. lockd undoes an attempt of unknown
// outcome after a second; the first retry, which takes it over, comes well before.
const (
	firstPause = 50 * time.Millisecond
	longPause  = time.Second
)

// errAnew: this lease id is spent, and another one may do better.
var errAnew = errors.New("the lease was gone before it could be used")

// acquisition is one call of Acquire or TryAcquire.
type acquisition struct {
	request
	client *Client
	name   string
	caller context.Context // the caller's own
	wait   bool

	id      string
	attempt uint32 // how often id was sent
	// doubt: a request with id may have been executed, or still be, without our having its lease.
	doubt bool
	held  *HeldError // the last one seen
	// silent is since when nothing has served, zero while something does; failures counts the
	// attempts since.
	silent   time.Time
	failures int
}

// run sends attempt after attempt of one lease id, each after the one before has ended, until there
// is a lease or no sense in another.
func (a *acquisition) run(ctx context.Context) (*Lease, error) {
	for {
		wait := a.nextWait(ctx)
		sent := now()
		resp, reached, err := a.send(ctx, wait)
		if err == nil {
			return a.take(ctx, resp, sent)
		}
		r := readRefusal(a.name, err)
		a.doubt = a.doubt || reached && !r.nothingDone
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case r.held != nil:
			a.held, a.silent, a.failures = r.held, time.Time{}, 0
			if !a.wait {
				return nil, r.held
			}
			if time.Since(sent.mono) < wait/2 { // it would not stand by for so long
				pause(ctx, retryPause(1, firstPause, longPause))
			}
		case r.reason == reasonSuperseded, r.reason == reasonLost:
			return nil, errAnew
		case !r.again:
			return nil, r.err
		default:
			if err := a.unserved(ctx, sent.mono.Add(wait), err); err != nil {
				return nil, err
			}
		}
	}
}

// nextWait is for how long to ask lockd to stand by. The first time, and after a failure, not at all:
// that tells at once who holds the name, and whether anybody serves.
func (a *acquisition) nextWait(ctx context.Context) time.Duration {
	if !a.wait || a.held == nil || !a.silent.IsZero() {
		return 0
	}
	wait := longWait
	if deadline, ok := ctx.Deadline(); ok {
		left := time.Until(deadline)
		if left > 2*lastLook {
			left -= lastLook
		}
		wait = max(0, min(wait, left))
	}
	return wait
}

// send sends one attempt. reached reports whether it got as far as a connection.
func (a *acquisition) send(ctx context.Context, wait time.Duration) (resp *lockdv1.AcquireResponse, reached bool, err error) {
	c := a.client
	connected := c.connected.Load()
	limit := wait + min(replyWithin, c.unavailableFor)
	switch {
	case !connected:
		limit = min(firstConnection, c.unavailableFor)
	case !a.silent.IsZero():
		limit = min(limit, time.Until(a.silent.Add(c.unavailableFor)))
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	a.attempt++
	req := &lockdv1.AcquireRequest{
		Name: a.name, LeaseId: a.id, Attempt: a.attempt, Owner: c.owner, Wait: durationpb.New(wait), Metadata: a.metadata,
	}
	if a.ttl != nil {
		req.Ttl = durationpb.New(*a.ttl)
	}
	// Once there has been a connection the next one is worth waiting for; before, a refusal by every
	// address is an answer.
	var server peer.Peer
	resp, err = c.rpc.Acquire(ctx, req, grpc.Peer(&server), grpc.WaitForReady(connected))
	reached = server.Addr != nil
	if reached {
		c.connected.Store(true)
	}
	return resp, reached, err
}

// take makes a lease of an answer to a request that was sent at sent.
func (a *acquisition) take(ctx context.Context, resp *lockdv1.AcquireResponse, sent instant) (*Lease, error) {
	granted, elapsed := resp.GetLease(), time.Since(sent.mono)
	a.doubt = true // until the lease is the caller's
	if granted.GetToken() <= 0 || granted.GetName() != a.name {
		return nil, errors.New("lockd granted it without saying so: the answer names another lease, or none")
	}
	l := &Lease{
		client: a.client, name: a.name, id: a.id, owner: granted.GetOwner(), token: granted.GetToken(),
		asked: a.ttl, keep: a.keepalive, ttl: answeredTTL(a.ttl, granted.GetTtl()), due: due{index: -1},
	}
	l.deadline = sent.add(validity(l.ttl, resp.GetWaited().AsDuration(), elapsed))
	l.ctx = newLeaseContext(context.WithoutCancel(a.caller), l)
	if time.Until(l.deadline.mono) < 2*l.ttl/3 {
		// The answer was a long time coming, or was not heard for a while: a holder starts with a
		// lease worth the name.
		if err := l.refresh(ctx); err != nil {
			return nil, err
		}
	}
	if !a.client.schedule.add(l, renewAt(l.deadline.mono, l.ttl)) {
		return nil, ErrClosed
	}
	a.doubt = false
	return l, nil
}

// refresh renews the lease once, trying until it has ended or ctx does.
func (l *Lease) refresh(ctx context.Context) error {
	for failures := 1; ; failures++ {
		if err := l.renewOnce(ctx); err == nil {
			return nil
		}
		if l.Err() != nil {
			return errAnew
		}
		if !pause(ctx, renewalPause(failures, l.ttl)) {
			return ctx.Err()
		}
	}
}

// unserved counts an attempt that nobody served although an answer was owed from due on, and pauses
// before the next. It returns ErrUnavailable when it is time to give up, and ctx's error if that ends.
func (a *acquisition) unserved(ctx context.Context, due time.Time, err error) error {
	c := a.client
	text := status.Convert(err).Message()
	if !c.connected.Load() {
		return fmt.Errorf("%w: cannot connect to %s: %s", ErrUnavailable, c.target, text)
	}
	a.failures++
	if at := time.Now(); a.silent.IsZero() {
		a.silent = at
		if due.Before(at) {
			a.silent = due
		}
	}
	left := time.Until(a.silent.Add(c.unavailableFor))
	if left <= 0 {
		return fmt.Errorf("%w: nobody served at %s for %s: %s", ErrUnavailable, c.target, c.unavailableFor, text)
	}
	if !pause(ctx, min(left, retryPause(a.failures, firstPause, longPause))) {
		return ctx.Err()
	}
	return nil
}

// giveUp sees to it that nothing is left of the lease id, in the background.
func (a *acquisition) giveUp() {
	c, name, id := a.client, a.name, a.id
	a.doubt = false
	c.work.spawn(func() {
		ctx, cancel := c.detached(a.caller)
		defer cancel()
		_, _, _ = c.sendRelease(ctx, name, id) // nobody is left to tell; lockd's own undo and the ttl remain
	})
}

// failed says why there is no lease. The caller's own context and the client's end come first,
// whatever they made of the call under way.
func (a *acquisition) failed(err error) error {
	var held *HeldError
	switch {
	case a.caller.Err() != nil:
		errs := []error{a.caller.Err()}
		if cause := context.Cause(a.caller); cause != errs[0] {
			errs = append(errs, cause)
		}
		if a.held != nil {
			errs = append(errs, a.held)
		}
		return failed("acquire", a.name, errs...)
	case a.client.ctx.Err() != nil:
		return failed("acquire", a.name, ErrClosed)
	case errors.As(err, &held):
		return held
	}
	return failed("acquire", a.name, err)
}

// newLeaseID returns 128 random bits as 32 hex digits: a secret that authorises renew and release.
func newLeaseID() string {
	var bits [16]byte
	_, _ = rand.Read(bits[:]) // it never fails: the program ends if the system has no randomness
	return hex.EncodeToString(bits[:])
}
