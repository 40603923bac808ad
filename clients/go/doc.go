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
// A Client speaks to one lockd at a time, over one stream that carries all its operations, many in a
// message when there are many; it is opened with the first of them. When the stream breaks, when its
// lockd announces that it is going away, stops answering or cannot reach its store, another is opened, to
// any lockd that the target names: in front of the same store any will do. Leases go on meanwhile, and
// who waits in line asks again with the same lease id and has its place back, unless it was away when its
// turn came. Where a server or a proxy knows no such streams, unary calls do the same work; then a
// loss is learned at the next renewal instead of at once, and the place in line when a wait ends.
//
// One goroutine watches all leases and has them renewed after a third of their ttl, at most 64 at a
// time; one keeps the stream, and two work for it. A renewal that fails is tried again until the
// deadline; only lockd's word that the lease is gone is final. No code of yours runs on these goroutines,
// and nothing is logged.
package lockd
