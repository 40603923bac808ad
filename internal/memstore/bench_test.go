package memstore

import (
	"fmt"
	"testing"
	"time"

	"github.com/lockd/lockd/internal/lease"
)

// BenchmarkHandover measures a release, the turn it makes, and standing in line again, with so many in line.
func BenchmarkHandover(b *testing.B) {
	for _, waiters := range []int{1, 100, lease.MaxLine - 1} {
		b.Run(fmt.Sprint(waiters), func(b *testing.B) {
			s, next := New(), make(chan lease.ID, 1)
			ask := func(i int) {
				a := claim("job", i)
				a.TTL, a.Until = time.Hour, time.Now().Add(time.Hour)
				a.Turn = func(lease.Handover) { next <- a.ID }
				_, _ = s.Acquire(b.Context(), a)
			}
			for i := range waiters + 1 {
				ask(i)
			}
			holder := claim("job", 0).ID
			for i := waiters + 1; b.Loop(); i++ {
				_, _ = s.Release(b.Context(), lease.ReleaseRequest{Name: "job", ID: holder})
				holder = <-next
				ask(i)
			}
			_ = s.Close()
		})
	}
}

// BenchmarkLeave measures leaving from the middle and coming back to the same place, with so many in line.
func BenchmarkLeave(b *testing.B) {
	for _, waiters := range []int{100, lease.MaxLine - 1} {
		b.Run(fmt.Sprint(waiters), func(b *testing.B) {
			s := New()
			ask := func(i int) lease.Acquisition {
				a := claim("job", i)
				a.TTL, a.Until = time.Hour, time.Now().Add(time.Hour)
				a.Turn = func(lease.Handover) {}
				_, _ = s.Acquire(b.Context(), a)
				return a
			}
			for i := range waiters + 1 {
				ask(i)
			}
			for b.Loop() {
				a := ask(waiters / 2)
				_ = s.Undo(b.Context(), lease.Undoing{Name: a.Name, ID: a.ID, Tag: a.Tag, KeepPlace: true})
			}
			_ = s.Close()
		})
	}
}
