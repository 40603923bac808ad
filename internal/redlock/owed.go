package redlock

import (
	"container/heap"
	"context"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxOwed bounds what one node still has to do; what is more is left there to its ttl.
	maxOwed = 1 << 14
	// owedEvery is how often a node that does not answer is tried with what it owes. One that has answered anybody is tried at once.
	owedEvery = 250 * time.Millisecond
)

// debt is an operation that frees something at a node which has not done it yet, or not for the last time.
type debt struct {
	ask   ask
	next  time.Time // when it is to be tried
	until time.Time // what it would free has surely run out by then
	paid  verdictOn
}

// verdictOn says of an answer whether nothing is left to be done, or when to try again.
type verdictOn func(answer) (paid bool, next time.Time)

// owed is what one node still has to do: it did not answer when the others did, or something may arrive there yet. What it does
// not free would stand in everybody's way for the rest of its ttl, as soon as another node fails. So it is asked as soon as it
// answers anybody again.
type owed struct {
	store *Store
	node  int
	wake  chan struct{} // has room for one
	mute  atomic.Bool   // it did not answer when it was last tried

	mu    sync.Mutex
	debts debts
}

func newOwed(s *Store, node int) *owed {
	return &owed{store: s, node: node, wake: make(chan struct{}, 1)}
}

// add has d done, as soon as its time has come and the node answers.
func (o *owed) add(d *debt) {
	o.mu.Lock()
	full := len(o.debts) >= maxOwed
	if !full {
		heap.Push(&o.debts, d)
	}
	o.mu.Unlock()
	if !full && !o.mute.Load() {
		o.try()
	}
}

// answering is told that the node has answered, whomever.
func (o *owed) answering() {
	if o.mute.Load() {
		o.try()
	}
}

func (o *owed) try() {
	select {
	case o.wake <- struct{}{}:
	default: // it will be
	}
}

// run asks the node until ctx ends. What it owes then is left to its ttl.
func (o *owed) run(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for ctx.Err() == nil {
		due, pause := o.take(time.Now())
		if len(due) > 0 {
			answered := o.ask(due)
			o.mute.Store(!answered)
			if answered {
				continue
			}
			pause = owedEvery
		}
		timer.Reset(pause)
		select {
		case <-timer.C:
		case <-o.wake:
		case <-ctx.Done():
		}
	}
}

// take takes out what is due, as much as makes a call, and answers how long to wait if nothing is.
func (o *owed) take(now time.Time) (due []*debt, pause time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.debts) > 0 && len(due) < maxBatch {
		first := o.debts[0]
		if first.next.After(now) {
			return due, first.next.Sub(now)
		}
		heap.Pop(&o.debts)
		if now.Before(first.until) {
			due = append(due, first)
		}
	}
	return due, time.Hour
}

// ask puts debts to the node, keeps those that are not paid, and reports whether it answered.
func (o *owed) ask(due []*debt) (answered bool) {
	answers := make([]chan answer, len(due))
	now := time.Now()
	for i, d := range due {
		came := make(chan answer, 1)
		answers[i] = came
		d.ask.until = now.Add(callTimeout)
		o.store.queues[o.node].put(d.ask.of(o.store.keys, o.store.nodeTimeout(0), now, func(a answer) { came <- a }), now)
	}
	o.store.queues[o.node].kick()
	for i, d := range due {
		a := <-answers[i]
		answered = answered || a.err == nil
		if paid, next := d.paid(a); !paid {
			d.next = next
			o.mu.Lock()
			heap.Push(&o.debts, d)
			o.mu.Unlock()
		}
	}
	return answered
}

// debts is a heap, the first to be tried at its root.
type debts []*debt

var _ heap.Interface = (*debts)(nil)

func (x debts) Len() int           { return len(x) }
func (x debts) Less(i, j int) bool { return x[i].next.Before(x[j].next) }
func (x debts) Swap(i, j int)      { x[i], x[j] = x[j], x[i] }

// Push is heap.Push's.
func (x *debts) Push(e any) { *x = append(*x, e.(*debt)) }

// Pop is heap.Pop's.
func (x *debts) Pop() any {
	last := len(*x) - 1
	d := (*x)[last]
	(*x)[last] = nil // or the array would keep it from the garbage collector
	*x = (*x)[:last]
	return d
}
