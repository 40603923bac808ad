package redlock

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/go-redsync/redsync/v4"
	"github.com/go-redsync/redsync/v4/redis/goredis/v9"
	"github.com/redis/go-redis/v9"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/test/redisproc"
)

// BenchmarkPairs acquires and releases names of which each worker has its own, on five nodes, beside redsync on the same
// nodes. cpu-µs/pair is the processor time of this process and of all nodes.
func BenchmarkPairs(b *testing.B) {
	servers := redisproc.SharedNodes(b, 5)
	for _, workers := range []int{1, 64} {
		b.Run(fmt.Sprintf("redsync-%d", workers), func(b *testing.B) {
			var pools []*redis.Client
			var rs []interface{ Close() error }
			for _, s := range servers {
				c := s.Client()
				pools, rs = append(pools, c), append(rs, c)
			}
			defer func() {
				for _, c := range rs {
					c.Close()
				}
			}()
			sync := redsync.New(goredis.NewPool(pools[0]), goredis.NewPool(pools[1]), goredis.NewPool(pools[2]),
				goredis.NewPool(pools[3]), goredis.NewPool(pools[4]))
			pairs(b, servers, workers, func(worker int) error {
				m := sync.NewMutex(fmt.Sprintf("bench/%d", worker), redsync.WithTries(1), redsync.WithExpiry(10*time.Second))
				if err := m.Lock(); err != nil {
					return err
				}
				_, err := m.Unlock()
				return err
			})
		})
		b.Run(fmt.Sprintf("redlock-%d", workers), func(b *testing.B) {
			s := opening(b, servers, 0)
			pairs(b, servers, workers, func(worker int) error {
				ctx, cancel := context.WithTimeout(b.Context(), callTimeout)
				defer cancel()
				a := leaseOf(fmt.Sprintf("bench/%d", worker))
				if _, err := s.Acquire(ctx, a); err != nil {
					return err
				}
				_, err := s.Release(ctx, lease.ReleaseRequest{Name: a.Name, ID: a.ID})
				return err
			})
		})
	}
}

// pairs has workers do b.N pairs.
func pairs(b *testing.B, servers []*redisproc.Server, workers int, pair func(worker int) error) {
	b.Helper()
	var left atomic.Int64
	left.Store(int64(b.N))
	took := make([]time.Duration, b.N)
	var working sync.WaitGroup
	before := processorTime(b, servers)
	b.ResetTimer()
	for worker := range workers {
		working.Go(func() {
			for n := left.Add(-1); n >= 0; n = left.Add(-1) {
				began := time.Now()
				if err := pair(worker); err != nil && !errors.As(err, new(*lease.HeldError)) {
					b.Error(err)
					return
				}
				took[n] = time.Since(began)
			}
		})
	}
	working.Wait()
	b.StopTimer()
	b.ReportMetric(float64((processorTime(b, servers)-before).Microseconds())/float64(b.N), "cpu-µs/pair")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "pairs/s")
	slices.Sort(took)
	b.ReportMetric(float64(took[b.N/2].Microseconds()), "p50-µs")
}

// processorTime is what this process and the servers have used so far.
func processorTime(t testing.TB, servers []*redisproc.Server) (used time.Duration) {
	t.Helper()
	var own syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &own); err != nil {
		t.Fatal(err)
	}
	used = time.Duration(own.Utime.Nano() + own.Stime.Nano())
	each(t, servers, func(c *redis.Client) error {
		text, err := c.Info(t.Context(), "cpu").Result()
		for line := range strings.Lines(text) {
			var seconds float64
			if n, _ := fmt.Sscanf(line, "used_cpu_sys:%f", &seconds); n == 1 {
				used += time.Duration(seconds * float64(time.Second))
			}
			if n, _ := fmt.Sscanf(line, "used_cpu_user:%f", &seconds); n == 1 {
				used += time.Duration(seconds * float64(time.Second))
			}
		}
		return err
	})
	return used
}
