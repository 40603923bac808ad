package rpc

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/lockd/lockd/internal/lease"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

func expectDraining(t *testing.T, what string, err error) {
	t.Helper()
	if status.Code(err) != codes.Unavailable || reason(err) != "DRAINING" {
		t.Errorf("%s ends with %v, want UNAVAILABLE/DRAINING", what, err)
	}
}

func TestADrainIsAnnouncedAnswersWhoWaitsAndServesWhatStillComes(t *testing.T) {
	s, store := serveMemory(t)
	k := openSession(t, s)
	k.acquires("a", id1)
	op := k.queues("a", id2)
	watch, err := s.leases.Watch(t.Context(), &lockdv1.WatchRequest{})
	if err != nil {
		t.Fatal(err)
	}
	down := make(chan error, 1)
	go func() { down <- shutdown(t, s, patience) }()

	if e := k.answer(op).GetError(); e.GetReason() != "DRAINING" || codes.Code(e.GetCode()) != codes.Unavailable {
		t.Errorf("a waiter is answered %v, want UNAVAILABLE/DRAINING", e)
	}
	if k.draining != 1 {
		t.Errorf("draining was said %d times before a waiter was answered, want once", k.draining)
	}
	k.acquires("b", leaseID(3))
	k.answer(k.do(&lockdv1.RenewRequest{Name: "a", LeaseId: id1}))
	if e := k.answer(k.do(&lockdv1.AcquireRequest{Name: "a", LeaseId: id2, Attempt: 2, Wait: wait})).GetError(); e.GetReason() != "DRAINING" {
		t.Errorf("waiting at a server that drains = %v, want DRAINING", e)
	}
	if err := k.stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	expectDraining(t, "a session", k.ends())
	for err == nil {
		_, err = watch.Recv()
	}
	expectDraining(t, "a watch", err)
	if err := <-down; err != nil {
		t.Errorf("Shutdown() = %v, want nil", err)
	}
	if !standing(t, store, "a").Held || !standing(t, store, "b").Held {
		t.Error("a lease ended with its server, want them to stay")
	}
}

func TestADrainKeepsThePlacesOfWhoWaits(t *testing.T) {
	undone := make(chan lease.Undoing, 1)
	store := heldByAnother(nil)
	store.undo = func(u lease.Undoing) { undone <- u }
	s := serve(t, store)
	k := openSession(t, s)
	k.queues("a", id1)
	go func() { _ = shutdown(t, s, patience) }()
	if u := <-undone; u.ID != id1 || !u.KeepPlace {
		t.Errorf("the store is asked to undo %+v, want %s away with its place kept", u, id1)
	}
	_ = k.stream.CloseSend()
	expectDraining(t, "the session", k.ends())
}

func TestADrainFinishesTheOperationsUnderWay(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	s := serve(t, &fakeStore{renew: func(context.Context, lease.Renewal) (lease.Lease, error) {
		close(entered)
		<-leave
		return holder, nil
	}})
	k := openSession(t, s)
	op := k.do(&lockdv1.RenewRequest{Name: "a", LeaseId: id1})
	<-entered
	down := make(chan error, 1)
	go func() { down <- shutdown(t, s, patience) }()
	k.hear("draining", func() bool { return k.draining == 1 })
	if err := k.stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	close(leave)
	if a := k.answer(op); a.GetRenewed() == nil {
		t.Errorf("an operation under way is answered %v, want it done", a)
	}
	expectDraining(t, "the session", k.ends())
	if err := <-down; err != nil {
		t.Errorf("Shutdown() = %v, want nil", err)
	}
}

func TestASessionThatStaysEndsTwoSecondsAfterTheAnnouncementAndWatchesAfterIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &fakeStore{watch: func(context.Context, string, func(lease.Event)) (func(), error) { return func() {}, nil }}
		servePipesOver(t, store, func(s *Server, conn net.Conn) {
			client := overPipe(t, conn)
			watch, err := client.leases.Watch(t.Context(), &lockdv1.WatchRequest{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := watch.Recv(); err != nil {
				t.Fatal(err)
			}
			k := openSession(t, client)
			start := time.Now()
			down := make(chan error, 1)
			go func() { down <- s.Shutdown(t.Context()) }()
			k.hear("draining", func() bool { return k.draining == 1 })
			if took := time.Since(start); took > 0 {
				t.Errorf("draining is said after %s, want at once", took)
			}
			expectDraining(t, "the session", k.ends())
			if took := time.Since(start); took != sessionsEndIn {
				t.Errorf("the session ends after %s, want %s", took, sessionsEndIn)
			}
			_, err = watch.Recv()
			expectDraining(t, "the watch", err)
			if err := <-down; err != nil {
				t.Errorf("Shutdown() = %v, want nil", err)
			}
			_ = client.conn.Close()
		})
	})
}

func TestASessionOpenedWhileDrainingIsToldWithItsWelcome(t *testing.T) {
	s := newSessions()
	first, second := &session{out: newOutbox(), service: new(leaseService)}, &session{out: newOutbox(), service: new(leaseService)}
	s.enter(first)
	none := s.drain()
	s.enter(second)
	for _, x := range []*session{first, second} {
		if m := message(t, x.out.take()); m.GetDraining() {
			t.Errorf("a session that was not greeted is told %v, want the welcome before anything else", m)
		}
		if err := x.greet(new(lockdv1.Hello)); err != nil {
			t.Fatal(err)
		}
		if m := message(t, x.out.take()); m.GetWelcome() == nil || !m.GetDraining() {
			t.Errorf("a session opened while the server drains is told %v, want the welcome and draining", m)
		}
	}
	select {
	case <-none:
		t.Error("none is said to be open while two are")
	default:
	}
	s.leave(first)
	s.leave(second)
	<-none
	s.enter(first)
	s.leave(first) // late; nothing is closed twice
}

// Over gRPC: what it buffers is sent, and only then does it hold the writer up.
func TestAClientThatNeverReadsLosesItsSessionAndNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		servePipesOver(t, newGranting(), func(_ *Server, conn net.Conn) {
			client := overPipe(t, conn)
			beside := openSession(t, client)
			k := dialSession(t, client)
			k.send(&lockdv1.SessionRequest{Hello: new(lockdv1.Hello)})
			sent := make(chan int)
			go func() {
				n := 0
				for err := error(nil); err == nil; n++ { // it blocks when the server does not read any more
					err = k.stream.Send(&lockdv1.SessionRequest{Operations: []*lockdv1.Operation{
						operation(uint64(n)+1, &lockdv1.ReleaseRequest{Name: "wrong//name", LeaseId: id1}),
					}})
				}
				sent <- n
			}()
			<-time.After(maxStall - time.Second)
			beside.acquires("beside", id1)
			<-time.After(2 * time.Second)
			beside.acquires("beside", id2)
			err := k.ends() // now it reads
			if status.Code(err) != codes.ResourceExhausted || reason(err) != "SLOW_READER" {
				t.Errorf("the session ends with %v, want RESOURCE_EXHAUSTED/SLOW_READER", err)
			}
			if n := <-sent; len(k.answers) < 100 || len(k.answers) >= n {
				t.Errorf("%d answers to %d operations were sent before, want some and not all", len(k.answers), n)
			}
			_ = client.conn.Close()
		})
	})
}
