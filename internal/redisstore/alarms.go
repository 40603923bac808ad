package redisstore

import (
	"container/heap"
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// alarms says when to look at a name again: at most one time for each, the earliest asked for.
type alarms struct {
	mu     sync.Mutex
	byName map[string]*alarm
	heap   alarmHeap
	sooner chan struct{} // has room for one: the first alarm is another than it was
}

type alarm struct {
	name string
	due  time.Time
	at   int // in the heap
}

func newAlarms() *alarms {
	return &alarms{byName: make(map[string]*alarm), sooner: make(chan struct{}, 1)}
}

// arm has the name looked at in d and a little: not before what is awaited has happened, and not by
// all instances at once.
func (x *alarms) arm(name string, d time.Duration) {
	due := time.Now().Add(d + 5*time.Millisecond + rand.N(20*time.Millisecond))
	x.mu.Lock()
	defer x.mu.Unlock()
	switch one := x.byName[name]; {
	case one == nil:
		one = &alarm{name: name, due: due}
		x.byName[name] = one
		heap.Push(&x.heap, one)
	case due.Before(one.due):
		one.due = due
		heap.Fix(&x.heap, one.at)
	default:
		return
	}
	if x.heap[0].name == name {
		select {
		case x.sooner <- struct{}{}:
		default: // it is told already
		}
	}
}

// next takes a name that is due, or answers how long there is none.
func (x *alarms) next() (name string, wait time.Duration) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.heap) == 0 {
		return "", time.Hour
	}
	if wait = time.Until(x.heap[0].due); wait > 0 {
		return "", wait
	}
	one := heap.Pop(&x.heap).(*alarm)
	delete(x.byName, one.name)
	return one.name, 0
}

// ring calls look with each name that is due, until ctx ends.
func (x *alarms) ring(ctx context.Context, look func(name string)) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		name, wait := x.next()
		if name != "" {
			look(name)
			continue
		}
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-x.sooner:
		case <-ctx.Done():
		}
	}
}

// alarmHeap implements heap.Interface.
type alarmHeap []*alarm

func (h alarmHeap) Len() int           { return len(h) }
func (h alarmHeap) Less(i, j int) bool { return h[i].due.Before(h[j].due) }
func (h alarmHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}

func (h *alarmHeap) Push(x any) {
	one := x.(*alarm)
	one.at = len(*h)
	*h = append(*h, one)
}

func (h *alarmHeap) Pop() any {
	last := len(*h) - 1
	one := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return one
}
