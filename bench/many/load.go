package many

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/lockd/lockd/bench/wire"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

const (
	// sessions load at a time, perMessage leases a message: one is at most 64 KiB.
	sessions, perMessage = 8, 400
	// held is for how long: the most that lockd grants by default.
	held = time.Hour
	// owner is everybody's.
	owner = "bench"
)

// name of the i-th lease that is held.
func name(i int) string { return fmt.Sprintf("bench/many/%07d", i) }

// load has the lockd at addr hold n leases, as many of them as it can within the time, and returns how
// many, and how often one had to be asked for again. Nobody renews them.
func load(addr string, n int, within time.Duration) (loaded, repeated int, err error) {
	end := time.Now().Add(within)
	var next, done, again atomic.Int64
	failures := make([]error, sessions)
	var loading sync.WaitGroup
	for i := range failures {
		loading.Go(func() {
			s, err := wire.Open(addr)
			if err != nil {
				failures[i] = err
				return
			}
			defer s.Close()
			for time.Now().Before(end) {
				from := int(next.Add(perMessage)) - perMessage
				to := min(from+perMessage, n)
				if from >= to {
					return
				}
				repeats, err := take(s, requests(from, to))
				if failures[i] = err; err != nil {
					return
				}
				done.Add(int64(to - from))
				again.Add(int64(repeats))
			}
		})
	}
	loading.Wait()
	if err := errors.Join(failures...); err != nil {
		err = fmt.Errorf("loading leases: %w", err)
		return 0, 0, err
	}
	return int(done.Load()), int(again.Load()), nil
}

// requests are those for the leases from from to before to.
func requests(from, to int) (all []*lockdv1.AcquireRequest) {
	for i := from; i < to; i++ {
		all = append(all, &lockdv1.AcquireRequest{Name: name(i), LeaseId: wire.NewLeaseID(), Attempt: 1, Owner: owner, Ttl: durationpb.New(held)})
	}
	return all
}

// tries is how often a lease is asked for while nobody knows whether it was granted.
const tries = 5

// take acquires leases in one message. What the store did not answer in time is asked for again, as a client
// does: by the same lease id.
func take(s *wire.Session, wanted []*lockdv1.AcquireRequest) (repeated int, err error) {
	for try := 1; len(wanted) > 0; try++ {
		ids, err := s.Acquire(wanted...)
		if err != nil {
			return repeated, err
		}
		request := make(map[uint64]*lockdv1.AcquireRequest)
		for i, id := range ids {
			request[id] = wanted[i]
		}
		wanted = nil
		for range ids {
			a, err := s.Next()
			if err != nil {
				return repeated, err
			}
			r := request[a.GetId()]
			if a.GetAcquired() != nil {
				continue
			}
			if a.GetError().GetReason() != "STORE_UNAVAILABLE" || try == tries {
				return repeated, fmt.Errorf("%s was answered %v", r.GetName(), a)
			}
			r.Attempt++
			wanted = append(wanted, r)
			repeated++
		}
	}
	return repeated, nil
}
