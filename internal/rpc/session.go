package rpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/lockd/lockd/internal/auth"
	"github.com/lockd/lockd/internal/lease"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// What one session may cost.
const (
	// maxUnanswered bounds the operations without a final answer, those in line included.
	maxUnanswered = 20_000
	// maxAtOnce is how many of a session's operations are at the store at once; reading waits meanwhile.
	maxAtOnce = 256
	// maxClient bounds a client's name for itself, in bytes.
	maxClient = 256
)

type sessionStream = grpc.BidiStreamingServer[lockdv1.SessionRequest, lockdv1.SessionResponse]

// session is one client's stream. Three goroutines serve it: one reads messages and asks the store for what
// each wants, all of it together; one writes what the outbox holds; and the handler waits for a reason to
// end. Operations cost none: the store settles them, at most maxAtOnce at a time.
//
// The end: nothing is begun any more; who waits is cancelled and keeps its place; grants that have not
// been given to gRPC go back to the Lessor, and so does every later one; nobody listens for losses any
// more; then the handler waits for the operations under way, but for cancelled acquisitions, for which
// Lessor.Close waits. A read or a write that is under way ends when the handler has returned, since that is
// what ends a stream; sessions.tails waits for them.
type session struct {
	service *leaseService
	stream  sessionStream
	ctx     context.Context // of its operations; does not end: what they answer is what became of them
	caller  *auth.Caller    // whose operations they are; nil if nobody is asked
	out     *outbox
	why     chan error    // the first reason to end; has room for one
	over    chan struct{} // closed at the end
	slots   chan struct{} // holds one for each operation that is at the store

	// The reader's own.
	last  uint64        // the largest id so far
	by    *visitor      // who asks
	rest  time.Duration // before the next message is read: too much was asked
	began time.Time     // when the message was there that is being taken
	calls *lease.Calls  // what it asks the store for; nil: nothing yet

	running sync.WaitGroup // operations until they are answered, and what undoes them

	mu         sync.Mutex
	greeted    bool // written by the reader alone
	ended      bool // guards running as well: nothing is counted in any more
	draining   bool
	halfClosed bool // by the client
	unanswered int  // operations whose final answer has not been given to gRPC
	asking     map[uint64]*acquiring
	holdings   holdings
}

// Session implements lockdv1.LeaseServiceServer.
func (s *leaseService) Session(stream sessionStream) error {
	x := &session{
		service: s, stream: stream, ctx: context.WithoutCancel(stream.Context()), caller: callerOf(stream.Context()), out: newOutbox(),
		why: make(chan error, 1), over: make(chan struct{}), slots: make(chan struct{}, maxAtOnce),
		asking: make(map[uint64]*acquiring), holdings: newHoldings(func(h *holding) { s.lessor.StopListening(&h.ear) }),
	}
	x.by = s.gate.visitor(principalOf(x.ctx))
	s.sessions.enter(x)
	defer s.sessions.leave(x)
	s.sessions.tails.Go(x.read)
	s.sessions.tails.Go(x.write)

	var err error
	select {
	case err = <-x.why:
	case <-stream.Context().Done(): // the client has gone, or streams must end
		err = stream.Context().Err()
	}
	x.end()
	return err
}

// finish ends the session for a reason, nil if all is said and done. The first one counts.
func (x *session) finish(why error) {
	select {
	case x.why <- why:
	default:
	}
}

// end ends everything but a read and a write under way.
func (x *session) end() {
	x.mu.Lock()
	x.ended = true
	close(x.over)
	waiting := x.asking
	x.asking = nil
	x.holdings.clear()
	x.mu.Unlock()

	x.takeBack(x.out.close()...)
	for _, a := range waiting {
		if a.asking.Cancel(true) {
			x.running.Done()
		}
	}
	x.running.Wait()
}

// read takes messages until the client has closed its half or breaks a rule, or the stream has ended.
func (x *session) read() {
	err := errSlowReader
	for x.out.hasRoom(x.over) {
		req := new(lockdv1.SessionRequest) // a new one each time: operations go on with parts of it
		if err = recovered(func() error { return x.stream.RecvMsg(req) }); err != nil {
			break
		}
		err = x.take(req)
		x.flush() // also what came before what broke a rule
		if err != nil {
			break
		}
		x.pause()
		err = errSlowReader
	}
	if errors.Is(err, io.EOF) {
		x.closeHalf()
		return
	}
	x.finish(err)
}

// pause leaves the next message unread for a moment if too much was asked.
func (x *session) pause() {
	if x.rest == 0 {
		return
	}
	timer := time.NewTimer(min(x.rest, holdUp))
	defer timer.Stop()
	x.rest = 0
	select {
	case <-timer.C:
	case <-x.over:
	}
}

// allow counts n requests, and answers an error if there were too many of late.
func (x *session) allow(n int, vital bool) error {
	err := x.service.gate.ask(x.by, x.caller.Limits(x.began), n, vital, x.began)
	var over *lease.LimitError
	if errors.As(err, &over) {
		if x.rest == 0 {
			charge(x.ctx, 1) // once for a message: it rests for what is in it
		}
		x.rest = max(x.rest, over.RetryIn)
	}
	return err
}

// take begins what a message asks for, in its order.
func (x *session) take(req *lockdv1.SessionRequest) error {
	x.began = time.Now()
	if n := len(req.GetCancels()) + len(req.GetResumed()); n > 0 || len(req.GetOperations()) == 0 {
		_ = x.allow(max(1, n), true) // nobody could be told of a refusal: it is done, and then there is a rest
	}
	if err := x.greet(req.GetHello()); err != nil {
		return err
	}
	for _, r := range req.GetResumed() {
		if err := x.resume(r); err != nil {
			return err
		}
	}
	for _, op := range req.GetOperations() {
		if err := x.begin(op); err != nil {
			return err
		}
	}
	x.flush() // what is cancelled has been asked for
	for _, id := range req.GetCancels() {
		if err := x.cancel(id); err != nil {
			return err
		}
	}
	return nil
}

// flush asks the store for what was begun.
func (x *session) flush() {
	if x.calls != nil {
		x.calls.Start()
		x.calls = nil
	}
}

// asked are the calls that are asked for together, with room for one more: it waits while too many are under
// way, and answers nil if the session has ended meanwhile.
func (x *session) asked() *lease.Calls {
	select {
	case x.slots <- struct{}{}:
	default:
		x.flush() // it is those that we wait for, perhaps
		select {
		case x.slots <- struct{}{}:
		case <-x.over:
			return nil
		}
	}
	if x.calls == nil {
		x.calls = x.service.lessor.Calls()
	}
	return x.calls
}

// settled makes room for another operation at the store.
func (x *session) settled() { <-x.slots }

// greet answers the hello, which is in the first message and in no other.
func (x *session) greet(hello *lockdv1.Hello) error {
	switch {
	case hello == nil && x.greeted:
		return nil
	case hello == nil:
		return fmt.Errorf("%w: the first message has no hello", errProtocol)
	case x.greeted:
		return fmt.Errorf("%w: there is a second hello", errProtocol)
	}
	if err := checkClient(hello.GetClient()); err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.greeted = true
	x.out.put(item{}, &lockdv1.SessionResponse{
		Welcome: &lockdv1.Welcome{Instance: x.service.process.instance, Version: x.service.process.version}, Draining: x.draining,
	})
	return nil
}

// begin begins an operation.
func (x *session) begin(op *lockdv1.Operation) error {
	id := op.GetId()
	if id <= x.last {
		return fmt.Errorf("%w: operation %d comes after operation %d; want ids that grow", errProtocol, id, x.last)
	}
	x.last = id
	if err := x.admit(); err != nil {
		return err
	}
	_, acquires := op.GetRequest().(*lockdv1.Operation_Acquire)
	if err := x.allow(1, !acquires); err != nil {
		x.refuse(id, err)
		x.running.Done()
		method, request := asUnary(op)
		x.note(method, request, x.began, err)
		return nil
	}
	calls := x.asked()
	if calls == nil {
		x.running.Done()
		return errCancelled
	}
	// What it says is its client's, and should it hit a fault of ours, the fault is that operation's alone.
	if err := recovered(func() error { return x.ask(calls, id, op) }); err != nil {
		x.refuse(id, err)
		x.settled()
		x.running.Done()
	}
	return nil
}

// ask adds an operation to calls. After an error it has not been.
func (x *session) ask(calls *lease.Calls, id uint64, op *lockdv1.Operation) error {
	switch r := op.GetRequest().(type) {
	case *lockdv1.Operation_Acquire:
		return x.acquire(calls, id, r.Acquire)
	case *lockdv1.Operation_Renew:
		return x.renew(calls, id, r.Renew)
	case *lockdv1.Operation_Release:
		return x.release(calls, id, r.Release)
	default:
		return invalid("request", "is none that this server knows; want acquire, renew or release")
	}
}

// admit counts an operation in.
func (x *session) admit() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case x.ended:
		return errCancelled
	case x.unanswered >= maxUnanswered:
		return fmt.Errorf("%d operations of this session are unanswered: %w", x.unanswered, lease.ErrOverloaded)
	}
	x.unanswered++
	x.running.Add(1)
	return nil
}

// closeHalf notes that nothing more will be asked.
func (x *session) closeHalf() {
	x.mu.Lock()
	x.halfClosed = true
	x.mu.Unlock()
	x.finishIfDone()
}

// finishIfDone ends a session whose client has closed its half, once everything has been answered.
func (x *session) finishIfDone() {
	x.mu.Lock()
	done, draining := x.halfClosed && x.unanswered == 0, x.draining
	x.mu.Unlock()
	switch {
	case done && draining:
		x.finish(lease.ErrDraining)
	case done:
		x.finish(nil)
	}
}

// drain tells the client that the server is going away: after the welcome, which comes first.
func (x *session) drain() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.draining = true
	if x.greeted {
		x.out.put(item{}, &lockdv1.SessionResponse{Draining: true})
	}
}

// note measures an operation and writes its line.
func (x *session) note(method string, request any, began time.Time, err error) {
	took := time.Since(began)
	if err == nil {
		x.service.access.meters.ended(method, codes.OK, took)
		if !x.service.access.readsAll() {
			return
		}
	}
	x.noteCall(call{method: method, request: request, took: took, err: err})
}

func (x *session) noteCall(c call) {
	c.session = true
	if c.err != nil {
		c.code = refusalOf(x.ctx, c.err).code
		x.service.access.meters.ended(c.method, c.code, c.took)
	}
	x.service.access.end(x.ctx, c)
}

// recovered runs f and answers a panic as an error: nothing above a goroutine of ours would stop it.
func recovered(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicked(p)
		}
	}()
	return f()
}

// checkClient checks what a client calls itself.
func checkClient(name string) error {
	if len(name) > maxClient {
		return invalid("client", "has %d bytes; want at most %d", len(name), maxClient)
	}
	if i := strings.IndexFunc(name, unicode.IsControl); i >= 0 {
		return invalid("client", "has a control character at byte %d; want none", i)
	}
	return nil
}
