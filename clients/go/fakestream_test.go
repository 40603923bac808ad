package lockd

import (
	"context"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// fakeServers stands where gRPC would, with the test as the lockd at the other end of every stream.
// Unary calls are answered as fakeLockd does.
type fakeServers struct {
	*fakeLockd
	streams chan *fakeStream // opened by the client
	refuse  func() error     // of the next streams; nil: they are opened
}

// newServers returns a fake and a client of it, which is closed when the test ends.
func newServers(t *testing.T, opts ...DialOption) (*fakeServers, *Client) {
	f := &fakeServers{fakeLockd: newLockd(t), streams: make(chan *fakeStream, 100)}
	c := newClient(newConfig(opts), "fake", nil, f)
	t.Cleanup(func() { _ = c.Close() })
	return f, c
}

func (f *fakeServers) Session(ctx context.Context, _ ...grpc.CallOption) (sessionClient, error) {
	f.mu.Lock()
	refuse := f.refuse
	f.mu.Unlock()
	if refuse != nil {
		if err := refuse(); err != nil {
			return nil, err
		}
	}
	s := &fakeStream{t: f.t, ctx: ctx, sent: make(chan *sessionRequest, 1000), received: make(chan *sessionResponse, 1000), over: make(chan struct{})}
	f.streams <- s
	return s, nil
}

// fakeStream is one stream. It fails the test when the client breaks the rules of lockd.proto.
type fakeStream struct {
	grpc.ClientStream // nil: what the client does not call
	t                 *testing.T
	ctx               context.Context
	sent              chan *sessionRequest // by the client; closed with its half
	received          chan *sessionResponse
	over              chan struct{} // closed by end
	err               error
	once              sync.Once
	last              uint64
	pending           []*lockdv1.Operation // received by next and not asked for yet
	cancels           []uint64
	resumed           []*lockdv1.Resumed
	messages          int // with operations or cancellations
	halfClosed        bool
	stall             chan struct{} // Send waits until it is closed; nil: it does not
}

func (s *fakeStream) Context() context.Context { return s.ctx }

func (s *fakeStream) Send(m *sessionRequest) error { return s.SendMsg(m) }

// SendMsg reads what the client has written as lockd does.
func (s *fakeStream) SendMsg(v any) error {
	data, err := codec{}.Marshal(v)
	if err != nil {
		s.t.Errorf("Marshal(%T) = %v", v, err)
	}
	m := new(sessionRequest)
	if err := proto.Unmarshal(data.Materialize(), m); err != nil {
		s.t.Errorf("the client has sent what is no message: %v", err)
	}
	data.Free()
	if size := proto.Size(m); size > 64<<10 {
		s.t.Errorf("a message of %d bytes, want at most 64 KiB", size)
	}
	if s.stall != nil {
		<-s.stall
	}
	select {
	case <-s.over:
		return io.EOF
	case <-s.ctx.Done():
		return io.EOF
	case s.sent <- m:
		return nil
	}
}

func (s *fakeStream) CloseSend() error { close(s.sent); return nil }

// RecvMsg gives the client what lockd would have written.
func (s *fakeStream) RecvMsg(v any) error {
	m, err := s.Recv()
	if err != nil {
		return err
	}
	data, err := proto.Marshal(m)
	if err != nil {
		return err
	}
	return codec{}.Unmarshal(mem.BufferSlice{mem.SliceBuffer(data)}, v)
}

func (s *fakeStream) Recv() (*sessionResponse, error) {
	select {
	case m := <-s.received:
		return m, nil
	default:
	}
	select {
	case m := <-s.received:
		return m, nil
	case <-s.over:
		return nil, s.err
	case <-s.ctx.Done():
		return nil, s.ctx.Err()
	}
}

// end ends the stream with err.
func (s *fakeStream) end(err error) {
	s.once.Do(func() { s.err = err; close(s.over) })
}

func (s *fakeStream) answer(answers ...*lockdv1.Answer) {
	s.received <- &sessionResponse{Answers: answers}
}

// stream returns the next stream that the client opens, welcomed by instance.
func (f *fakeServers) stream(instance string) *fakeStream {
	f.t.Helper()
	s := f.unwelcomed()
	s.received <- &sessionResponse{Welcome: &lockdv1.Welcome{Instance: instance}}
	synctest.Wait()
	return s
}

// unwelcomed is stream before its welcome.
func (f *fakeServers) unwelcomed() *fakeStream {
	f.t.Helper()
	select {
	case s := <-f.streams:
		if m := <-s.sent; m.GetHello() == nil {
			f.t.Error("the first message has no hello")
		}
		return s
	case <-time.After(5 * time.Second):
		f.t.Fatal("no stream was opened within 5 s")
		return nil
	}
}

// take reads what the client has sent so far.
func (s *fakeStream) take() {
	s.t.Helper()
	synctest.Wait()
	for !s.halfClosed {
		select {
		case m, ok := <-s.sent:
			s.halfClosed = !ok
			s.note(m)
		default:
			return
		}
	}
}

func (s *fakeStream) note(m *sessionRequest) {
	for _, op := range m.GetOperations() {
		if op.GetId() <= s.last {
			s.t.Errorf("operation %d after %d, want ids that grow", op.GetId(), s.last)
		}
		s.last = op.GetId()
	}
	for _, id := range m.GetCancels() {
		if id == 0 || id > s.last {
			s.t.Errorf("operation %d is cancelled, and there was none", id)
		}
	}
	if len(m.GetOperations())+len(m.GetCancels()) > 0 {
		s.messages++
	}
	s.pending = append(s.pending, m.GetOperations()...)
	s.cancels = append(s.cancels, m.GetCancels()...)
	s.resumed = append(s.resumed, m.GetResumed()...)
}

// operation returns the next operation, which must be there at once.
func (s *fakeStream) operation() *lockdv1.Operation {
	s.t.Helper()
	s.take()
	if len(s.pending) == 0 {
		s.t.Fatal("no operation was sent")
	}
	op := s.pending[0]
	s.pending = s.pending[1:]
	return op
}

// asks returns the next operation, an acquisition.
func (s *fakeStream) asks() (uint64, *lockdv1.AcquireRequest) {
	s.t.Helper()
	op := s.operation()
	if op.GetAcquire() == nil {
		s.t.Fatalf("%v was sent, want an acquisition", op)
	}
	return op.GetId(), op.GetAcquire()
}

// grant serves the next acquisition.
func (s *fakeStream) grant() {
	s.t.Helper()
	id, r := s.asks()
	s.answer(grantOf(id, r))
	synctest.Wait()
}

func grantOf(id uint64, r *lockdv1.AcquireRequest) *lockdv1.Answer {
	return &lockdv1.Answer{Id: id, Result: &lockdv1.Answer_Acquired{Acquired: granted(r)}}
}

func queuedAt(id uint64, place int64) *lockdv1.Answer {
	return &lockdv1.Answer{Id: id, Result: &lockdv1.Answer_Queued{Queued: heldAt(place)}}
}

func heldAt(place int64) *lockdv1.Held {
	return &lockdv1.Held{Lease: &lockdv1.Lease{Name: "job", Token: 42, Owner: "another"}, Place: place}
}

func errorOf(id uint64, e *lockdv1.Error) *lockdv1.Answer {
	return &lockdv1.Answer{Id: id, Result: &lockdv1.Answer_Error{Error: e}}
}

// result is how a call in the background ended.
type result struct {
	lease *Lease
	err   error
}

// acquiring calls Acquire in the background.
func acquiring(ctx context.Context, c *Client, name string, opts ...AcquireOption) <-chan result {
	done := make(chan result, 1)
	go func() {
		l, err := c.Acquire(ctx, name, opts...)
		done <- result{l, err}
	}()
	return done
}
