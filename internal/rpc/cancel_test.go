package rpc

import (
	"context"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/lockd/lockd/internal/lease"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

func expectCancelled(t *testing.T, a *lockdv1.Answer) {
	t.Helper()
	if e := a.GetError(); codes.Code(e.GetCode()) != codes.Canceled || e.GetReason() != "" {
		t.Errorf("a cancelled acquisition is answered %v, want CANCELLED without a reason", a)
	}
}

func TestACancelledWaiterLeavesTheLineForGood(t *testing.T) {
	undone := make(chan lease.Undoing, 1)
	store := heldByAnother(nil)
	store.undo = func(u lease.Undoing) { undone <- u }
	k := openSession(t, serve(t, store))
	op := k.queues("a", id1)
	k.cancel(op)
	expectCancelled(t, k.answer(op))
	if u := <-undone; u.ID != id1 || u.KeepPlace {
		t.Errorf("the store is asked to undo %+v, want %s out of the line without a place", u, id1)
	}
	k.cancel(op) // an answered one is none any more
	k.queues("b", id1)
	if len(k.answers) > 0 {
		t.Errorf("cancelling what was answered says %v, want nothing", k.answers)
	}
}

func TestCancellingWhatWasGrantedReleasesItOnceAndPassesItOn(t *testing.T) {
	t.Parallel() // a release is repeated after a second, and its server waits for that
	s, store := serveMemory(t)
	k, next := openSession(t, s), openSession(t, s)
	op := k.do(&lockdv1.AcquireRequest{Name: "a", LeaseId: id1})
	k.answer(op)
	waiting := next.queues("a", id2)
	k.cancel(op)
	if a := next.answer(waiting); a.GetAcquired() == nil {
		t.Errorf("the next in line is answered %v, want the lease", a)
	}
	k.expectNoLoss()
	k.cancel(op)
	k.expectNoLoss() // so that the cancellation has been read
	if !standing(t, store, "a").Held {
		t.Error("a second cancellation released another's lease")
	}
}

// A client makes what it was granted on an old stream known to the new one, on which the acquisition,
// asked again, may have been granted as well.
func TestCancellingWhatWasGrantedAndThenResumedReleasesIt(t *testing.T) {
	t.Parallel() // a release is repeated after a second, and its server waits for that
	s, _ := serveMemory(t)
	k, next := openSession(t, s), openSession(t, s)
	op := k.do(&lockdv1.AcquireRequest{Name: "a", LeaseId: id1})
	is := k.answer(op).GetAcquired().GetLease()
	waiting := next.queues("a", id2)
	k.send(&lockdv1.SessionRequest{Resumed: []*lockdv1.Resumed{{Name: "a", Token: is.GetToken()}}, Cancels: []uint64{op}})
	if a := next.answer(waiting); a.GetAcquired() == nil {
		t.Errorf("the next in line is answered %v, want the lease", a)
	}
}

func TestCancellingARenewalOrAReleasedLeaseDoesNothing(t *testing.T) {
	t.Parallel() // a release is repeated after a second, and its server waits for that
	s, store := serveMemory(t)
	k := openSession(t, s)
	acquired := k.do(&lockdv1.AcquireRequest{Name: "a", LeaseId: id1})
	k.answer(acquired)
	renewed := k.do(&lockdv1.RenewRequest{Name: "a", LeaseId: id1})
	k.answer(renewed)
	k.cancel(renewed)
	k.expectNoLoss()
	if !standing(t, store, "a").Held {
		t.Fatal("cancelling a renewal released the lease")
	}
	k.answer(k.do(&lockdv1.ReleaseRequest{Name: "a", LeaseId: id1}))
	again := openSession(t, s)
	again.acquires("a", id1)
	k.cancel(acquired)
	k.expectNoLoss()
	if !standing(t, store, "a").Held {
		t.Error("cancelling a lease that was released here released it once more")
	}
}

// A cancellation that meets a call under way: whatever the store answers, nothing is left.
func TestACancellationDuringTheCallUndoesWhatItDid(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	undone := make(chan lease.Undoing, 1)
	s := serve(t, &fakeStore{
		acquire: func(_ context.Context, a lease.Acquisition) (lease.Lease, error) {
			close(entered)
			<-leave
			return lease.Lease{Name: a.Name, Token: 1, TTL: a.TTL}, nil
		},
		undo: func(u lease.Undoing) { undone <- u },
	})
	k := openSession(t, s)
	op := k.do(&lockdv1.AcquireRequest{Name: "a", LeaseId: id1})
	<-entered
	k.cancel(op)
	expectCancelled(t, k.answer(op))
	close(leave)
	if u := <-undone; u.ID != id1 {
		t.Errorf("the store is asked to undo %+v, want %s", u, id1)
	}
}

// The answer and its cancellation cross in every way that a scheduler finds.
func TestACancellationThatMeetsTheGrantLeavesNothing(t *testing.T) {
	t.Parallel() // a release is repeated after a second, and its server waits for that
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	chance := rand.New(rand.NewPCG(seed, 0))
	s, store := serveMemory(t)
	holder, waiter := openSession(t, s), openSession(t, s)
	const rounds = 500
	outcomes := map[string]int{}
	for n := range rounds {
		holder.acquires("a", leaseID(2*n))
		op := waiter.queues("a", leaseID(2*n+1))
		before, after := chance.IntN(40), chance.IntN(40)
		var both sync.WaitGroup
		both.Go(func() {
			spin(before)
			holder.answer(holder.do(&lockdv1.ReleaseRequest{Name: "a", LeaseId: leaseID(2 * n)}))
		})
		both.Go(func() {
			spin(after)
			waiter.cancel(op)
			if a := waiter.answer(op); a.GetAcquired() != nil {
				outcomes["granted"]++
			} else {
				expectCancelled(t, a)
				outcomes["cancelled"]++
			}
		})
		both.Wait()
		eventually(t, "the name is free and its line empty", func() bool {
			is := standing(t, store, "a")
			return !is.Held && is.Waiting == 0
		})
	}
	t.Logf("%v", outcomes)
	if len(waiter.answers)+len(waiter.lost) > 0 {
		t.Errorf("besides one final answer each, %v and %v were told", waiter.answers, waiter.lost)
	}
	if outcomes["granted"] == 0 || outcomes["cancelled"] == 0 {
		t.Errorf("outcomes = %v, want some of each: else nothing met", outcomes)
	}
}

// spin lets other goroutines run n times.
func spin(n int) {
	for end := time.Now().Add(time.Duration(n) * 5 * time.Microsecond); time.Now().Before(end); {
		runtime.Gosched()
	}
}

// The narrowest gap: the acquisition has been granted, and the session is about to be told.
func TestACancellationBetweenTheGrantAndItsAnswerReleasesTheLease(t *testing.T) {
	released := make(chan lease.ReleaseRequest, 1)
	s := serve(t, &fakeStore{
		acquire: func(_ context.Context, a lease.Acquisition) (lease.Lease, error) {
			return lease.Lease{Name: a.Name, Token: 7, TTL: a.TTL}, nil
		},
		release: func(_ context.Context, r lease.ReleaseRequest) (lease.Released, error) {
			released <- r
			return lease.Released{Outcome: lease.Held}, nil
		},
	})
	granted, leave := make(chan struct{}), make(chan struct{})
	// Whoever held the name before is told of its loss just then.
	s.lessor.Listen(new(lease.Listener), "a", 1, former(func() { close(granted); <-leave }))
	k := openSession(t, s)
	op := k.do(&lockdv1.AcquireRequest{Name: "a", LeaseId: id1})
	<-granted
	k.cancel(op)
	k.acquires("b", id2) // so that the cancellation has been read
	close(leave)
	expectCancelled(t, k.answer(op))
	select {
	case r := <-released:
		if r != (lease.ReleaseRequest{Name: "a", ID: id1}) {
			t.Errorf("the store is asked to release %+v, want a", r)
		}
	case <-time.After(patience):
		t.Errorf("nothing was released within %s", patience)
	}
}

// former is a lease.Holder.
type former func()

// Lost implements lease.Holder.
func (f former) Lost(lease.Loss)       { f() }
func (f former) Requested(lease.Event) {}
