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
	// maxQueued bounds the queue: what comes then is not sent. Redis takes seconds to do as many.
	maxQueued = 1 << 16
)

// batch has operations done by batch.lua. Who is alone calls Redis at once and by itself; what is asked
// while a call is under way goes together into the next one. So nobody waits for company, and the more come
// the less each one costs.
type batch struct {
	store                  *Store
	fence, watched, events string // what every call names
	beforeName             int

	mu      sync.Mutex
	queue   []*operation // oldest first, those included who have left
	running int          // calls under way
	hurry   *time.Timer  // fires when the queue has stood for patience
}

func newBatch(s *Store) *batch {
	b := &batch{
		store: s, fence: s.keys.fence(), watched: s.keys.watched(), events: s.keys.events(), beforeName: s.keys.beforeName(),
	}
	b.hurry = time.AfterFunc(patience, b.another)
	b.hurry.Stop() // until somebody is in the queue
	return b
}

// do has op done. Errors are those of execute, or ctx's: then the outcome is unknown.
func (b *batch) do(ctx context.Context, op *operation) (reply, int64, error) {
	b.mu.Lock()
	if b.running > 0 {
		if len(b.queue) == maxQueued {
			b.mu.Unlock()
			return nil, 0, errNotSent
		}
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

	defer b.goOn() // whatever becomes of this call
	replies, at, err := b.call(ctx, []*operation{op})
	if err != nil {
		return nil, 0, err
	}
	return replies[0], at, nil
}

// goOn leaves those who asked meanwhile to a goroutine of theirs.
func (b *batch) goOn() {
	if next := b.next(); next != nil {
		b.store.running.Go(func() { b.serve(next) })
	}
}

// wait waits for an operation that was queued. If no call has taken it when ctx ends it was not sent.
func (b *batch) wait(ctx context.Context, op *operation) (reply, int64, error) {
	select {
	case s := <-op.settled:
		return s.reply, s.at, s.err
	case <-ctx.Done():
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !op.taken {
		op.left = true
		return nil, 0, errNotSent
	}
	select {
	case s := <-op.settled: // both came at once, and what is known is not thrown away
		return s.reply, s.at, s.err
	default:
		return nil, 0, ctx.Err()
	}
}

// another begins another call beside those that take so long.
func (b *batch) another() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.running == maxBatches {
		return
	}
	if ops := b.takeLocked(); len(ops) > 0 {
		b.running++
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
	ops := b.takeLocked()
	if len(ops) == 0 {
		b.running--
		return nil
	}
	return ops
}

// takeLocked takes the operations of a call out of the queue: the oldest, and for one name either acquisitions or
// one of the others, as the script wants it. Any number may try to acquire one name, and whoever holds it
// must not have to wait for each of them.
func (b *batch) takeLocked() []*operation {
	ops := make([]*operation, 0, min(len(b.queue), maxBatch))
	names := make(map[string]*operation, cap(ops))
	var left []*operation
	for i, op := range b.queue {
		if len(ops) == maxBatch {
			left = append(left, b.queue[i:]...)
			break
		}
		if op.left {
			continue
		}
		if first := names[op.name]; first != nil && !(op.acquires() && first.acquires()) {
			left = append(left, op)
			continue
		}
		names[op.name] = op
		op.taken = true
		ops = append(ops, op)
	}
	b.queue = left
	switch {
	case len(left) >= maxBatch: // as much as a call can do need not wait for this one
		b.hurry.Reset(0)
	case len(left) > 0:
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
