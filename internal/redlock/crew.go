package redlock

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxHands is how many calls of callers are under way at once; the rest waits within its deadlines.
	maxHands = 2048
	// maxErrands bounds what is left to do when callers have been answered; what is more is left to its ttl.
	maxErrands = 4096
)

// crew does tasks, in the order in which they were given, in so many goroutines at most.
type crew struct {
	mu    sync.Mutex
	tasks []func()
	hands int
	ended bool
	work  sync.WaitGroup
}

// start has task done, but not after stop.
func (c *crew) start(task func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return
	}
	c.tasks = append(c.tasks, task)
	if c.hands < maxHands {
		c.hands++
		c.work.Go(c.run)
	}
}

// stop takes no task any more, and returns when those that were taken are done.
func (c *crew) stop() {
	c.mu.Lock()
	c.ended = true
	c.mu.Unlock()
	c.work.Wait()
}

func (c *crew) run() {
	for task := c.next(); task != nil; task = c.next() {
		task()
	}
}

func (c *crew) next() func() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.tasks) == 0 {
		c.hands--
		return nil
	}
	task := c.tasks[0]
	c.tasks[0] = nil
	c.tasks = c.tasks[1:]
	return task
}

// errands are what is left to do when the caller has been answered, each a goroutine, bounded in number and in time.
type errands struct {
	ctx     context.Context // ends with the store
	mu      sync.Mutex      // of starting, so that stop waits for whatever was
	running sync.WaitGroup
	count   atomic.Int64
}

// stop has all end, by end, and returns when they have. None is begun any more.
func (e *errands) stop(end context.CancelFunc) {
	e.mu.Lock()
	end()
	e.mu.Unlock()
	e.running.Wait()
}

// start runs f with a context that ends limit from now, unless too many are under way.
func (e *errands) start(limit time.Duration, f func(ctx context.Context)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.count.Add(1) > maxErrands || e.ctx.Err() != nil {
		e.count.Add(-1)
		return
	}
	e.running.Go(func() {
		defer e.count.Add(-1)
		ctx, cancel := context.WithTimeout(e.ctx, limit)
		defer cancel()
		f(ctx)
	})
}

// sleep waits for d and reports whether ctx goes on.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// about spreads d over [d/2, 3d/2), so that instances do not ask in step.
func about(d time.Duration) time.Duration { return d/2 + rand.N(d) }
