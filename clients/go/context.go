package lockd

import "context"

// leaseContext ends with its lease. Unlike a plain cancelled context it does not wait to be told:
// Err and Done look at the clocks, so code that comes back from a pause and asks sees the end also
// when the goroutine that watches the deadline has not run yet. Contexts derived from it cannot do
// that; they end when it is cancelled, within 50 ms.
//
// Inside is a context of the standard library. Value and Done come from it, and by these package
// context finds it: children register with it directly, without a goroutine each, and
// context.Cause finds the cause there.
type leaseContext struct {
	context.Context
	cancel context.CancelCauseFunc // ends Context
	lease  *Lease
}

// newLeaseContext returns a context for l that also ends with parent.
func newLeaseContext(parent context.Context, l *Lease) *leaseContext {
	inner, cancel := context.WithCancelCause(parent)
	return &leaseContext{Context: inner, cancel: cancel, lease: l}
}

// Err is context.Canceled once the lease has ended, and from then on.
func (c *leaseContext) Err() error {
	if cause := c.lease.Err(); cause != nil {
		c.cancel(cause)
	}
	return c.Context.Err()
}

// Done is closed when Err is no longer nil.
func (c *leaseContext) Done() <-chan struct{} {
	_ = c.Err() // closes it if the deadline has passed
	return c.Context.Done()
}

// String names the context where contexts print themselves.
func (c *leaseContext) String() string { return c.lease.String() + ".Context" }
