package redisstore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/test/proxy"
	"github.com/lockd/lockd/test/redisproc"
)

// busy has a call of batch.lua under way whose reply is held back, until the fault is released.
func busy(t *testing.T) (s *Store, f *proxy.Fault, first *sync.WaitGroup) {
	t.Helper()
	s, _, p := behindProxy(t, redisproc.Start(t))
	acquire(t, s, asking("warm")) // a connection and the script are there
	f = p.DelayReply(calls(batchScript))
	first = new(sync.WaitGroup)
	first.Go(func() { _, _ = s.Acquire(soon(t), asking("first")) })
	<-f.Bitten()
	return s, f, first
}

// inQueue waits until n operations are in the queue.
func inQueue(t *testing.T, b *batch, n int) {
	t.Helper()
	until(t, 5*time.Second, fmt.Sprint(n, " operations in the queue"), func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return len(b.queue) == n
	})
}

// enqueue puts an operation into the queue of acquires without waiting for it.
func enqueue(t *testing.T, s *Store, a lease.Acquisition) *operation {
	t.Helper()
	op, err := s.acquiring(a, s.clock.at(time.Now().Add(time.Minute)))
	if err != nil {
		t.Fatal(err)
	}
	op.settled = make(chan settled, 1)
	s.batch.queue = append(s.batch.queue, op)
	return op
}

// Operations that are asked for while a call is under way share the next one.
func TestOperationsThatComeTogetherShareACall(t *testing.T) {
	t.Parallel()
	s := open(t, redisproc.Start(t).URL())
	acquire(t, s, asking("warm"))
	before := commandCalls(t, s.client, "evalsha")
	s.batch.mu.Lock()
	s.batch.running++ // as if a call were under way
	var ops []*operation
	for i := range maxBatch + 1 {
		ops = append(ops, enqueue(t, s, asking(fmt.Sprint("job-", i))))
	}
	s.batch.mu.Unlock()
	s.batch.serve(s.batch.next())
	if calls := commandCalls(t, s.client, "evalsha") - before; calls != 2 {
		t.Errorf("%d operations took %d calls, want 2: one holds %d", len(ops), calls, maxBatch)
	}

	tokens := make(map[int64]bool)
	for _, op := range ops {
		got := <-op.settled
		if got.err != nil || tokens[got.reply.number(0)] {
			t.Fatalf("%s: token %d, %v; want one of its own", op.name, got.reply.number(0), got.err)
		}
		tokens[got.reply.number(0)] = true
		if standing, err := s.Get(soon(t), lease.GetRequest{Name: op.name}); err != nil || int64(standing.Lease.Token) != got.reply.number(0) {
			t.Fatalf("%s is held with token %d, %v; want %d as answered", op.name, standing.Lease.Token, err, got.reply.number(0))
		}
	}
}

// One name is in a call once: who asks for it as well has the next one, and is answered for itself.
func TestANameIsInACallOnce(t *testing.T) {
	t.Parallel()
	s := open(t, redisproc.Start(t).URL())
	s.batch.mu.Lock()
	s.batch.running++
	one, other, third := enqueue(t, s, asking("job")), enqueue(t, s, asking("job")), enqueue(t, s, asking("else"))
	s.batch.mu.Unlock()
	s.batch.serve(s.batch.next())

	if got := <-one.settled; got.reply.number(0) == 0 {
		t.Errorf("the first to ask = %v, %v, want a token", got.reply, got.err)
	}
	if got := <-other.settled; got.reply.kind() != "HELD" {
		t.Errorf("the second to ask = %v, %v, want HELD", got.reply, got.err)
	}
	if got := <-third.settled; got.reply.number(0) == 0 {
		t.Errorf("who asked for another name = %v, %v, want a token", got.reply, got.err)
	}
}

// A call that takes long holds nobody up for longer than patience.
func TestAStalledCallHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	s, f, first := busy(t)
	if _, err := s.Acquire(soon(t), asking("second")); err != nil {
		t.Errorf("Acquire beside a stalled call = %v, want nil", err)
	}
	f.Release()
	first.Wait()
}

// Nor does another that stalls beside it hold up who could not be part of it.
func TestASecondStalledCallHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	s, _, p := behindProxy(t, redisproc.Start(t))
	acquire(t, s, asking("warm"))
	stalled := p.DelayReply(calls(batchScript))
	s.batch.mu.Lock()
	s.batch.running++
	enqueue(t, s, asking("job"))
	second := enqueue(t, s, asking("job"))
	s.batch.mu.Unlock()
	s.batch.another()
	select {
	case <-second.settled:
	case <-time.After(callTimeout - patience):
		t.Error("who was left in the queue waited for the end of a stalled call")
	}
	stalled.Release()
	until(t, 5*time.Second, "the stalled call ends", func() bool {
		s.batch.mu.Lock()
		defer s.batch.mu.Unlock()
		return s.batch.running == 1 // the one that was made up
	})
}

// What is in the queue still when its time is over was not sent: nothing is unknown.
func TestWhatWasNotSentIsNotUnknown(t *testing.T) {
	t.Parallel()
	s, f, first := busy(t)
	defer first.Wait()
	defer f.Release()
	s.batch.mu.Lock()
	s.batch.running = maxBatches // as if as many were stalled
	s.batch.mu.Unlock()
	defer func() {
		s.batch.mu.Lock()
		s.batch.running = 1
		s.batch.mu.Unlock()
	}()

	ctx, cancel := context.WithCancel(t.Context())
	var err error
	var asked sync.WaitGroup
	asked.Go(func() { _, err = s.Acquire(ctx, asking("second")) })
	inQueue(t, s.batch, 1)
	cancel()
	asked.Wait()
	if !errors.Is(err, lease.ErrUnavailable) || errors.Is(err, lease.ErrUnknown) {
		t.Errorf("Acquire that was never sent = %v, want ErrUnavailable", err)
	}
	inQueue(t, s.batch, 0)
}

// What was sent with others is unknown when no reply comes, to each of them.
func TestALostReplyIsUnknownToAllOfItsCall(t *testing.T) {
	t.Parallel()
	s, direct, p := behindProxy(t, redisproc.Start(t))
	acquire(t, s, asking("warm"))
	p.LoseReply(calls(batchScript), 1)
	s.batch.mu.Lock()
	s.batch.running++
	one, other := enqueue(t, s, asking("one")), enqueue(t, s, asking("other"))
	s.batch.mu.Unlock()
	s.batch.serve(s.batch.next())
	for _, op := range []*operation{one, other} {
		if got := <-op.settled; got.err == nil || !errors.Is(s.failed("acquire", op.name, got.err), lease.ErrUnknown) {
			t.Errorf("%s = %v, want ErrUnknown", op.name, got.err)
		}
		if !held(t, direct, op.name) {
			t.Errorf("%s is free, want the grant that the lost reply spoke of", op.name)
		}
	}
}

// Many callers at once on few names: each gets its own answer, and no name has two holders.
func TestCallsAreSharedSafely(t *testing.T) {
	t.Parallel()
	s := open(t, redisproc.Start(t).URL())
	const names, callers, rounds = 8, 32, 40
	holders := make([]sync.Mutex, names)
	var last [names]lease.Token
	var all sync.WaitGroup
	for c := range callers {
		all.Go(func() {
			for i := range rounds {
				n := (c + i) % names
				a := asking(fmt.Sprint("job-", n))
				l, err := s.Acquire(soon(t), a)
				if errors.As(err, new(*lease.HeldError)) {
					continue
				}
				if err != nil || !holders[n].TryLock() {
					t.Errorf("%s: %v, or it has two holders", a.Name, err)
					return
				}
				if l.Name != a.Name || l.Token <= last[n] {
					t.Errorf("%s: granted %s with token %d after %d", a.Name, l.Name, l.Token, last[n])
				}
				last[n] = l.Token
				holders[n].Unlock()
				if r, err := s.Release(soon(t), lease.ReleaseRequest{Name: a.Name, ID: a.ID}); err != nil || r.Outcome != lease.Held {
					t.Errorf("%s: Release = %v, %v", a.Name, r, err)
				}
			}
		})
	}
	all.Wait()
}
