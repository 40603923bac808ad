package rpc

import (
	"context"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/lockd/lockd/internal/lease"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// obliging is a store that grants and releases everything at no cost: what is left is rpc, gRPC and lease.
func obliging() *fakeStore {
	return &fakeStore{
		acquire: func(_ context.Context, a lease.Acquisition) (lease.Lease, error) {
			return lease.Lease{Name: a.Name, Token: 7, Owner: a.Owner, Since: time.Now(), TTL: a.TTL, Left: a.TTL, ExpiresIn: a.TTL}, nil
		},
		release: func(context.Context, lease.ReleaseRequest) (lease.Released, error) {
			return lease.Released{Outcome: lease.Held}, nil
		},
	}
}

func processor() time.Duration {
	var use syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &use)
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}

// Pairs of acquire and release, 64 at once, client included; cpu-µs/pair is what counts on a busy machine.
func BenchmarkPairsByCall(b *testing.B) {
	s := serve(b, obliging(), quiet)
	var n atomic.Int64
	b.SetParallelism(32)
	start := processor()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			name, id := "jobs/"+strconv.FormatInt(n.Add(1), 10), leaseID(int(n.Load()))
			_, err := s.leases.Acquire(b.Context(), &lockdv1.AcquireRequest{Name: name, LeaseId: id, Owner: "someone@somewhere:4711"})
			if err == nil {
				_, err = s.leases.Release(b.Context(), &lockdv1.ReleaseRequest{Name: name, LeaseId: id})
			}
			if err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64((processor()-start).Microseconds())/float64(b.N), "cpu-µs/pair")
}

func BenchmarkPairsBySession(b *testing.B) {
	s := serve(b, obliging(), quiet)
	stream, err := s.leases.Session(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	start := processor()
	b.ResetTimer()
	id, begun, done := uint64(0), 0, 0
	held := make(map[uint64]int) // acquisitions under way
	acquire := func() *lockdv1.Operation {
		id++
		begun++
		held[id] = begun
		return operation(id, &lockdv1.AcquireRequest{Name: "jobs/" + strconv.Itoa(begun), LeaseId: leaseID(begun), Owner: "someone@somewhere:4711"})
	}
	m := &lockdv1.SessionRequest{Hello: new(lockdv1.Hello)}
	for range min(64, b.N) {
		m.Operations = append(m.Operations, acquire())
	}
	for done < b.N {
		if err := stream.Send(m); err != nil {
			b.Fatal(err)
		}
		answers, err := stream.Recv()
		if err != nil {
			b.Fatal(err)
		}
		m = new(lockdv1.SessionRequest)
		for _, a := range answers.GetAnswers() {
			if n, ok := held[a.GetId()]; ok {
				delete(held, a.GetId())
				id++
				m.Operations = append(m.Operations, operation(id, &lockdv1.ReleaseRequest{Name: "jobs/" + strconv.Itoa(n), LeaseId: leaseID(n)}))
				continue
			}
			if done++; begun < b.N {
				m.Operations = append(m.Operations, acquire())
			}
		}
	}
	b.ReportMetric(float64((processor()-start).Microseconds())/float64(b.N), "cpu-µs/pair")
}
