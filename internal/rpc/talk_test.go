package rpc

import (
	"context"
	"fmt"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/internal/memstore"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// talk is a session as its client has it. It is used by one goroutine.
type talk struct {
	t      *testing.T
	stream grpc.BidiStreamingClient[lockdv1.SessionRequest, lockdv1.SessionResponse]
	hangUp context.CancelFunc // the client goes without a word
	last   uint64
	// What was heard and not yet asked for.
	welcome   *lockdv1.Welcome
	answers   []*lockdv1.Answer
	lost      []*lockdv1.Lost
	requested []*lockdv1.ReleaseRequested
	ending    []*lockdv1.HoldEnding
	draining  int
}

// dialSession opens a session and says nothing yet.
func dialSession(t *testing.T, s *subject) *talk {
	t.Helper()
	ctx, hangUp := context.WithTimeout(context.Background(), 2*patience)
	t.Cleanup(hangUp)
	stream, err := s.leases.Session(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return &talk{t: t, stream: stream, hangUp: hangUp}
}

// openSession opens a session and waits for its welcome.
func openSession(t *testing.T, s *subject) *talk {
	t.Helper()
	k := dialSession(t, s)
	k.send(&lockdv1.SessionRequest{Hello: &lockdv1.Hello{Client: "test"}})
	k.hear("the welcome", func() bool { return k.welcome != nil })
	return k
}

func (k *talk) send(m *lockdv1.SessionRequest) {
	k.t.Helper()
	if err := k.stream.Send(m); err != nil {
		_, err = k.stream.Recv()
		k.t.Fatalf("Send: %v", err)
	}
}

// do sends a request as an operation of its own and answers its id.
func (k *talk) do(request any) uint64 {
	k.t.Helper()
	k.last++
	k.send(&lockdv1.SessionRequest{Operations: []*lockdv1.Operation{operation(k.last, request)}})
	return k.last
}

func operation(id uint64, request any) *lockdv1.Operation {
	op := &lockdv1.Operation{Id: id}
	switch r := request.(type) {
	case *lockdv1.AcquireRequest:
		op.Request = &lockdv1.Operation_Acquire{Acquire: r}
	case *lockdv1.RenewRequest:
		op.Request = &lockdv1.Operation_Renew{Renew: r}
	case *lockdv1.ReleaseRequest:
		op.Request = &lockdv1.Operation_Release{Release: r}
	}
	return op
}

func (k *talk) cancel(ids ...uint64) {
	k.t.Helper()
	k.send(&lockdv1.SessionRequest{Cancels: ids})
}

// next takes in one message, or answers how the stream ended.
func (k *talk) next() error {
	m, err := k.stream.Recv()
	if err != nil {
		return err
	}
	if m.GetWelcome() != nil {
		k.welcome = m.GetWelcome()
	}
	k.answers = append(k.answers, m.GetAnswers()...)
	k.lost = append(k.lost, m.GetLost()...)
	k.requested = append(k.requested, m.GetReleaseRequested()...)
	k.ending = append(k.ending, m.GetHoldEnding()...)
	if m.GetDraining() {
		k.draining++
	}
	return nil
}

// hear takes messages in until done.
func (k *talk) hear(what string, done func() bool) {
	k.t.Helper()
	for !done() {
		if err := k.next(); err != nil {
			k.t.Fatalf("waiting for %s: %v", what, err)
		}
	}
}

// answer waits for the next answer to an operation; queued ones count.
func (k *talk) answer(id uint64) *lockdv1.Answer {
	k.t.Helper()
	for {
		for i, a := range k.answers {
			if a.GetId() == id {
				k.answers = append(k.answers[:i:i], k.answers[i+1:]...)
				return a
			}
		}
		if err := k.next(); err != nil {
			k.t.Fatalf("waiting for the answer to operation %d: %v", id, err)
		}
	}
}

// ends reads until the stream ends and answers how, nil for OK.
func (k *talk) ends() error {
	for {
		if err := k.next(); err != nil {
			return err
		}
	}
}

// acquires runs an acquisition that is granted at once.
func (k *talk) acquires(name, id string) *lockdv1.Lease {
	k.t.Helper()
	a := k.answer(k.do(&lockdv1.AcquireRequest{Name: name, LeaseId: id, Attempt: 1}))
	if a.GetAcquired() == nil {
		k.t.Fatalf("acquire %q: %v, want a lease", name, a)
	}
	return a.GetAcquired().GetLease()
}

// queues begins an acquisition that stands in line when it returns.
func (k *talk) queues(name, id string) (op uint64) {
	k.t.Helper()
	op = k.do(&lockdv1.AcquireRequest{Name: name, LeaseId: id, Attempt: 1, Wait: wait})
	if a := k.answer(op); a.GetQueued().GetPlace() == 0 {
		k.t.Fatalf("acquire %q: %v, want a place in line", name, a)
	}
	return op
}

// leaseID answers a lease id of its own for each n.
var wait = durationpb.New(time.Minute)

func leaseID(n int) string { return fmt.Sprintf("%032x", n) }

// serveMemory serves leases in memory.
func serveMemory(t *testing.T, opts ...option) (*subject, *memstore.Store) {
	t.Helper()
	store := memstore.New()
	s := serve(t, store, opts...)
	return s, store
}

// standing answers what stands on a name.
func standing(t *testing.T, store lease.Store, name string) lease.Standing {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	found, err := store.Get(ctx, lease.GetRequest{Name: name, Waiters: 100})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// eventually looks until true holds: what it waits for is done by goroutines that tell nobody.
func eventually(t *testing.T, what string, true func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !true(); <-time.After(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %s", what, patience)
		}
	}
}
