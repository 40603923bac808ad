package redisstore

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"time"
)

const (
	// maxBatch is how many operations one call does at most: Redis does nothing else meanwhile, for up to 2 ms.
	maxBatch = 256
	// patience is for how long operations wait for a call that is under way. Then another one is begun, so
	// that one stalled connection does not hold up everybody.
	patience = 50 * time.Millisecond
	// maxBatches is how many calls are under way at most; the rest waits within its deadlines.
	maxBatches = 4
	// maxQueued bounds the queue: what comes then is not sent. Redis takes seconds to do as many.
	maxQueued = 1 << 16
	// sweepEvery is how often it is seen to that nobody waits for too long, and so how late a deadline is.
	sweepEvery = 10 * time.Millisecond
)

// batch has operations done by batch.lua. What is asked while a call is under way goes together into the
// next one. So nobody waits for company, and the more come the less each one costs.
type batch struct {
	store                  *Store
	crew                   *crew                     // makes the calls
	settle                 func(*operation, settled) // tells what became of one, once; mu is free
	fence, watched, events string                    // what every call names
	beforeName             int
	most                   int // calls under way

	mu      sync.Mutex
	queue   fifo[*operation]
	names   map[string]*operation // of the call that is being put together; kept for its room
	calls   []*sharedCall         // under way
	running int                   // who makes calls, or is about to
	sweeps  bool                  // there will be another sweep
	stopped bool                  // nothing is queued any more, nor swept
	sweeper *time.Timer
}

// leftBehind stands for a name of which an operation was left in the queue: it shares a call with nobody.
var leftBehind = new(operation)

// sharedCall is one that is under way.
type sharedCall struct{ ops []*operation }

func newBatch(s *Store, most int) *batch {
	b := &batch{
		store: s, crew: newCrew(most), most: most, settle: s.settle, names: make(map[string]*operation, maxBatch),
		fence: s.keys.fence(), watched: s.keys.watched(), events: s.keys.events(), beforeName: s.keys.beforeName(),
	}
	b.sweeper = time.AfterFunc(sweepEvery, b.sweep)
	b.sweeper.Stop() // until there is something to look at
	return b
}

// put has ops done, all of whom are settled by their deadlines. The array is the caller's again.
func (b *batch) put(now time.Time, ops []*operation) {
	if len(ops) == 0 {
		return
	}
	for _, op := range ops {
		op.since = now
	}
	begin, room := b.push(ops)
	if begin {
		b.crew.start(b.serve)
	}
	b.tell(ops[room:], settled{err: errNotSent})
}

// push queues as many of ops as there is room for, and reports whether a call is to be begun, which is counted already.
func (b *batch) push(ops []*operation) (begin bool, room int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopped {
		return false, 0
	}
	room = min(maxQueued-b.queue.len(), len(ops))
	b.queue.push(ops[:room]...)
	begin = b.running == 0 || b.queue.len() >= maxBatch // as much as a call can do need not wait for another
	if begin = begin && b.running < b.most; begin {
		b.running++
	}
	if !b.sweeps {
		b.sweeps = true
		b.sweeper.Reset(sweepEvery)
	}
	return begin, room
}

// serve makes one call after the other until nobody asks any more.
func (b *batch) serve() {
	for c := b.next(); c != nil; c = b.next() {
		ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
		replies, at, err := b.call(ctx, c.ops)
		cancel()
		if isApart(err) {
			b.renewApart(c)
			continue
		}
		b.landed(c)
		if err != nil {
			b.tell(c.ops, settled{err: err})
		} else {
			for i, op := range c.ops {
				b.tellOne(op, settled{reply: replies[i], at: at})
			}
		}
		runtime.Gosched() // who was told may ask for more
	}
}

// tell settles those that are not yet.
func (b *batch) tell(ops []*operation, s settled) {
	for _, op := range ops {
		b.tellOne(op, s)
	}
}

func (b *batch) tellOne(op *operation, s settled) {
	if op.over.CompareAndSwap(false, true) {
		b.settle(op, s)
	}
}

// next begins the next call; nil, and there is one less who makes them, if nobody asks.
func (b *batch) next() *sharedCall {
	b.mu.Lock()
	defer b.mu.Unlock()
	ops := b.takeLocked()
	if len(ops) == 0 {
		b.running--
		return nil
	}
	c := &sharedCall{ops}
	b.calls = append(b.calls, c)
	return c
}

func (b *batch) landed(c *sharedCall) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls = slices.DeleteFunc(b.calls, func(other *sharedCall) bool { return other == c })
}

// takeLocked takes the operations of a call out of the queue: the oldest, and for one name either acquisitions or
// one of the others, as the script wants it. Any number may try to acquire one name, and whoever holds it
// must not have to wait for each of them; nobody overtakes another's release. What is late already is left to the
// sweep: not sent, it is known not to have been done.
func (b *batch) takeLocked() []*operation {
	now := time.Now()
	queue := b.queue.waiting()
	ops := make([]*operation, 0, min(len(queue), maxBatch))
	var left []*operation // of those that were looked at
	clear(b.names)
	seen := 0
	for ; seen < len(queue) && len(ops) < maxBatch; seen++ {
		op := queue[seen]
		if op.late(now) {
			left = append(left, op)
			continue
		}
		if first := b.names[op.name]; first != nil && !(op.acquires() && first.acquires()) {
			left = append(left, op)
			b.names[op.name] = leftBehind // and so is whoever comes after it
			continue
		}
		b.names[op.name] = op
		ops = append(ops, op)
	}
	copy(queue[seen-len(left):], left)
	b.queue.take(seen - len(left))
	return ops
}

// sweep settles whose time is over, and begins another call beside those that take so long. Whoever was in
// a call then does not know what became of it; the others were not sent.
func (b *batch) sweep() {
	now := time.Now()
	b.mu.Lock()
	if b.stopped {
		b.mu.Unlock()
		return
	}
	var unsent, unknown, queue []*operation
	for _, op := range b.queue.waiting() {
		if op.late(now) {
			unsent = append(unsent, op)
		} else {
			queue = append(queue, op)
		}
	}
	if len(unsent) > 0 {
		b.queue = fifo[*operation]{items: queue}
	}
	for _, c := range b.calls {
		for _, op := range c.ops {
			if op.late(now) {
				unknown = append(unknown, op)
			}
		}
	}
	begin := b.queue.len() > 0 && b.running < b.most && now.Sub(b.queue.waiting()[0].since) >= patience
	if begin {
		b.running++
	}
	if b.sweeps = b.running > 0 || b.queue.len() > 0; b.sweeps {
		b.sweeper.Reset(sweepEvery)
	}
	b.mu.Unlock()
	if begin {
		b.crew.start(b.serve)
	}
	b.tell(unsent, settled{err: errNotSent})
	b.tell(unknown, settled{err: context.DeadlineExceeded})
}

// stop waits for the calls that are under way. What is in the queue is not sent, nor is what comes later.
func (b *batch) stop() {
	b.mu.Lock()
	unsent := b.queue.waiting()
	b.queue, b.stopped = fifo[*operation]{}, true
	b.sweeper.Stop()
	b.mu.Unlock()
	b.tell(unsent, settled{err: errNotSent})
	b.crew.stop()
}

// call runs the script for ops.
func (b *batch) call(ctx context.Context, ops []*operation) ([]reply, int64, error) {
	keys, args := b.command(ops)
	return b.run(ctx, keys, args, len(ops))
}

// run runs the script for so many operations.
func (b *batch) run(ctx context.Context, keys, args []any, operations int) ([]reply, int64, error) {
	b.store.front.meters.Together(batchScript, operations)
	a, err := b.store.execute(ctx, batchScript, keys, args)
	if err == nil && len(a.replies) != operations {
		err = errReplies
	}
	return a.replies, a.time, err
}

// command is what the script is called with.
func (b *batch) command(ops []*operation) (keys, args []any) {
	guard := b.store.guard()
	keys, args = make([]any, 0, 2+2*len(ops)), make([]any, 0, len(guard)+2+7*len(ops)) // as many as there can be
	keys, args = append(keys, &b.fence, &b.watched), append(append(args, guard...), &b.events, &b.beforeName)
	for _, op := range ops {
		keys, args = append(keys, op.keys...), append(args, op.args...)
	}
	return keys, args
}
