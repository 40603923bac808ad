package lockd_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	lockd "github.com/lockd/lockd/clients/go"
	"github.com/lockd/lockd/clients/go/lockdtest"
	"github.com/lockd/lockd/test/proxy"
)

// Sessions over real connections, with a real server.

const sessionPath = "/lockd.v1.LeaseService/Session"

// waiter is an Acquire in the background.
type waiter struct {
	lease  chan *lockd.Lease
	places chan int
}

// wait has owner stand in line for job, and returns when it does.
func wait(t *testing.T, c *lockd.Client, place int) *waiter {
	t.Helper()
	w := &waiter{make(chan *lockd.Lease, 1), make(chan int, 100)}
	done := make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(func() { cancel(); <-done })
	go func() {
		defer close(done)
		l, err := c.Acquire(ctx, "job", lockd.WithTTL(5*time.Second), lockd.WithQueued(func(h lockd.HeldError) { w.places <- h.Position }))
		if err != nil {
			if ctx.Err() == nil {
				t.Errorf("Acquire = %v", err)
			}
			close(w.lease)
			return
		}
		w.lease <- l
	}()
	if got := <-w.places; got != place {
		t.Errorf("it has place %d, want %d", got, place)
	}
	return w
}

// inOrder releases first, then what each waiter is granted in its turn.
func inOrder(t *testing.T, first *lockd.Lease, waiters ...*waiter) {
	t.Helper()
	held := first
	for i, w := range waiters {
		if err := held.Release(t.Context()); err != nil {
			t.Errorf("Release before waiter %d = %v", i+1, err)
		}
		for j, other := range waiters[i+1:] {
			select {
			case <-other.lease:
				t.Fatalf("waiter %d was granted the name before waiter %d", i+j+2, i+1)
			default:
			}
		}
		select {
		case next := <-w.lease:
			if next == nil {
				return
			}
			if next.Token() <= held.Token() {
				t.Errorf("token went from %d to %d, want larger", held.Token(), next.Token())
			}
			held = next
		case <-time.After(10 * time.Second):
			t.Fatalf("waiter %d was not granted the name within 10 s", i+1)
		}
	}
	if err := held.Release(t.Context()); err != nil {
		t.Errorf("the last Release = %v", err)
	}
}

// served releases first and what the waiters are granted, in whichever order.
func served(t *testing.T, first *lockd.Lease, a, b *waiter) {
	t.Helper()
	_ = first.Release(t.Context()) // its answer may have been cut off
	for range 2 {
		select {
		case l := <-a.lease:
			_ = l.Release(t.Context())
		case l := <-b.lease:
			_ = l.Release(t.Context())
		case <-time.After(10 * time.Second):
			t.Fatal("a waiter was not granted the name within 10 s")
		}
	}
}

// Who waits is served in order, over several clients.
func TestLineInOrder(t *testing.T) {
	server := lockdtest.Start(t)
	a, b := server.Client(t), server.Client(t)
	first := acquire(t, a, "job")
	inOrder(t, first, wait(t, a, 1), wait(t, b, 2), wait(t, b, 3), wait(t, a, 4))
}

// Through restarts of lockd nobody loses a lease or a place, and nobody is told of an error.
func TestLineThroughRestarts(t *testing.T) {
	server := lockdtest.Start(t)
	a, b := server.Client(t), server.Client(t)
	first := acquire(t, a, "job", lockd.WithTTL(30*time.Second))
	waiters := []*waiter{wait(t, b, 1), wait(t, a, 2), wait(t, b, 3)}
	for range 3 {
		server.Restart(t)
		until(t, "everybody to be back in line", func() bool { return holder(t, a, "job").GetWaiterCount() == 3 })
	}
	inOrder(t, first, waiters...)
}

// Cancelled waiters leave the line at once, and it moves up.
func TestLineLeft(t *testing.T) {
	server := lockdtest.Start(t)
	c := server.Client(t)
	first := acquire(t, c, "job")
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	queued := make(chan struct{}, 1)
	go func() {
		_, err := c.Acquire(ctx, "job", lockd.WithQueued(func(lockd.HeldError) { queued <- struct{}{} }))
		gone <- err
	}()
	<-queued
	second := wait(t, c, 2)
	cancel()
	var held *lockd.HeldError
	if err := <-gone; !errors.Is(err, context.Canceled) || !errors.As(err, &held) || held.Position != 1 {
		t.Errorf("Acquire = %v, want context.Canceled and a *HeldError with place 1", err)
	}
	until(t, "the line to move up", func() bool {
		got := holder(t, c, "job").GetWaiters()
		return len(got) == 1 && got[0].GetPlace() == 1
	})
	inOrder(t, first, second)
}

// A lease that is ended by force ends its context within 100 ms, with who and why.
func TestForceReleaseIsToldAtOnce(t *testing.T) {
	server := lockdtest.Start(t)
	for _, resumed := range []bool{false, true} {
		c := server.Client(t)
		l := acquire(t, c, "job", lockd.WithTTL(time.Minute))
		if resumed {
			server.Restart(t)
			acquire(t, c, fmt.Sprint("back ", resumed)) // so that the new stream stands
		}
		begun := time.Now()
		server.ForceReleaseBy(t, "job", "ann", "stuck")
		<-l.Context().Done()
		if took := time.Since(begun); took > time.Second { // 100 ms on a machine that is not busy
			t.Errorf("it took %s, want at once", took)
		}
		var why *lockd.ForcedError
		if cause := context.Cause(l.Context()); !errors.As(cause, &why) || why.By != "ann" || why.Reason != "stuck" {
			t.Errorf("cause = %v, want a *ForcedError by ann: stuck", cause)
		}
	}
}

// Wherever a connection breaks, before a message has gone through or before its answer has, no lease is
// lost and no place in line.
func TestCutAtEveryMessage(t *testing.T) {
	const release = 5 // after the hello, two leases and the waiter
	for cut := 1; cut <= release; cut++ {
		for _, delivered := range []bool{false, true} {
			t.Run(fmt.Sprintf("message %d delivered %v", cut, delivered), func(t *testing.T) {
				t.Parallel()
				server := lockdtest.Start(t)
				p := proxy.GRPC(t, server.Addr())
				c, other := dial(t, p.Addr()), server.Client(t)
				fault := p.DelayRequest(proxy.Nth(cut, proxy.Contains(sessionPath)))
				cutDone := make(chan struct{})
				go func() {
					defer close(cutDone)
					<-fault.Bitten()
					if delivered {
						p.HoldReplies()
						fault.Release()
						until(t, "the message to be acted upon", func() bool { return actedUpon(t, other, cut) })
					}
					p.Cut()
					if !delivered {
						fault.Release() // it arrives, too late for its stream
					}
					p.Release()
				}()
				kept := acquire(t, c, "kept", lockd.WithTTL(2*time.Second))
				first := acquire(t, c, "job", lockd.WithTTL(10*time.Second))
				w1 := wait(t, c, 1)
				w2 := wait(t, other, 2)
				if cut < release {
					inOrder(t, first, w1, w2)
				} else { // who is away when the name falls free is passed over
					served(t, first, w1, w2)
				}
				<-cutDone
				if cause := context.Cause(kept.Context()); cause != nil {
					t.Errorf("the lease that was kept ended: %v", cause)
				}
			})
		}
	}
}

// actedUpon reports whether the effect of the message of TestCutAtEveryMessage is there.
func actedUpon(t *testing.T, c *lockd.Client, message int) bool {
	switch message {
	case 2:
		return holder(t, c, "kept").GetHeld()
	case 3:
		return holder(t, c, "job").GetHeld()
	case 4:
		return holder(t, c, "job").GetWaiterCount() > 0
	}
	return true
}
