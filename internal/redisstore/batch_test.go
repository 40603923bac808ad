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
	return put(s, op)
}

func put(s *Store, op *operation) *operation {
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

// Those who try to acquire one name share a call, in their order: the first is granted, and the others learn of it.
func TestTriesOfOneNameShareACall(t *testing.T) {
	t.Parallel()
	s := open(t, redisproc.Start(t).URL())
	a := asking("job")
	late := a
	late.Tag.Exec = asking("").Tag.Exec
	s.batch.mu.Lock()
	s.batch.running++
	one, other := enqueue(t, s, retry(a)), enqueue(t, s, asking("job"))
	earlier, again := enqueue(t, s, late), enqueue(t, s, retry(retry(a)))
	ops := s.batch.takeLocked()
	s.batch.mu.Unlock()
	if len(ops) != 4 {
		t.Fatalf("%d operations in the call, want 4", len(ops))
	}
	s.batch.serve(ops)

	token := (<-one.settled).reply.number(0)
	if token == 0 {
		t.Error("the first to ask got no token")
	}
	for _, test := range []struct {
		who  string
		op   *operation
		want string
	}{
		{"who asked second", other, "HELD"},
		{"the lease id's attempt before", earlier, "SUPERSEDED"},
		{"the lease id's attempt after", again, "GRANTED"},
	} {
		if got := <-test.op.settled; got.reply.kind() != test.want {
			t.Errorf("%s was answered %v, %v; want %s", test.who, got.reply, got.err, test.want)
		}
	}
	if standing, err := s.Get(soon(t), lease.GetRequest{Name: "job"}); err != nil || int64(standing.Lease.Token) != token {
		t.Errorf("Get = %+v, %v; want the token %d", standing, err, token)
	}
}

// Who asks again for what it holds is answered as it is after those before it in the call.
func TestAskingAgainInASharedCallIsInOrder(t *testing.T) {
	t.Parallel()
	s := open(t, redisproc.Start(t).URL())
	a := asking("job")
	acquire(t, s, a)
	late := a
	late.Tag.Exec = asking("").Tag.Exec
	s.batch.mu.Lock()
	s.batch.running++
	second, first := enqueue(t, s, retry(a)), enqueue(t, s, late)
	s.batch.mu.Unlock()
	s.batch.serve(s.batch.next())
	if got := <-second.settled; got.reply.kind() != "GRANTED" {
		t.Errorf("the second attempt was answered %v, %v; want GRANTED", got.reply, got.err)
	}
	if got := <-first.settled; got.reply.kind() != "SUPERSEDED" {
		t.Errorf("a copy of the first one was answered %v, %v; want SUPERSEDED", got.reply, got.err)
	}
}

// Where the first of a name cannot be granted, those after it are told the same.
func TestWhatCannotBeGrantedIsToldToAllOfTheName(t *testing.T) {
	t.Parallel()
	r := redisproc.Start(t)
	s := open(t, r.URL())
	if err := client(t, r).RPush(t.Context(), s.keys.fence(), "no number").Err(); err != nil {
		t.Fatal(err)
	}
	s.batch.mu.Lock()
	s.batch.running++
	one, other := enqueue(t, s, asking("job")), enqueue(t, s, asking("job"))
	s.batch.mu.Unlock()
	s.batch.serve(s.batch.next())
	for _, op := range []*operation{one, other} {
		if got := <-op.settled; got.reply.kind() != "ERROR" {
			t.Errorf("answered %v, %v; want ERROR", got.reply, got.err)
		}
	}
}

// A renewal or a release shares no call with another operation on its name, and waits for one call only, however many
// try to acquire it.
func TestAHolderDoesNotWaitForEachTry(t *testing.T) {
	t.Parallel()
	s := open(t, redisproc.Start(t).URL())
	a := asking("job")
	acquire(t, s, a)
	s.batch.mu.Lock()
	s.batch.running++
	for range maxBatch / 2 {
		enqueue(t, s, asking("job"))
	}
	renewal := put(s, s.renewing(lease.Renewal{Name: "job", ID: a.ID}))
	release := put(s, s.releasing(lease.ReleaseRequest{Name: "job", ID: a.ID}))
	tries, second, third := s.batch.takeLocked(), s.batch.takeLocked(), s.batch.takeLocked()
	s.batch.running = 0
	s.batch.mu.Unlock()
	if len(tries) != maxBatch/2 || len(second) != 1 || second[0] != renewal || len(third) != 1 || third[0] != release {
		t.Errorf("calls of %d, %d and %d operations; want all tries, then the renewal, then the release", len(tries), len(second), len(third))
	}
}

// A full Redis grants nothing new, also not in a call that renews or releases.
func TestAFullRedisGrantsNothingInASharedCall(t *testing.T) {
	t.Parallel()
	r := redisproc.Start(t)
	s, direct := open(t, r.URL()), client(t, r)
	renewed, released, again := asking("renewed"), asking("released"), asking("again")
	for _, a := range []lease.Acquisition{renewed, released, again} {
		acquire(t, s, a)
	}
	if err := direct.ConfigSet(t.Context(), "maxmemory", "1").Err(); err != nil {
		t.Fatal(err)
	}
	s.batch.mu.Lock()
	s.batch.running++
	renewal := put(s, s.renewing(lease.Renewal{Name: "renewed", ID: renewed.ID}))
	enqueue(t, s, again)
	release := put(s, s.releasing(lease.ReleaseRequest{Name: "released", ID: released.ID}))
	fresh := enqueue(t, s, asking("new"))
	s.batch.mu.Unlock()
	s.batch.serve(s.batch.next())

	if got := <-fresh.settled; got.reply.kind() != "ERROR" {
		t.Errorf("an acquisition was answered %v, %v; want ERROR", got.reply, got.err)
	}
	if got := <-renewal.settled; len(got.reply) != 1 || got.reply.text(0) == "" {
		t.Errorf("the renewal was answered %v, %v; want the value", got.reply, got.err)
	}
	if got := <-release.settled; got.reply.number(0) != 1 {
		t.Errorf("the release was answered %v, %v; want 1", got.reply, got.err)
	}
}

// An answer that is there counts, though the time is over as well.
func TestAnAnswerThatIsThereCounts(t *testing.T) {
	s := open(t, redisproc.Shared(t).URL())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 { // select draws lots
		op := &operation{taken: true, settled: make(chan settled, 1)}
		op.settled <- settled{reply: reply{int64(7)}}
		if _, _, err := s.batch.wait(ctx, op); err != nil {
			t.Fatalf("wait = %v, want the answer", err)
		}
	}
}

// Who leaves the queue is in no call, and a full queue takes nothing.
func TestTheQueueIsBounded(t *testing.T) {
	t.Parallel()
	s := open(t, redisproc.Start(t).URL())
	a := asking("job")
	s.batch.mu.Lock()
	s.batch.running++
	gone := enqueue(t, s, a)
	gone.left = true
	s.batch.queue = append(s.batch.queue, make([]*operation, maxQueued-1)...)
	s.batch.mu.Unlock()
	_, err := s.Acquire(soon(t), asking("job"))
	s.batch.mu.Lock()
	s.batch.queue = s.batch.queue[:1]
	s.batch.mu.Unlock()
	if !errors.Is(err, lease.ErrUnavailable) {
		t.Errorf("Acquire with a full queue = %v, want ErrUnavailable", err)
	}
	if ops := s.batch.next(); ops != nil {
		t.Errorf("the call has %d operations, want none: who asked has left", len(ops))
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
	second := put(s, s.releasing(lease.ReleaseRequest{Name: "job", ID: newID()})) // it cannot share a call with the first
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
