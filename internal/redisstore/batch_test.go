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

// inBatch is an operation in the queue, and what becomes of it.
type inBatch struct {
	name string
	op   *operation
	ended
}

// ended is a lease.Settler with room for one.
type ended chan lease.Result

// Settled implements lease.Settler.
func (e ended) Settled(r lease.Result) { e <- r }

// enqueue puts an acquisition into the queue without having it begun; so do the next two. batch.mu must be held.
func enqueue(t *testing.T, s *Store, a lease.Acquisition) inBatch {
	t.Helper()
	return put(t, s, &lease.Call{Acquire: &a})
}

func enqueueRenewal(t *testing.T, s *Store, a lease.Acquisition) inBatch {
	t.Helper()
	return put(t, s, &lease.Call{Renew: &lease.Renewal{Name: a.Name, ID: a.ID}})
}

func enqueueRelease(t *testing.T, s *Store, a lease.Acquisition) inBatch {
	t.Helper()
	return put(t, s, &lease.Call{Release: &lease.ReleaseRequest{Name: a.Name, ID: a.ID}})
}

func put(t *testing.T, s *Store, c *lease.Call) inBatch {
	t.Helper()
	q := inBatch{name: c.Name(), ended: make(ended, 1)}
	c.To, c.Deadline = q.ended, time.Now().Add(time.Minute)
	op, err := s.operationOf(c)
	if err != nil {
		t.Fatal(err)
	}
	op.since = time.Now()
	s.batch.queue.push(op)
	q.op = op
	return q
}

// Operations that are asked for while a call is under way share the next one.
func TestOperationsThatComeTogetherShareACall(t *testing.T) {
	t.Parallel()
	s := open(t, redisproc.Start(t).URL())
	acquire(t, s, asking("warm"))
	before := commandCalls(t, s.client, "evalsha")
	s.batch.mu.Lock()
	s.batch.running++ // as if a call were under way
	var ops []inBatch
	for i := range maxBatch + 1 {
		ops = append(ops, enqueue(t, s, asking(fmt.Sprint("job-", i))))
	}
	s.batch.mu.Unlock()
	s.batch.serve()
	if calls := commandCalls(t, s.client, "evalsha") - before; calls != 2 {
		t.Errorf("%d operations took %d calls, want 2: one holds %d", len(ops), calls, maxBatch)
	}

	tokens := make(map[lease.Token]bool)
	for _, op := range ops {
		got := <-op.ended
		if got.Err != nil || tokens[got.Lease.Token] {
			t.Fatalf("%s: token %d, %v; want one of its own", op.name, got.Lease.Token, got.Err)
		}
		tokens[got.Lease.Token] = true
		if standing, err := s.Get(soon(t), lease.GetRequest{Name: op.name}); err != nil || standing.Lease.Token != got.Lease.Token {
			t.Fatalf("%s is held with token %d, %v; want %d as answered", op.name, standing.Lease.Token, err, got.Lease.Token)
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
	s.batch.mu.Unlock()
	before := commandCalls(t, s.client, "evalsha")
	s.batch.serve()
	if calls := commandCalls(t, s.client, "evalsha") - before; calls != 1 {
		t.Errorf("4 tries took %d calls, want 1", calls)
	}

	token := (<-one.ended).Lease.Token
	if token == 0 {
		t.Error("the first to ask got no token")
	}
	if got := <-other.ended; !errors.As(got.Err, new(*lease.HeldError)) {
		t.Errorf("who asked second was answered %v, want *HeldError", got.Err)
	}
	if got := <-earlier.ended; !errors.Is(got.Err, lease.ErrSuperseded) {
		t.Errorf("the lease id's attempt before was answered %v, want ErrSuperseded", got.Err)
	}
	if got := <-again.ended; got.Err != nil || got.Lease.Token != token {
		t.Errorf("the lease id's attempt after was answered %d, %v; want the same token", got.Lease.Token, got.Err)
	}
	if standing, err := s.Get(soon(t), lease.GetRequest{Name: "job"}); err != nil || standing.Lease.Token != token {
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
	s.batch.serve()
	if got := <-second.ended; got.Err != nil {
		t.Errorf("the second attempt was answered %v, want a lease", got.Err)
	}
	if got := <-first.ended; !errors.Is(got.Err, lease.ErrSuperseded) {
		t.Errorf("a copy of the first one was answered %v, want ErrSuperseded", got.Err)
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
	s.batch.serve()
	for _, op := range []inBatch{one, other} {
		if got := <-op.ended; !errors.Is(got.Err, lease.ErrUnavailable) {
			t.Errorf("answered %v, want ErrUnavailable", got.Err)
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
	renewal, release := enqueueRenewal(t, s, a), enqueueRelease(t, s, a)
	tries, second, third := s.batch.takeLocked(), s.batch.takeLocked(), s.batch.takeLocked()
	s.batch.running = 0
	s.batch.mu.Unlock()
	if len(tries) != maxBatch/2 || len(second) != 1 || second[0] != renewal.op || len(third) != 1 || third[0] != release.op {
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
	renewal := enqueueRenewal(t, s, renewed)
	enqueue(t, s, again)
	release := enqueueRelease(t, s, released)
	fresh := enqueue(t, s, asking("new"))
	s.batch.mu.Unlock()
	s.batch.serve()

	if got := <-fresh.ended; !errors.Is(got.Err, lease.ErrStoreFull) {
		t.Errorf("an acquisition was answered %v, want ErrStoreFull", got.Err)
	}
	if got := <-renewal.ended; got.Err != nil {
		t.Errorf("the renewal was answered %v, want nil", got.Err)
	}
	if got := <-release.ended; got.Err != nil || got.Released.Outcome != lease.Held {
		t.Errorf("the release was answered %v, %v; want Held", got.Released, got.Err)
	}
}

// What comes to a full queue is not sent.
func TestTheQueueIsBounded(t *testing.T) {
	t.Parallel()
	s := open(t, redisproc.Start(t).URL())
	s.batch.mu.Lock()
	s.batch.running = maxBatches // as if as many were stalled
	s.batch.queue.items = make([]*operation, maxQueued)
	for i := range s.batch.queue.items {
		s.batch.queue.items[i] = &operation{deadline: time.Now().Add(time.Minute), since: time.Now()}
	}
	s.batch.mu.Unlock()
	_, err := s.Acquire(soon(t), asking("job"))
	s.batch.mu.Lock()
	s.batch.queue = fifo[*operation]{}
	s.batch.running = 0
	s.batch.mu.Unlock()
	if !errors.Is(err, lease.ErrUnavailable) || errors.Is(err, lease.ErrUnknown) {
		t.Errorf("Acquire with a full queue = %v, want ErrUnavailable and not ErrUnknown", err)
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
	a, first, second := asking("job"), make(ended, 1), make(ended, 1)
	deadline := time.Now().Add(callTimeout)
	s.Start([]*lease.Call{
		{Acquire: &a, To: first, Deadline: deadline},
		{Release: &lease.ReleaseRequest{Name: "job", ID: a.ID}, To: second, Deadline: deadline}, // which shares no call with that
	})
	<-second
	if len(first) > 0 {
		t.Error("who was left in the queue waited for the end of a stalled call")
	}
	stalled.Release()
	<-first
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

	ctx, cancel := context.WithTimeout(t.Context(), 4*patience)
	defer cancel()
	if _, err := s.Acquire(ctx, asking("second")); !errors.Is(err, lease.ErrUnavailable) || errors.Is(err, lease.ErrUnknown) {
		t.Errorf("Acquire that was never sent = %v, want ErrUnavailable", err)
	}
}

// What comes when its time is over is not sent: to Redis, whose clock we only reckon, it might seem to be in time.
func TestWhatIsLateIsNotSent(t *testing.T) {
	s := open(t, redisproc.Shared(t).URL())
	s.clock.Learn(time.Now(), time.Now().Add(time.Minute).UnixMicro()) // as wrong as can be
	a, done := asking("job"), make(ended, 1)
	s.Start([]*lease.Call{{Acquire: &a, To: done, Deadline: time.Now()}})
	if got := <-done; !errors.Is(got.Err, lease.ErrUnavailable) || errors.Is(got.Err, lease.ErrUnknown) {
		t.Errorf("Acquire that came too late = %v, want ErrUnavailable and not ErrUnknown", got.Err)
	}
	if held(t, s, "job") {
		t.Error("the name is held, want it free")
	}
}

// What is in a call still when its time is over is unknown from then on, however long the call takes.
func TestWhatHasNoAnswerInTimeIsUnknown(t *testing.T) {
	t.Parallel()
	s, _, p := behindProxy(t, redisproc.Start(t))
	acquire(t, s, asking("warm"))
	stalled := p.DelayReply(calls(batchScript))
	defer stalled.Release()
	ctx, cancel := context.WithTimeout(t.Context(), callTimeout/4)
	defer cancel()
	_, err := s.Acquire(ctx, asking("job"))
	s.batch.mu.Lock()
	defer s.batch.mu.Unlock()
	if !errors.Is(err, lease.ErrUnknown) || len(s.batch.calls) != 1 {
		t.Errorf("Acquire = %v with %d calls under way, want ErrUnknown while it is", err, len(s.batch.calls))
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
	s.batch.serve()
	for _, op := range []inBatch{one, other} {
		if got := <-op.ended; !errors.Is(got.Err, lease.ErrUnknown) {
			t.Errorf("%s = %v, want ErrUnknown", op.name, got.Err)
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
