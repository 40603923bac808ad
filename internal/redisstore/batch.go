package redisstore

import (
	"context"
	"runtime"
	"sync"
	"time"
)

const (
	// maxBatch is how many operations one call does at most: Redis does nothing else meanwhile.
	maxBatch = 64
	// patience is for how long operations wait for a call that is under way. Then another one is begun, so
	// that one stalled connection does not hold up everybody.
	patience = 50 * time.Millisecond
	// maxBatches is how many calls are under way at most; the rest waits within its deadlines.
	maxBatches = 4
)

// batch has operations done by batch.lua. Who is alone calls Redis at once and by itself; what is asked
// while a call is under way goes together into the next one. So nobody waits for company, and the more come
// the less each one costs.
type batch struct {
	store                  *Store
	fence, watched, events string // what every call names
	beforeName             int

	mu      sync.Mutex
	queue   []*operation // since at most patience, unless maxBatches calls are under way
	running int          // calls under way
	hurry   *time.Timer  // fires when the queue has stood for patience
}

func newBatch(s *Store) *batch {
	b := &batch{
		store: s, fence: s.keys.fence(), watched: s.keys.watched(), events: s.keys.events(), beforeName: s.keys.beforeName(),
	}
	b.hurry = time.AfterFunc(patience, b.another)
	return b
}

// do has op done. Errors are those of execute, or ctx's: then the outcome is unknown.
func (b *batch) do(ctx context.Context, op *operation) (reply, int64, error) {
	b.mu.Lock()
	if b.running > 0 {
		op.settled = make(chan settled, 1)
		if len(b.queue) == 0 {
			b.hurry.Reset(patience)
		}
		b.queue = append(b.queue, op)
		b.mu.Unlock()
		return b.wait(ctx, op)
	}
	b.running++
	b.mu.Unlock()

	replies, at, err := b.call(ctx, []*operation{op})
	if next := b.next(); next != nil {
		b.store.running.Go(func() { b.serve(next) })
	}
	if err != nil {
		return nil, 0, err
	}
	return replies[0], at, nil
}

// wait waits for an operation that was queued. If it is in the queue still when ctx ends it was not sent.
func (b *batch) wait(ctx context.Context, op *operation) (reply, int64, error) {
	select {
	case s := <-op.settled:
		return s.reply, s.at, s.err
	case <-ctx.Done():
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, other := range b.queue {
		if other == op {
			b.queue = append(b.queue[:i:i], b.queue[i+1:]...)
			return nil, 0, errNoConnection
		}
	}
	return nil, 0, ctx.Err()
}

// another begins another call beside those that take so long.
func (b *batch) another() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.queue) > 0 && b.running < maxBatches {
		b.running++
		ops := b.takeLocked()
		b.store.running.Go(func() { b.serve(ops) })
	}
}

// serve makes one call after the other until nobody asks any more.
func (b *batch) serve(ops []*operation) {
	for ; ops != nil; ops = b.next() {
		ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
		replies, at, err := b.call(ctx, ops)
		cancel()
		for i, op := range ops {
			if err != nil {
				op.settled <- settled{err: err}
			} else {
				op.settled <- settled{reply: replies[i], at: at}
			}
		}
		runtime.Gosched()
	}
}

// next answers the operations of the next call; nil, and there is one call less, if nobody asks.
func (b *batch) next() []*operation {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.queue) == 0 {
		b.running--
		return nil
	}
	return b.takeLocked()
}

// takeLocked takes the operations of a call out of the queue: the oldest, each name once, as the scripts want it.
func (b *batch) takeLocked() []*operation {
	ops := make([]*operation, 0, min(len(b.queue), maxBatch))
	names := make(map[string]struct{}, cap(ops))
	var left []*operation
	for i, op := range b.queue {
		if len(ops) == maxBatch {
			left = append(left, b.queue[i:]...)
			break
		}
		if _, twice := names[op.name]; twice {
			left = append(left, op)
			continue
		}
		names[op.name] = struct{}{}
		ops = append(ops, op)
	}
	b.queue = left
	if len(left) > 0 {
		b.hurry.Reset(patience)
	}
	return ops
}

// call runs the script for ops.
func (b *batch) call(ctx context.Context, ops []*operation) ([]reply, int64, error) {
	keys, args := b.command(ops)
	a, err := b.store.execute(ctx, batchScript, keys, args)
	if err == nil && len(a.replies) != len(ops) {
		err = errReplies
	}
	return a.replies, a.time, err
}

// command is what the script is called with.
func (b *batch) command(ops []*operation) (keys, args []any) {
	keys, args = []any{&b.fence, &b.watched}, append(b.store.guard(), &b.events, &b.beforeName)
	for _, op := range ops {
		keys, args = append(keys, op.keys...), append(args, op.args...)
	}
	return keys, args
}
