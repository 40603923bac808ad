// Package parts measures what a hand-over is made of, one at a time on a machine that does nothing else: a
// round trip of a stream that asks nothing of the store, and a round trip to Redis of the very script
// that hands over.
package parts

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lockd/lockd/bench/machine"
	"github.com/lockd/lockd/bench/wire"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// name is what is handed over.
const name = "bench/parts"

// Parts are medians.
type Parts struct {
	// Null is a round trip of a Session: an acquisition of the empty name, which lockd refuses by itself.
	Null time.Duration
	// Script is a round trip of the release script, sent by this program as lockd sends it, that frees the
	// name and hands it to one who waits.
	Script time.Duration
}

// Measure measures each part n times. lockd serves nobody else.
func Measure(lockd, store *machine.Server, n int) (Parts, error) {
	s, err := wire.Open(lockd.Addr)
	if err != nil {
		return Parts{}, err
	}
	defer s.Close()
	null, err := median(n, func() (time.Duration, error) {
		began := time.Now()
		err := s.Null()
		return time.Since(began), err
	})
	if err != nil {
		return Parts{}, fmt.Errorf("a round trip of the stream: %w", err)
	}
	script, err := releases(s, store, n)
	if err != nil {
		return Parts{}, fmt.Errorf("a round trip of the release script: %w", err)
	}
	return Parts{null, script}, nil
}

// replayFor is for how long a recorded release is sent again: it carries lockd's clock, which must not be
// more than 2 s from Redis's for anything to be granted.
const replayFor = time.Second

// releases has lockd release a lease while another waits, records what it sent to Redis, and sends it again
// and again by itself: the same script, keys and arguments, in the same state.
func releases(s *wire.Session, store *machine.Server, n int) (time.Duration, error) {
	client := redis.NewClient(&redis.Options{Addr: store.Addr, MaxRetries: -1})
	defer client.Close()
	var took []time.Duration
	for len(took) < n {
		id := wire.NewLeaseID()
		release, err := record(s, store, id)
		if err != nil {
			return 0, err
		}
		for began := time.Now(); len(took) < n && time.Since(began) < replayFor; {
			next, err := stand(s, id)
			if err != nil {
				return 0, err
			}
			sent := time.Now()
			if err := client.Do(context.Background(), release...).Err(); err != nil {
				return 0, err
			}
			took = append(took, time.Since(sent))
			if err := next.dismiss(s); err != nil {
				return 0, err
			}
		}
	}
	slices.Sort(took)
	return took[len(took)/2], nil
}

// waiter is who stands in line.
type waiter struct {
	op uint64
	id string // its lease's
}

// stand has id hold the name and another wait for it.
func stand(s *wire.Session, id string) (waiter, error) {
	if _, err := s.Acquire(wire.Want(name, id)); err != nil {
		return waiter{}, err
	}
	if err := s.Await(func(a *lockdv1.Answer) bool { return a.GetAcquired() != nil }); err != nil {
		return waiter{}, err
	}
	other := wire.NewLeaseID()
	ids, err := s.Acquire(wire.Want(name, other))
	if err != nil {
		return waiter{}, err
	}
	return waiter{ids[0], other}, s.Await(func(a *lockdv1.Answer) bool { return a.GetQueued() != nil })
}

// dismiss cancels an acquisition, which releases what it has been granted behind lockd's back. If lockd has
// heard of that already, the lease is given back.
func (w waiter) dismiss(s *wire.Session) error {
	if err := s.Cancel(w.op); err != nil {
		return err
	}
	for {
		a, err := s.Next()
		if err != nil {
			return err
		}
		if a.GetId() == w.op {
			if a.GetAcquired() == nil {
				return nil
			}
			return w.release(s)
		}
	}
}

func (w waiter) release(s *wire.Session) error {
	op, err := s.Release(name, w.id)
	if err != nil {
		return err
	}
	return s.Await(func(a *lockdv1.Answer) bool { return a.GetId() == op })
}

// record has lockd release id and returns the command that did it.
func record(s *wire.Session, store *machine.Server, id string) ([]any, error) {
	next, err := stand(s, id)
	if err != nil {
		return nil, err
	}
	monitor, err := watch(store.Addr)
	if err != nil {
		return nil, err
	}
	defer monitor.close()
	op, err := s.Release(name, id)
	if err != nil {
		return nil, err
	}
	var released, granted bool
	err = s.Await(func(a *lockdv1.Answer) bool {
		released = released || a.GetId() == op
		granted = granted || a.GetId() == next.op
		return released && granted
	})
	if err != nil {
		return nil, err
	}
	command, err := monitor.command("evalsha", id)
	if err != nil {
		return nil, err
	}
	return command, next.release(s)
}

// median runs one n times.
func median(n int, one func() (time.Duration, error)) (time.Duration, error) {
	all := make([]time.Duration, n)
	for i := range all {
		var err error
		if all[i], err = one(); err != nil {
			return 0, err
		}
	}
	slices.Sort(all)
	return all[n/2], nil
}
