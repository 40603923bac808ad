package lockd

import (
	"context"
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
	// firstPause and longPause bound the pauses between attempts. lockd undoes an attempt of unknown
	// outcome after a second; the first retry, which takes it over, comes well before.
	firstPause = 50 * time.Millisecond
	longPause  = time.Second
)

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
	// refused is what lockd last said of why it does not serve, nil once it has served since: of more
	// use to whoever reads the error than how the last attempt ended.
	refused error
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
			a.held, a.refused, a.silent, a.failures = r.held, nil, time.Time{}, 0
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
			if r.reason != "" {
				a.refused = fmt.Errorf("%w: %s", ErrUnavailable, status.Convert(err).Message())
			}
			if r.nothingDone && !a.wait && r.reason != reasonDraining { // an answer, and at once
				return nil, a.refused
			}
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

// unserved counts an attempt that nobody served although an answer was owed from owed on, and pauses
// before the next. It returns ErrUnavailable when it is time to give up, and ctx's error if that ends.
func (a *acquisition) unserved(ctx context.Context, owed time.Time, err error) error {
	c := a.client
	text := status.Convert(err).Message()
	if !c.connected.Load() {
		return fmt.Errorf("%w: cannot connect to %s: %s", ErrUnavailable, c.target, text)
	}
	a.failures++
	if at := time.Now(); a.silent.IsZero() {
		a.silent = at
		if owed.Before(at) {
			a.silent = owed
		}
	}
	left := time.Until(a.silent.Add(c.unavailableFor))
	if left <= 0 {
		if a.refused != nil {
			return a.refused
		}
		return fmt.Errorf("%w: nobody served at %s for %s: %s", ErrUnavailable, c.target, c.unavailableFor, text)
	}
	if !pause(ctx, min(left, retryPause(a.failures, firstPause, longPause))) {
		return ctx.Err()
	}
	return nil
}
