package rpc

import (
	"context"
	"runtime"
	"testing"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// live is the memory that is in use and the goroutines that run.
func live() (bytes uint64, goroutines int) {
	var m runtime.MemStats
	for range 2 { // what a first one finalizes, a second one frees
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse, runtime.NumGoroutine()
}

// 10 000 in line on one stream. Asked for by rpc and lease alone: what the store keeps of them is its own.
func TestAWaiterOnASessionIsSmallAndCostsNoGoroutine(t *testing.T) {
	const all = 10_000
	var before, after uint64
	var goroutines [2]int
	send := make(chan int, 64) // messages with places in line
	store := heldByAnother(nil)
	err := converse(t, store, func(m *lockdv1.SessionResponse, _ <-chan struct{}) error {
		send <- len(m.GetAnswers())
		return nil
	}, func(f *fakeStream, hangUp context.CancelFunc) {
		defer hangUp()
		sayHello(f)
		<-send
		before, goroutines[0] = live()
		queued := 0
		for n := 1; n <= all; n++ {
			if !f.say(&lockdv1.SessionRequest{Operations: []*lockdv1.Operation{operation(uint64(n), &lockdv1.AcquireRequest{
				Name: "jobs/" + leaseID(n), LeaseId: leaseID(n), Owner: "someone@a-host-somewhere:4711", Wait: wait,
			})}}) {
				t.Error("the session has ended")
				return
			}
			for len(send) > 32 {
				queued += <-send
			}
		}
		for queued < all {
			queued += <-send
		}
		// Who asked the store for them goes when there is nothing more to ask.
		eventually(t, "nobody is left who has nothing to do", func() bool { return runtime.NumGoroutine()-goroutines[0] <= 10 })
		after, goroutines[1] = live()
	})
	if each := (after - before) / all; after < before || each > 1536 {
		t.Errorf("a waiter costs %d bytes, want at most 1536", each)
	} else {
		t.Logf("a waiter costs %d bytes", each)
	}
	if more := goroutines[1] - goroutines[0]; more > 10 {
		t.Errorf("%d waiters cost %d goroutines, want none (%v)", all, more, err)
	}
}
