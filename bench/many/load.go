package many

import (
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
// many. Nobody renews them.
func load(addr string, n int, within time.Duration) (loaded int, err error) {
	end := time.Now().Add(within)
	var next, done atomic.Int64
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
				if failures[i] = take(s, from, to); failures[i] != nil {
					return
				}
				done.Add(int64(to - from))
			}
		})
	}
	loading.Wait()
	for _, err := range failures {
		if err != nil {
			return int(done.Load()), fmt.Errorf("loading leases: %w", err)
		}
	}
	return int(done.Load()), nil
}

// take acquires the leases from from to before to in one message.
func take(s *wire.Session, from, to int) error {
	var requests []*lockdv1.AcquireRequest
	for i := from; i < to; i++ {
		requests = append(requests, &lockdv1.AcquireRequest{Name: name(i), LeaseId: wire.NewLeaseID(), Attempt: 1, Owner: owner, Ttl: durationpb.New(held)})
	}
	if _, err := s.Acquire(requests...); err != nil {
		return err
	}
	left := to - from
	return s.Await(func(a *lockdv1.Answer) bool {
		if a.GetAcquired() != nil {
			left--
		}
		return left == 0
	})
}
