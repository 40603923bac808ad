// Package longline stands in line ten thousand times, over one stream, and measures what that costs: memory
// of lockd for each who waits, and time for each hand-over.
package longline

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lockd/lockd/bench/machine"
	"github.com/lockd/lockd/bench/wire"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// name is what everybody waits for.
const name = "bench/long-line"

// perMessage is how many acquisitions go into a message: one is at most 64 KiB.
const perMessage = 200

// Figures is what a long line costs.
type Figures struct {
	Short, Long Handovers
	// PerWaiter is by how many bytes lockd's resident memory grew for each waiter beyond the short line.
	PerWaiter int64
	// Wrong is what must never be: somebody was served out of order.
	Wrong []error `json:"-"`
}

// Handovers is what handing over costs with so many in line.
type Handovers struct {
	Waiters int
	// Wall is how long a hand-over took, from sending the release to the next grant, on average.
	Wall time.Duration
	// Redis is the time that Redis spent on scripts for a hand-over and for queueing one more, on average.
	Redis time.Duration
}

// line is who stands in it, in order, behind the holder.
type line struct {
	*wire.Session
	holder  string
	waiting []waiter
	wrong   []error
}

type waiter struct {
	op      uint64
	leaseID string
}

// Measure measures at a lockd that serves nobody else, handing over so many times at both lengths.
func Measure(lockd, store *machine.Server, short, long, handovers int) (f Figures, err error) {
	session, err := wire.Open(lockd.Addr)
	if err != nil {
		return f, err
	}
	defer session.Close()
	client := redis.NewClient(&redis.Options{Addr: store.Addr})
	defer client.Close()

	l := &line{Session: session, holder: wire.NewLeaseID()}
	if _, err := l.Acquire(wire.Want(name, l.holder)); err != nil {
		return f, err
	}
	if err := l.Await(func(a *lockdv1.Answer) bool { return a.GetAcquired() != nil }); err != nil {
		return f, err
	}
	if f.Short, err = l.measure(client, short, handovers); err != nil {
		return f, err
	}
	before, err := machine.Resident(lockd.PID())
	if err != nil {
		return f, err
	}
	if err := l.grow(long); err != nil {
		return f, err
	}
	after, err := machine.Resident(lockd.PID())
	if err != nil {
		return f, err
	}
	f.PerWaiter = (after - before) / int64(long-short)
	f.Long, err = l.measure(client, long, handovers)
	f.Wrong = l.wrong
	return f, err
}

// grow has n stand in line.
func (l *line) grow(n int) error {
	for len(l.waiting) < n {
		var requests []*lockdv1.AcquireRequest
		for range min(perMessage, n-len(l.waiting)) {
			requests = append(requests, wire.Want(name, wire.NewLeaseID()))
		}
		ops, err := l.Acquire(requests...)
		if err != nil {
			return err
		}
		// Operations of one message are begun in order, but the store may take them in in another: place by
		// place as the tickets say.
		tickets := make(map[int64]waiter)
		byOp := make(map[uint64]string)
		for i, op := range ops {
			byOp[op] = requests[i].GetLeaseId()
		}
		err = l.Await(func(a *lockdv1.Answer) bool {
			if q := a.GetQueued(); q != nil {
				tickets[q.GetTicket()] = waiter{a.GetId(), byOp[a.GetId()]}
			}
			return len(tickets) == len(ops)
		})
		if err != nil {
			return err
		}
		l.waiting = append(l.waiting, inOrder(tickets)...)
	}
	return nil
}

// measure hands over n times with so many in line, one joining for each who is served.
func (l *line) measure(client *redis.Client, length, n int) (h Handovers, err error) {
	if err := l.grow(length); err != nil {
		return h, err
	}
	h.Waiters = length
	before, err := scriptTime(client)
	if err != nil {
		return h, err
	}
	for range n {
		took, err := l.next()
		if err != nil {
			return h, err
		}
		h.Wall += took
		if err := l.grow(length); err != nil {
			return h, err
		}
	}
	after, err := scriptTime(client)
	h.Wall /= time.Duration(n)
	h.Redis = (after - before) / time.Duration(n)
	return h, err
}

// next releases and returns how long it took until the next one held.
func (l *line) next() (time.Duration, error) {
	began := time.Now()
	release, err := l.Release(name, l.holder)
	if err != nil {
		return 0, err
	}
	var released bool
	var granted time.Time
	var to uint64
	err = l.Await(func(a *lockdv1.Answer) bool {
		switch {
		case a.GetId() == release:
			released = true
		case a.GetAcquired() != nil:
			granted, to = time.Now(), a.GetId()
		}
		return released && to != 0
	})
	if err != nil {
		return 0, err
	}
	first := l.waiting[0]
	if to != first.op {
		l.wrong = append(l.wrong, fmt.Errorf("%s: operation %d was granted the lease while %d was first in line", name, to, first.op))
		return 0, l.wrong[0]
	}
	l.holder, l.waiting = first.leaseID, l.waiting[1:]
	return granted.Sub(began), nil
}

// scriptTime is how long Redis has been running scripts in all.
func scriptTime(client *redis.Client) (time.Duration, error) {
	done, err := machine.ReadCommands(client)
	return done.Scripts().Time, err
}

// inOrder returns waiters by their tickets.
func inOrder(tickets map[int64]waiter) (all []waiter) {
	for _, ticket := range slices.Sorted(maps.Keys(tickets)) {
		all = append(all, tickets[ticket])
	}
	return all
}
