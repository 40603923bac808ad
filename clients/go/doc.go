// Package lockd takes leases on names from lockd, the lock and lease service, and keeps them alive.
//
// A lease alone cannot stop a process that was paused past its deadline; its fencing token can, if
// what you protect refuses a smaller one. So pass [Lease.Token] along with every write (package
// clients/go/fence does the check for SQL databases), and [Lease.Context] to everything that works
// under the lease.
//
//	c, err := lockd.Dial("localhost:7420")
//	lease, err := c.Acquire(ctx, "orders/42", lockd.WithTTL(15*time.Second))
//	defer lease.Release(context.Background())
//	err = store.Write(lease.Context(), order, lease.Token())
//
// # How long a lease may be counted on
//
// Every grant and renewal yields a safe deadline: the moment the request was sent, plus the ttl,
// minus a margin for clocks that run at different rates. Nothing has to arrive for it to pass: a
// lease whose renewals get no answer ends by itself, with [ErrExpired], on the monotonic clock or on
// the one that also counts the time a machine was suspended, whichever is first. After the deadline
// [Lease.Err] and the Err of [Lease.Context] never return nil again, because they look at the clocks;
// the context's Done channel, and contexts derived from it, follow within 50 ms of running.
//
// That is the end of what a client can promise. Between a look at the clock and the write that
// follows it any amount of time can pass, and only the token covers that.
//
// # What goes on in the background
//
// One goroutine per Client watches all its leases and has them renewed after a third of their ttl,
// at most 64 at a time. A renewal that fails is tried again until the deadline; only lockd's word
// that the lease is gone is final. Any lockd in front of the same store will do: a client of several
// asks them in turn, so one that is mute or cut off costs a try. No code of yours runs on these goroutines, and nothing is logged.
package lockd
