package rpc

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/lockd/lockd/internal/lease"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// fakeStream is a session's stream without gRPC, for what gRPC does only now and then. As in gRPC, what
// is being read or sent fails once the handler has returned.
type fakeStream struct {
	grpc.ServerStream
	ctx  context.Context
	in   chan *lockdv1.SessionRequest // closed: the client has closed its half
	send func(*lockdv1.SessionResponse, <-chan struct{}) error
	gone chan struct{}
}

func (f *fakeStream) Context() context.Context { return f.ctx }

func (f *fakeStream) RecvMsg(m any) error {
	select {
	case got, ok := <-f.in:
		if !ok {
			return io.EOF
		}
		proto.Merge(m.(proto.Message), got)
		return nil
	case <-f.gone:
		return errGone
	}
}

func (f *fakeStream) Recv() (*lockdv1.SessionRequest, error) {
	m := new(lockdv1.SessionRequest)
	return m, f.RecvMsg(m)
}

func (f *fakeStream) SendMsg(m any) error {
	said := new(lockdv1.SessionResponse)
	if err := proto.Unmarshal(m.(*parcel).data, said); err != nil {
		return err
	}
	return f.send(said, f.gone)
}

func (f *fakeStream) Send(m *lockdv1.SessionResponse) error { return f.send(m, f.gone) }

// message is what a parcel says, and items how many things.
func message(t *testing.T, p *parcel) *lockdv1.SessionResponse {
	t.Helper()
	m := new(lockdv1.SessionResponse)
	if p == nil {
		return m
	}
	if err := proto.Unmarshal(p.data, m); err != nil || p.fault != nil {
		t.Fatalf("a message that cannot be read: %v, %v", err, p.fault)
	}
	return m
}

func items(p *parcel) int {
	if p == nil {
		return 0
	}
	return p.items
}

var errGone = errors.New("the stream has ended")

// converse runs a session over store in which the client says what say does, and answers how it ended.
// It returns when nothing of the session runs any more.
func converse(t *testing.T, store lease.Store, send func(*lockdv1.SessionResponse, <-chan struct{}) error, say func(*fakeStream, context.CancelFunc)) error {
	t.Helper()
	ctx, hangUp := context.WithCancel(t.Context())
	defer hangUp()
	f := &fakeStream{ctx: ctx, in: make(chan *lockdv1.SessionRequest), send: send, gone: make(chan struct{})}
	lessor := lease.NewLessor(store, lease.Limits{}.WithDefaults())
	s := &leaseService{lessor: lessor, sessions: newSessions(), access: &accessLog{to: zap.NewNop()}, gate: newGate(Bounds{})}
	var saying sync.WaitGroup
	saying.Go(func() { say(f, hangUp) })
	err := s.Session(f)
	close(f.gone)
	s.sessions.tails.Wait()
	saying.Wait()
	closing, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := lessor.Close(closing); err != nil {
		t.Error(err)
	}
	return err
}

// say sends the server a message; it reports false if the session has ended.
func (f *fakeStream) say(m *lockdv1.SessionRequest) bool {
	select {
	case f.in <- m:
		return true
	case <-f.gone:
		return false
	}
}

func sayHello(f *fakeStream, ops ...*lockdv1.Operation) {
	f.say(&lockdv1.SessionRequest{Hello: new(lockdv1.Hello), Operations: ops})
}

// granting is a store that grants everything and notes whom it granted and what was undone.
type granting struct {
	fakeStore
	mu              sync.Mutex
	granted, undone map[lease.ID]bool
}

func newGranting() *granting {
	g := &granting{granted: map[lease.ID]bool{}, undone: map[lease.ID]bool{}}
	note := func(in map[lease.ID]bool, id lease.ID) {
		g.mu.Lock()
		defer g.mu.Unlock()
		in[id] = true
	}
	g.acquire = func(_ context.Context, a lease.Acquisition) (lease.Lease, error) {
		note(g.granted, a.ID)
		return lease.Lease{Name: a.Name, Token: 7, TTL: a.TTL}, nil
	}
	g.undo = func(u lease.Undoing) { note(g.undone, u.ID) }
	return g
}

func TestAGrantThatGRPCDidNotTakeGoesBackAndNoOther(t *testing.T) {
	for _, end := range []string{"the send fails", "the client goes", "the client breaks a rule"} {
		t.Run(end, func(t *testing.T) {
			store := newGranting()
			handed := map[lease.ID]bool{}
			first, stuck := make(chan struct{}), make(chan struct{})
			send := func(m *lockdv1.SessionResponse, gone <-chan struct{}) error {
				if len(handed) > 0 {
					close(stuck)
					if end != "the send fails" {
						<-gone
					}
					return errGone
				}
				for _, a := range m.GetAnswers() {
					handed[lease.ID(a.GetAcquired().GetLease().GetName())] = true // named by their id
				}
				if len(handed) > 0 {
					close(first)
				}
				return nil
			}
			_ = converse(t, store, send, func(f *fakeStream, hangUp context.CancelFunc) {
				sayHello(f)
				for n := 1; n <= 300; n++ {
					if !f.say(&lockdv1.SessionRequest{Operations: []*lockdv1.Operation{
						operation(uint64(n), &lockdv1.AcquireRequest{Name: leaseID(n), LeaseId: leaseID(n)}),
					}}) {
						return
					}
					if n == 1 {
						<-first // it is through; nothing after it will be
					}
				}
				<-stuck
				switch end {
				case "the client goes":
					hangUp()
				case "the client breaks a rule":
					f.say(&lockdv1.SessionRequest{Hello: new(lockdv1.Hello)})
				}
			})
			for id := range store.granted {
				if handed[id] == store.undone[id] {
					t.Fatalf("%s: granted, handed to gRPC %t and undone %t, want one of them", id, handed[id], store.undone[id])
				}
			}
			if len(store.undone) == 0 || len(handed) == 0 {
				t.Errorf("%d handed to gRPC, %d undone, want some of each", len(handed), len(store.undone))
			}
		})
	}
}

func TestAClientThatReadsNothingForTenSecondsIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newGranting()
		start := time.Now()
		send := func(_ *lockdv1.SessionResponse, gone <-chan struct{}) error {
			<-gone
			return errGone
		}
		said := 0
		err := converse(t, store, send, func(f *fakeStream, _ context.CancelFunc) {
			sayHello(f)
			for ; f.say(&lockdv1.SessionRequest{Operations: []*lockdv1.Operation{
				operation(uint64(said)+1, &lockdv1.AcquireRequest{Name: "a", LeaseId: leaseID(said)}),
			}}); said++ {
			}
		})
		if took := time.Since(start); !errors.Is(err, errSlowReader) || took < maxStall || took > maxStall+time.Second {
			t.Errorf("the session ends with %v after %s, want SLOW_READER after %s", err, took, maxStall)
		}
		// Beside what is pending, some are at the store and some in the message that is stuck.
		if most := maxPending + maxAtOnce + maxBatch/64; said < maxPending || said > most {
			t.Errorf("%d messages were read, want at least %d and no more than %d: then reading waits", said, maxPending, most)
		}
		if len(store.undone) != len(store.granted) {
			t.Errorf("%d of %d grants were taken back, want all", len(store.undone), len(store.granted))
		}
	})
}

func TestOneMessageThatIsNotTakenForTenSecondsIsEnough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		send := func(_ *lockdv1.SessionResponse, gone <-chan struct{}) error {
			<-gone
			return errGone
		}
		err := converse(t, &fakeStore{}, send, func(f *fakeStream, hangUp context.CancelFunc) {
			sayHello(f)
			select {
			case <-f.gone:
			case <-time.After(time.Minute):
				hangUp()
			}
		})
		if took := time.Since(start); !errors.Is(err, errSlowReader) || took != maxStall {
			t.Errorf("the session ends with %v after %s, want SLOW_READER after %s", err, took, maxStall)
		}
	})
}

func TestAFullOutboxHasTenSecondsToGetRoom(t *testing.T) {
	for what, c := range map[string]struct {
		then  func(*outbox, chan struct{})
		room  bool
		after time.Duration
	}{
		"nothing is taken":    {func(*outbox, chan struct{}) {}, false, maxStall},
		"all is taken":        {func(o *outbox, _ chan struct{}) { _ = o.take() }, true, 9 * time.Second},
		"the session is over": {func(_ *outbox, over chan struct{}) { close(over) }, false, 9 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			o, over := newOutbox(), make(chan struct{})
			for range maxPending {
				if !o.hasRoom(over) {
					t.Fatal("an outbox that is not full has no room")
				}
				o.put(item{}, answering(&lockdv1.Answer{Id: 1}))
			}
			time.AfterFunc(9*time.Second, func() { c.then(o, over) })
			start := time.Now()
			if room := o.hasRoom(over); room != c.room || time.Since(start) != c.after {
				t.Errorf("%s: room %t after %s, want %t after %s", what, room, time.Since(start), c.room, c.after)
			}
		})
	}
}

func TestAMessageHasAbout64KiBInTheOrderPut(t *testing.T) {
	o := newOutbox()
	text := &lockdv1.Error{Message: string(make([]byte, 1000))}
	const all = 200
	for n := range uint64(all) {
		o.put(item{}, answering(&lockdv1.Answer{Id: n, Result: &lockdv1.Answer_Error{Error: text}}))
	}
	next := uint64(0)
	for messages := 0; next < all; messages++ {
		m := message(t, o.take())
		if size := proto.Size(m); size == 0 || size > maxBatch+2000 || messages == 0 && size < maxBatch {
			t.Fatalf("message %d has %d bytes, want about %d", messages, size, maxBatch)
		}
		for _, a := range m.GetAnswers() {
			if a.GetId() != next {
				t.Fatalf("answer %d comes where %d should", a.GetId(), next)
			}
			next++
		}
	}
	draining := &lockdv1.SessionResponse{Draining: true}
	o.put(item{}, draining)
	if left := o.close(); len(left) != 1 || items(left[0]) != 1 || o.put(item{}, draining) || o.take() != nil {
		t.Errorf("closed with %d left, want 1, and nothing put or taken after that", len(left))
	}
}

func TestAtMost256OperationsAreAtTheStoreAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		at, most := 0, 0
		store := &fakeStore{renew: func(context.Context, lease.Renewal) (lease.Lease, error) {
			mu.Lock()
			at++
			most = max(most, at)
			mu.Unlock()
			<-time.After(time.Second)
			mu.Lock()
			at--
			mu.Unlock()
			return holder, nil
		}}
		const all = 1000
		answers := 0
		send := func(m *lockdv1.SessionResponse, _ <-chan struct{}) error { answers += len(m.GetAnswers()); return nil }
		err := converse(t, store, send, func(f *fakeStream, _ context.CancelFunc) {
			var ops []*lockdv1.Operation
			for n := 1; n <= all; n++ {
				ops = append(ops, operation(uint64(n), &lockdv1.RenewRequest{Name: leaseID(n), LeaseId: id1}))
			}
			sayHello(f, ops...)
			close(f.in)
		})
		if err != nil || answers != all || most != maxAtOnce {
			t.Errorf("%d of %d answered, at most %d at once, %v, want all and %d", answers, all, most, err, maxAtOnce)
		}
	})
}

func TestAWaitersPlaceIsKeptWhenItsClientHasGone(t *testing.T) {
	undone := make(chan lease.Undoing, 1)
	store := heldByAnother(nil)
	store.undo = func(u lease.Undoing) { undone <- u }
	s := serve(t, store)
	k := openSession(t, s)
	k.queues("a", id1)
	k.hangUp()
	if u := <-undone; u.ID != id1 || !u.KeepPlace {
		t.Errorf("the store is asked to undo %+v, want %s away with its place kept", u, id1)
	}
}

func TestNobodyListensForASessionThatHasEnded(t *testing.T) {
	s, _ := serveMemory(t)
	k := openSession(t, s)
	k.acquires("a", id1)
	var x *session
	s.sessions.mu.Lock()
	for x = range s.sessions.open {
	}
	s.sessions.mu.Unlock()
	k.hangUp()
	eventually(t, "the session has gone", func() bool {
		s.sessions.mu.Lock()
		defer s.sessions.mu.Unlock()
		return len(s.sessions.open) == 0
	})
	x.mu.Lock()
	defer x.mu.Unlock()
	if left := len(x.holdings.byName); left > 0 {
		t.Errorf("%d leases are listened for, want none", left)
	}
}
