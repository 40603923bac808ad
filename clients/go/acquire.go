package lockd

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
)

// Acquire waits until it holds name or ctx ends. ctx bounds the waiting only: until Release the lease
// is renewed in the background, and its Context ends the moment it can no longer be proven held. A
// process that was paused can still act late, so pass Token to what you protect and have that refuse
// a smaller one.
//
// Who waits stands in line, in the order in which the store took them in, and keeps the place through
// reconnections and restarts of lockd; docs/guarantees.md says what order means for which store. Leases
// are not re-entrant: whoever acquires a name twice waits for itself.
//
// It returns [ErrInvalid], [ErrUnavailable], [ErrClosed], or, when ctx ended, an error that is
// ctx.Err() and, if anybody was seen to hold the name, also a *[HeldError], or [ErrUnavailable] with
// lockd's reason if it was not able to serve. After an error nothing is left behind: the place in line
// is given up, and so is an acquisition whose outcome is unknown, in the background.
func (c *Client) Acquire(ctx context.Context, name string, opts ...AcquireOption) (*Lease, error) {
	return c.acquire(ctx, name, true, opts)
}

// TryAcquire answers at once: with the lease, or with a *[HeldError] that says who has it. It does
// ask again while lockd cannot be reached or cannot serve, as Acquire does, so bound it with ctx if
// that is too long. Otherwise it is like Acquire.
func (c *Client) TryAcquire(ctx context.Context, name string, opts ...AcquireOption) (*Lease, error) {
	return c.acquire(ctx, name, false, opts)
}

func (c *Client) acquire(ctx context.Context, name string, wait bool, opts []AcquireOption) (*Lease, error) {
	a := &acquisition{client: c, name: name, request: request{keepalive: true}, caller: ctx, wait: wait}
	for _, opt := range opts {
		opt(&a.request)
	}
	if err := checkText(name, c.owner, a.metadata); err != nil {
		return nil, failed("acquire", name, err)
	}
	if !c.work.begin() {
		return nil, failed("acquire", name, ErrClosed)
	}
	defer c.work.end()
	defer a.stopAsking()

	for rounds := 1; ; rounds++ {
		a.id, a.attempts, a.fate = newLeaseID(), 0, nil
		lease, err := a.settled()
		if err == nil {
			return lease, nil
		}
		again := wait && errors.Is(err, errAnew)
		if again && pause(a.asking(), retryPause(rounds, firstPause, longPause)) {
			continue
		}
		return nil, a.failed(err)
	}
}

// asking returns a context that ends with the caller's and when the client is closed. It is made when first
// needed: who is served at once needs none.
func (a *acquisition) asking() context.Context {
	if a.both == nil {
		ctx, cancel := context.WithCancel(a.caller)
		stop := context.AfterFunc(a.client.ctx, cancel)
		a.both, a.stop = ctx, func() { stop(); cancel() }
	}
	return a.both
}

func (a *acquisition) stopAsking() {
	if a.both != nil {
		a.stop()
	}
}

// ended is why nobody waits for the lease any more, nil while somebody does.
func (a *acquisition) ended() error {
	return cmp.Or(a.caller.Err(), a.client.ctx.Err())
}

// settled is run, after which nothing is left of the lease id but the lease that is returned: also if the
// function of WithQueued panics.
func (a *acquisition) settled() (lease *Lease, err error) {
	returned := false
	defer func() {
		if a.fate != nil {
			a.fate.settle(lease)
		}
		if a.doubt || !returned {
			a.client.giveUp(a.caller, a.name, a.id)
			a.doubt = false
		}
	}()
	lease, err = a.run()
	returned = true
	return lease, err
}

// errAnew: this lease id is spent, and another one may do better.
var errAnew = errors.New("the lease was gone before it could be used")

// giveUp sees to it that nothing is left of the lease id, in the background.
func (c *Client) giveUp(ctx context.Context, name, id string) {
	c.work.spawn(func() {
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
		if a.refused != nil {
			errs = append(errs, a.refused)
		}
		return failed("acquire", a.name, errs...)
	case a.client.ctx.Err() != nil:
		return failed("acquire", a.name, ErrClosed)
	case errors.As(err, &held):
		return held
	case errors.Is(err, errAnew):
		err = fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return failed("acquire", a.name, err)
}

// newLeaseID returns 128 random bits as 32 hex digits: a secret that authorises renew and release.
func newLeaseID() string {
	var bits [16]byte
	var digits [2 * len(bits)]byte
	_, _ = rand.Read(bits[:]) // it never fails: the program ends if the system has no randomness
	hex.Encode(digits[:], bits[:])
	return string(digits[:])
}
