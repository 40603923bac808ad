package redlock

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/internal/redisconn"
)

const (
	// maxBatch is how many operations one call does at most: the node does nothing else meanwhile.
	maxBatch = 64
	// patience is for how long operations wait for a call that is under way. Then another one is begun, so
	// that one stalled connection does not hold up everybody.
	patience = 50 * time.Millisecond
	// maxCalls is how many calls are under way at a node at most; the rest waits within its deadlines.
	maxCalls = 4
	// maxQueued bounds a node's queue: what comes then is not sent.
	maxQueued = 1 << 16
	// sweepEvery is how often it is seen to that nobody waits for too long, and so how late a deadline is.
	sweepEvery = 5 * time.Millisecond
)

var (
	// errNotDone: the node certainly did nothing.
	errNotDone = errors.New("nothing was done")
	// errNotSent: the node has not answered those who asked before until the deadline.
	errNotSent = fmt.Errorf("%w: it has not answered those who asked before", errNotDone)
	// errAmnesia: the node does not remember what it promised, so its word counts for nothing.
	errAmnesia = fmt.Errorf("%w: it has lost its memory", errNotDone)
	// errUnanswered: the node did not answer by the deadline.
	errUnanswered = errors.New("it does not answer")
	// errReplies: the script answered what its header does not say. What it did is unknown.
	errReplies = errors.New("the script did not answer one reply for each operation")
)

// queue has operations done at one node. What is asked while a call is under way goes together into the next one,
// in the order in which it came: that is the same at all nodes, so that one proposal fits them all.
type queue struct {
	store  *Store
	number int // of the node
	node   *node

	mu      sync.Mutex
	waiting []*operation
	calls   [][]*operation // under way
	running int            // who makes calls, or is about to
	sweeper *time.Timer
	sweeps  bool // there will be another sweep
	stopped bool
	serving sync.WaitGroup
}

func newQueue(s *Store, number int, n *node) *queue {
	q := &queue{store: s, number: number, node: n}
	q.sweeper = time.AfterFunc(sweepEvery, q.sweep)
	q.sweeper.Stop() // until there is something to look at
	return q
}

// put has op done; it is settled by its deadline, or a moment after.
func (q *queue) put(op *operation, now time.Time) {
	op.since = now
	if !q.node.votes() {
		op.tell(answer{err: errAmnesia})
		return
	}
	q.mu.Lock()
	if q.stopped || len(q.waiting) >= maxQueued {
		q.mu.Unlock()
		op.tell(answer{err: errNotSent})
		return
	}
	q.waiting = append(q.waiting, op)
	if !q.sweeps {
		q.sweeps = true
		q.sweeper.Reset(sweepEvery)
	}
	q.mu.Unlock()
}

// kick begins a call if none is under way.
func (q *queue) kick() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) > 0 && q.running == 0 {
		q.beginLocked()
	}
}

func (q *queue) beginLocked() {
	q.running++
	q.serving.Go(q.serve)
}

// serve makes one call after the other until nobody asks any more.
func (q *queue) serve() {
	for ops := q.next(); ops != nil; ops = q.next() {
		ctx, cancel := context.WithTimeout(context.Background(), lastOf(ops))
		at, replies, err := q.call(ctx, ops)
		cancel()
		q.landed(ops)
		for i, op := range ops {
			if err != nil {
				op.tell(answer{err: err})
			} else {
				op.tell(answer{reply: replies[i], at: at})
			}
		}
		runtime.Gosched() // who was told may ask for more
	}
}

// lastOf is how long the most patient of ops waits: a call is given up when nobody waits for it any more, so that
// a mute node holds a connection, and the place of a call, for no longer.
func lastOf(ops []*operation) time.Duration {
	last := ops[0].deadline
	for _, op := range ops {
		if op.deadline.After(last) {
			last = op.deadline
		}
	}
	return time.Until(last)
}

// next begins the next call; nil, and there is one less who makes them, if nobody asks. What is late already was not
// sent, and so is known not to have been done.
func (q *queue) next() []*operation {
	q.mu.Lock()
	now := time.Now()
	ops, late := q.takeLocked(now)
	if len(ops) == 0 {
		q.running--
	} else {
		q.calls = append(q.calls, ops)
	}
	q.mu.Unlock()
	tell(late, answer{err: errNotSent})
	return ops
}

// takeLocked takes the oldest operations, as many as make a call.
func (q *queue) takeLocked(now time.Time) (ops, late []*operation) {
	seen := 0
	for ; seen < len(q.waiting) && len(ops) < maxBatch; seen++ {
		if op := q.waiting[seen]; now.Before(op.deadline) {
			ops = append(ops, op)
		} else {
			late = append(late, op)
		}
	}
	q.waiting = slices.Delete(q.waiting, 0, seen)
	return ops, late
}

func tell(ops []*operation, a answer) {
	for _, op := range ops {
		op.tell(a)
	}
}

func (q *queue) landed(ops []*operation) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.calls = slices.DeleteFunc(q.calls, func(other []*operation) bool { return &other[0] == &ops[0] })
}

// sweep settles whose time is over, and begins another call beside those that take so long. Whoever was in
// a call then does not know what became of it; the others were not sent.
func (q *queue) sweep() {
	now := time.Now()
	var unsent, unknown []*operation
	late := func(op *operation) bool { return !now.Before(op.deadline) }
	q.mu.Lock()
	if q.stopped {
		q.mu.Unlock()
		return
	}
	if slices.ContainsFunc(q.waiting, late) {
		rest := make([]*operation, 0, len(q.waiting))
		for _, op := range q.waiting {
			if late(op) {
				unsent = append(unsent, op)
			} else {
				rest = append(rest, op)
			}
		}
		q.waiting = rest
	}
	for _, ops := range q.calls {
		for _, op := range ops {
			if late(op) {
				unknown = append(unknown, op)
			}
		}
	}
	if len(q.waiting) > 0 && q.running < maxCalls && (q.running == 0 || now.Sub(q.waiting[0].since) >= patience) {
		q.beginLocked()
	}
	if q.sweeps = q.running > 0 || len(q.waiting) > 0; q.sweeps {
		q.sweeper.Reset(sweepEvery)
	}
	q.mu.Unlock()
	tell(unsent, answer{err: errNotSent})
	tell(unknown, answer{err: errUnanswered})
}

// stop waits for the calls that are under way. What is in the queue is not sent, nor is what comes later.
func (q *queue) stop() {
	q.mu.Lock()
	unsent := q.waiting
	q.waiting, q.stopped = nil, true
	q.sweeper.Stop()
	q.mu.Unlock()
	tell(unsent, answer{err: errNotSent})
	q.serving.Wait()
}

// call runs the script for ops.
func (q *queue) call(ctx context.Context, ops []*operation) (at int64, replies []reply, err error) {
	keys, args := q.command(ops)
	q.node.meters.Together(batchScript, len(ops))
	at, body, err := q.node.call(ctx, batchScript, keys, args)
	if err != nil {
		if errors.Is(err, lease.ErrUnavailable) || errors.Is(err, lease.ErrStoreFull) {
			err = fmt.Errorf("%w: %w", errNotDone, err)
		}
		return 0, nil, err
	}
	list, _ := body.([]any)
	if len(list) == 2 && list[0] == "AMNESIA" {
		return 0, nil, fmt.Errorf("%w: %v", errAmnesia, list[1])
	}
	if len(list) != 3 {
		return 0, nil, errReplies
	}
	said, _ := list[2].([]any)
	if len(said) != len(ops) {
		return 0, nil, errReplies
	}
	q.store.heard(q.number, list[0], list[1])
	return at, redisconn.Replies(said), nil
}

// command is what the script is called with.
func (q *queue) command(ops []*operation) (keys, args []any) {
	marker, mark := q.node.marker()
	k := q.store.keys
	keys = append(make([]any, 0, 2+2*len(ops)), marker, k.fence())
	args = append(make([]any, 0, 6+9*len(ops)),
		time.Now().UnixMicro(), redisconn.MaxSkew.Microseconds(), mark, k.notices(), k.events(), k.beforeName())
	for _, op := range ops {
		if op.ask.hold > 0 {
			args = append(args, kindHold, op.ask.hold.Milliseconds())
		}
		keys = append(keys, op.ask.lock, op.ask.want)
		args = append(args, op.ask.kind)
		first := len(args)
		args = append(args, op.ask.args...)
		if op.ask.late != 0 {
			args[first+op.ask.late] = q.node.time(op.deadline)
		}
	}
	return keys, args
}
