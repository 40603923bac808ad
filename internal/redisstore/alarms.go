package redisstore

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/lockd/lockd/internal/due"
)

// alarms says when to look at a name again: at most one time for each, the earliest asked for.
type alarms struct {
	mu     sync.Mutex
	byName map[string]*alarm
	order  due.Heap[*alarm]
	sooner chan struct{} // has room for one: the first alarm is another than it was
}

type alarm struct {
	name  string
	due   time.Time
	place int // in the order
}

// Due implements due.Item.
func (one *alarm) Due() time.Time { return one.due }

// Moved implements due.Item.
func (one *alarm) Moved(to int) { one.place = to }

func newAlarms() *alarms {
	return &alarms{byName: make(map[string]*alarm), sooner: make(chan struct{}, 1)}
}

// arm has the name looked at in d and a little: not before what is awaited has happened, and not by
// all instances at once.
func (x *alarms) arm(name string, d time.Duration) {
	at := time.Now().Add(d + 5*time.Millisecond + rand.N(20*time.Millisecond))
	x.mu.Lock()
	defer x.mu.Unlock()
	switch one := x.byName[name]; {
	case one == nil:
		one = &alarm{name: name, due: at}
		x.byName[name] = one
		x.order.Add(one)
	case at.Before(one.due):
		one.due = at
		x.order.Fix(one.place)
	default:
		return
	}
	if x.order[0].name == name {
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
	one, is := x.order.First()
	if !is {
		return "", time.Hour
	}
	if wait = time.Until(one.due); wait > 0 {
		return "", wait
	}
	x.order.Remove(0)
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
