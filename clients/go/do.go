package lockd

import (
	"context"
	"errors"
)

// Do acquires name, runs fn and releases the lease. The context that fn gets ends with ctx and with
// the lease, whichever is first, and looks at the clocks as [Lease.Context] does. fn must return when
// it ends.
//
// Do returns the error of Acquire; otherwise fn's error, joined with [ErrExpired], [ErrLost] or
// [ErrClosed] if the lease ended before fn returned: then part of what fn did was not protected,
// unless what it wrote to checks the token. A release that lockd does not answer is no error: the
// lease runs out by itself.
func (c *Client) Do(ctx context.Context, name string, fn func(ctx context.Context, lease *Lease) error, opts ...AcquireOption) (err error) {
	lease, err := c.Acquire(ctx, name, opts...)
	if err != nil {
		return err
	}
	both := newLeaseContext(ctx, lease)
	stop := context.AfterFunc(lease.context().Context, func() { both.cancel(lease.Err()) })
	defer func() { // also when fn panics
		stop()
		loss := lease.Err()
		both.cancel(context.Canceled)
		if released := lease.Release(context.WithoutCancel(ctx)); lost(released) {
			loss = released
		}
		if loss != nil && !errors.Is(loss, ErrReleased) { // fn may release it itself
			err = errors.Join(err, loss)
		}
	}()
	return fn(both, lease)
}
