package lease

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// retryWindow is how long an acquisition of unknown outcome is left to its client's retry, which
	// then gets the same token. With it, the call bound and one retry of the undo, what was given up
	// is gone within 2 s of the store being reachable.
	retryWindow = time.Second
	// repeatAfter is when a release is run again: no copy of an acquisition takes effect later than
	// one call after it was sent, and half a second is room for clocks that run at different rates.
	repeatAfter = maxCall + 500*time.Millisecond
	// repeatFor is how long a release that was answered is repeated until it is answered again.
	repeatFor = 10 * time.Second
	// maxUndos bounds the undos under way; a stream that breaks leaves one for each of its waiters. At half of it no acquisition is taken on, so that those
	// already on their way find room to be undone.
	maxUndos = 50_000
	// maxReleases bounds the repeated releases under way. They have a bound of their own: releases of
	// what is not there are cheap to send, and must not keep others from acquiring.
	maxReleases = 10_000
)

// cleanup does what is left to do when the caller has been answered: undoing acquisitions nobody was
// told of and repeating releases. Each one is a goroutine, bounded in number and in time.
type cleanup struct {
	store    Store
	ctx      context.Context // ended by close: everything under way gives up
	cancel   context.CancelFunc
	running  sync.WaitGroup
	undos    atomic.Int64 // under way, each for itself
	releases atomic.Int64
}

func newCleanup(store Store) *cleanup {
	c := &cleanup{store: store}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

// full reports whether an acquisition must be refused because it might not find room to be undone.
func (c *cleanup) full() bool { return c.undos.Load() >= maxUndos/2 }

// pending is how many undos and repeated releases are under way.
func (c *cleanup) pending() int64 { return c.undos.Load() + c.releases.Load() }

// undo takes back an execution after delay. It stops trying when the lease, granted at the last
// moment or handed over just now, would have run out by itself. Who may stand in line may be handed it until
// its wait is over, however long the store cannot be reached: until is when, or zero. A lock-delay ends with the undo, too.
func (c *cleanup) undo(u Undoing, delay, ttl, lockDelay time.Duration, until time.Time) {
	end := max(0, time.Until(u.Deadline), time.Until(until)) + ttl + Grace(ttl) + lockDelay
	c.start(&c.undos, maxUndos, delay, max(end, delay+2*time.Second), func(ctx context.Context) {
		_ = c.store.Undo(ctx, u) // it tries until it is sure or the lease has run out: nobody is left to tell
	})
}

// release runs a release again, once no late copy of its acquisition can take effect any more, until it
// is answered, for at most limit.
func (c *cleanup) release(r ReleaseRequest, limit time.Duration) {
	c.start(&c.releases, maxReleases, repeatAfter, repeatAfter+limit, func(ctx context.Context) {
		for pause := firstPause; ctx.Err() == nil; pause = min(2*pause, time.Second) {
			call, cancel := context.WithTimeout(ctx, maxCall)
			_, err := c.store.Release(call, r)
			cancel()
			if err == nil {
				return
			}
			sleep(ctx, jittered(pause))
		}
	})
}

// start runs f after delay with a context that ends limit from now, and counts it. With most under
// way already, the lease in question is left to its ttl instead.
func (c *cleanup) start(underWay *atomic.Int64, most int64, delay, limit time.Duration, f func(context.Context)) {
	if underWay.Add(1) > most {
		underWay.Add(-1)
		return
	}
	c.running.Go(func() {
		defer underWay.Add(-1)
		ctx, cancel := context.WithTimeout(c.ctx, limit)
		defer cancel()
		sleep(ctx, delay)
		f(ctx)
	})
}

// close waits for everything under way, or for ctx; then what is left gives up. No call that could
// start another may be under way.
func (c *cleanup) close(ctx context.Context) error {
	defer c.cancel()
	done := make(chan struct{})
	go func() { c.running.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	left := c.pending()
	c.cancel()
	<-done
	return errors.Join(ctx.Err(), fmt.Errorf("%d undos and repeated releases were cut short: what they would have freed is left to its ttl", left))
}

// sleep waits for d or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return // a stream that breaks leaves thousands that have nothing to wait for
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
