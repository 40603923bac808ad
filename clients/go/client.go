package lockd

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// releaseFor is how long a release may take when nobody's context says otherwise, and how long Close
// waits for lockd.
const releaseFor = 2 * time.Second

// Client takes leases from lockd and keeps them alive. Make one per process with [Dial]; it is safe
// for concurrent use.
type Client struct {
	config
	target   string
	conn     *grpc.ClientConn
	link     *link
	schedule *schedule
	work     *work
	longest  atomic.Int64 // wait that is asked for; it shrinks where lockd takes none so long

	// ctx ends when Close is called: waiting and watching stop. cleanup ends releaseFor later: so do
	// the releases.
	ctx     context.Context
	cancel  context.CancelFunc
	cleanup context.Context
	abandon context.CancelFunc

	closed error // what Close returns; written before work.done is closed
}

// newClient returns a running client that speaks through rpc. conn may be nil.
func newClient(cfg config, target string, conn *grpc.ClientConn, rpc lockdv1.LeaseServiceClient) *Client {
	c := &Client{config: cfg, target: target, conn: conn, link: newLink(rpc), schedule: newSchedule(), work: newWork()}
	c.longest.Store(int64(longWait + keepsStanding))
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.cleanup, c.abandon = context.WithCancel(context.Background())
	c.work.spawn(func() {
		c.schedule.run(c.ctx, c.renewAll)
	})
	return c
}

// Conn is the connection, for what this package does not wrap: Get, List, CheckToken, the admin
// service. Close ends it.
func (c *Client) Conn() grpc.ClientConnInterface { return c.conn }

// Close ends the context of every lease with [ErrClosed], releases the leases (those taken with
// [WithoutKeepalive] excepted), ends every Acquire that is waiting, and closes the connection. It
// returns when nothing of the client runs any more, after 2 s at most. Leases that lockd did not
// confirm as released by then are the error; they run out by themselves. Calling it again waits for
// the first call and returns the same.
func (c *Client) Close() error {
	if !c.work.close() {
		<-c.work.done
		return c.closed
	}
	limit := time.AfterFunc(releaseFor, c.giveIn)
	defer limit.Stop()
	c.cancel()
	c.link.reach(closing)
	leases := c.schedule.close()
	for _, l := range leases {
		l.end(ErrClosed) // all of them before the first release, which may take its time
	}
	c.closed = c.releaseAll(leases)
	c.work.end()
	<-c.work.done
	c.link.close(c.cleanup)
	c.abandon()
	if c.conn != nil {
		_ = c.conn.Close() // it fails only when called twice
	}
	return c.closed
}

// giveIn ends what gives leases back.
func (c *Client) giveIn() {
	c.abandon()
	c.link.reach(abandoned)
}

// releaseAll releases the leases that are kept alive, as many at once as would be renewed.
func (c *Client) releaseAll(leases []*Lease) error {
	type release struct {
		*releaseRun
		done <-chan struct{}
	}
	var runs []release
	for _, l := range leases {
		if !l.keep {
			continue
		}
		if len(runs) >= maxRenewals {
			<-runs[len(runs)-maxRenewals].done
		}
		run, done := l.startRelease(context.Background(), ErrClosed, false)
		runs = append(runs, release{run, done})
	}
	var failures []error
	for _, run := range runs {
		<-run.done
		if run.err != nil && !lost(run.err) {
			failures = append(failures, run.err)
		}
	}
	if failures == nil {
		return nil
	}
	return fmt.Errorf("lockd: close: %d of %d leases were not released and run out by themselves: %w",
		len(failures), len(runs), errors.Join(failures[:min(len(failures), 3)]...))
}

// detached returns a context with ctx's values for giving something back: it ends releaseFor after begun
// or with the client, but not with ctx, which is often the reason for giving back.
func (c *Client) detached(ctx context.Context, begun time.Time) (context.Context, context.CancelFunc) {
	return context.WithDeadline(detachedContext{c.cleanup, ctx}, begun.Add(releaseFor))
}

// detachedContext ends with one context and has the values of another.
type detachedContext struct {
	context.Context
	values context.Context
}

// Value asks the context that it ends with first, by which package context knows it; that has no values.
func (c detachedContext) Value(key any) any {
	if v := c.Context.Value(key); v != nil {
		return v
	}
	return c.values.Value(key)
}

// pause waits for d or until ctx ends, and reports whether ctx still stands.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}
