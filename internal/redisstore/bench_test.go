package redisstore

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/test/redisproc"
)

// An uncontended acquire and release, by 64 callers at once.
func BenchmarkPair(b *testing.B) {
	s := open(b, redisproc.Shared(b).URL())
	var callers atomic.Int64
	b.SetParallelism(32)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		name := fmt.Sprintf("job-%d", callers.Add(1))
		for pb.Next() {
			a := asking(name)
			if _, err := s.Acquire(soon(b), a); err != nil {
				b.Error(err)
			}
			if _, err := s.Release(soon(b), lease.ReleaseRequest{Name: name, ID: a.ID}); err != nil {
				b.Error(err)
			}
		}
	})
}
