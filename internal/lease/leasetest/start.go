package leasetest

import (
	"context"

	"github.com/lockd/lockd/internal/lease"
)

// Start settles calls one after the other by the methods of s: it is Start of a store that embeds another
// one and whose own methods are to be asked.
func Start(s lease.Store, calls []*lease.Call) {
	for _, c := range calls {
		ctx, cancel := context.WithDeadline(context.Background(), c.Deadline)
		var got lease.Result
		switch {
		case c.Acquire != nil:
			got.Lease, got.Err = s.Acquire(ctx, *c.Acquire)
		case c.Renew != nil:
			got.Lease, got.Err = s.Renew(ctx, *c.Renew)
		default:
			got.Released, got.Err = s.Release(ctx, *c.Release)
		}
		cancel()
		c.To.Settled(got)
	}
}

// Started is a store whose methods are asked for by its Start: what passes as s passes as Started{s}.
type Started struct{ lease.Store }

// Acquire implements lease.Store.
func (s Started) Acquire(ctx context.Context, a lease.Acquisition) (lease.Lease, error) {
	got := lease.Await(ctx, s.Store, &lease.Call{Acquire: &a})
	return got.Lease, got.Err
}

// Renew implements lease.Store.
func (s Started) Renew(ctx context.Context, r lease.Renewal) (lease.Lease, error) {
	got := lease.Await(ctx, s.Store, &lease.Call{Renew: &r})
	return got.Lease, got.Err
}

// Release implements lease.Store.
func (s Started) Release(ctx context.Context, r lease.ReleaseRequest) (lease.Released, error) {
	got := lease.Await(ctx, s.Store, &lease.Call{Release: &r})
	return got.Released, got.Err
}
