package lockd

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

const (
	// lockd ends a stream with more than 20 000 unanswered operations. Those who wait may not take all
	// of that: renewals and releases have a share of their own.
	maxAcquiring = 16_000
	maxOthers    = 3_000
	// retireWithin is how long a stream that has been replaced may take to answer what it still owes.
	retireWithin = 5 * time.Second
	// leaveWithin is how long a lockd that is going away is used while there is no other: it waits for
	// its clients.
	leaveWithin = 250 * time.Millisecond
)

type (
	sessionRequest  = lockdv1.SessionRequest
	sessionResponse = lockdv1.SessionResponse
	sessionClient   = grpc.BidiStreamingClient[sessionRequest, sessionResponse]
)

// stream is one Session with one lockd, from its welcome to its end. Two goroutines work for it: one
// sends whatever is waiting to be sent in as few messages as possible, one hands out what is received.
// Neither waits for anybody but the network.
type stream struct {
	link     *link
	rpc      sessionClient
	cancel   context.CancelFunc // ends it at once
	instance string             // the lockd
	born     time.Time
	heard    atomic.Int64  // when something was last received, as time since born
	wake     chan struct{} // there is something to send, or an end to be made; holds one
	done     chan struct{} // closed at its end

	acquiring, others chan struct{} // one entry each operation that lockd has not answered

	mu      sync.Mutex
	err     error // why it has ended; nil until then
	lastID  uint64
	calls   map[uint64]*call // not finally answered
	out     outbox
	leaving bool        // lockd is going away: it takes no acquisitions any more
	retired bool        // another stream has taken over: it ends with its last answer
	closing bool        // it ends when all is sent
	timer   *time.Timer // what comes next, if nothing else does; nil: nothing
}

// call is one operation on a stream.
type call struct {
	stream  *stream
	id      uint64
	slots   chan struct{}
	answers chan answer // has room for a queued and a final one; nobody else's answer comes in it

	// Guarded by stream.mu.
	left bool            // nobody reads answers any more
	then func(f *answer) // if left, called with the final answer instead; must not block. May be nil
}

// answer is what lockd said, or how the stream ended.
type answer struct {
	*lockdv1.Answer
	err error
}

func newStream(l *link, rpc sessionClient, cancel context.CancelFunc, instance string) *stream {
	return &stream{
		link: l, rpc: rpc, cancel: cancel, instance: instance, born: time.Now(),
		wake: make(chan struct{}, 1), done: make(chan struct{}), calls: make(map[uint64]*call),
		acquiring: make(chan struct{}, maxAcquiring), others: make(chan struct{}, maxOthers),
	}
}

// begin queues an operation to be sent. It waits while too many are unanswered.
func (s *stream) begin(ctx context.Context, slots chan struct{}, op *lockdv1.Operation, size int) (*call, error) {
	select {
	case slots <- struct{}{}:
	default:
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return nil, status.Errorf(codes.Unavailable, "%d operations of this client have no answer yet", cap(slots))
		case <-s.done:
		}
	}
	c := &call{stream: s, slots: slots, answers: make(chan answer, 2)}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.err != nil:
		return nil, s.err // the slots end with the stream
	case s.closing:
		return nil, &endedError{"it is being closed"}
	}
	s.lastID++
	c.id, op.Id = s.lastID, s.lastID
	s.calls[c.id] = c
	s.out.operations = append(s.out.operations, op)
	s.out.sizes = append(s.out.sizes, size)
	s.wakeWriter()
	return c, nil
}

// leave lets the call go on with nobody waiting for it: then, unless nil, is called with the final
// answer, or with the end of the stream. It reports false, and does nothing, if that is there already.
func (c *call) leave(then func(*answer)) bool {
	c.stream.mu.Lock()
	defer c.stream.mu.Unlock()
	return c.leaveLocked(then)
}

func (c *call) leaveLocked(then func(*answer)) bool {
	if c.stream.calls[c.id] != c {
		return false
	}
	c.left, c.then = true, then
	return true
}

// giveUp is leave, and tells lockd to take back what comes of it.
func (c *call) giveUp(then func(*answer)) bool {
	s := c.stream
	s.mu.Lock()
	defer s.mu.Unlock()
	if !c.leaveLocked(then) {
		return false
	}
	s.out.cancels = append(s.out.cancels, c.id)
	s.wakeWriter()
	return true
}

// resume asks to be told of the loss of leases that were granted elsewhere.
func (s *stream) resume(held ...*lockdv1.Resumed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out.resumed = append(s.out.resumed, held...)
	s.wakeWriter()
}

// retire ends the stream when it has answered all it owes, or after a while.
func (s *stream) retire() {
	s.mu.Lock()
	if !s.retired && s.err == nil {
		s.retired = true
		s.timeLocked(retireWithin, s.cancel)
	}
	s.mu.Unlock()
	s.wakeWriter()
}

// timeLocked has f called after d unless the stream ends before; one at a time.
func (s *stream) timeLocked(d time.Duration, f func()) {
	if s.timer != nil {
		s.timer.Stop()
	}
	s.timer = time.AfterFunc(d, f)
}

// close ends the stream when all that is queued is sent.
func (s *stream) close() {
	s.mu.Lock()
	s.closing = true
	s.mu.Unlock()
	s.wakeWriter()
}

func (s *stream) wakeWriter() {
	select {
	case s.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// write sends until the stream ends.
func (s *stream) write() {
	for {
		message, end := s.next()
		switch {
		case message != nil:
			if s.rpc.Send(message) != nil {
				return // read learns why
			}
			continue
		case end:
			_ = s.rpc.CloseSend() // it returns nil always
			return
		}
		select {
		case <-s.wake:
		case <-s.done:
			return
		}
	}
}

// next returns what is to be sent now, if anything, and otherwise whether that was all.
func (s *stream) next() (message *sessionRequest, end bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if message = s.out.take(); message != nil {
		return message, false
	}
	s.closing = s.closing || s.retired && len(s.calls) == 0
	return nil, s.closing
}

// read hands out what is received until the stream ends.
func (s *stream) read() {
	for {
		message, err := s.rpc.Recv()
		if err != nil {
			s.end(err)
			return
		}
		s.hear(message)
	}
}

func (s *stream) hear(message *sessionResponse) {
	s.heard.Store(int64(time.Since(s.born)))
	for _, a := range message.GetAnswers() {
		s.answered(a)
	}
	for _, lost := range message.GetLost() {
		s.link.lost(lost)
	}
	if message.GetDraining() {
		s.drains()
	}
}

// answered passes an answer on. Answers to what is not unanswered are none.
func (s *stream) answered(a *lockdv1.Answer) {
	final := a.GetQueued() == nil
	s.mu.Lock()
	c := s.calls[a.GetId()]
	if c == nil || c.left && !final {
		s.mu.Unlock()
		return
	}
	if final {
		delete(s.calls, c.id)
	}
	left, then := c.left, c.then
	last := s.retired && len(s.calls) == 0
	s.mu.Unlock()
	if final {
		<-c.slots
	}
	switch {
	case !left && (final || len(c.answers) == 0): // a second queued one must not take the final one's room
		c.answers <- answer{Answer: a}
	case left && then != nil:
		then(&answer{Answer: a})
	}
	if last {
		s.wakeWriter()
	}
}

// drains notes that lockd is going away.
func (s *stream) drains() {
	s.mu.Lock()
	first := !s.leaving && s.err == nil
	if first {
		s.leaving = true
		s.timeLocked(leaveWithin, s.retire)
	}
	s.mu.Unlock()
	if first {
		s.link.moveOn(s, isDraining)
	}
}

func (s *stream) isLeaving() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.leaving
}

// takes reports whether there is sense in sending it an operation.
func (s *stream) takes(acquisition bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !(s.leaving && acquisition) && !s.retired && !s.closing && s.err == nil
}

// end answers everything that has no answer: nobody knows whether it was done, whatever the stream's
// own end was called.
func (s *stream) end(why error) {
	err := &endedError{status.Convert(why).Message()}
	s.mu.Lock()
	s.err = err
	calls := s.calls
	s.calls = nil
	if s.timer != nil {
		s.timer.Stop()
	}
	s.mu.Unlock()
	close(s.done)
	s.cancel()
	s.link.ended(s)
	for _, c := range calls {
		switch {
		case !c.left: // nobody changes it any more: it is in no map
			c.answers <- answer{err: err}
		case c.then != nil:
			c.then(&answer{err: err})
		}
	}
}

func (s *stream) hasEnded() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err != nil
}

// heardSince reports whether anything was received after t.
func (s *stream) heardSince(t time.Time) bool {
	return time.Duration(s.heard.Load()) > t.Sub(s.born)
}

// errStreamEnded: what was under way may have been done or not.
var errStreamEnded = errors.New("the session ended")

// endedError is an errStreamEnded that says why, whatever code that had.
type endedError struct{ why string }

func (e *endedError) Error() string { return errStreamEnded.Error() + ": " + e.why }

func (e *endedError) Is(target error) bool { return target == errStreamEnded }

// GRPCStatus makes it UNAVAILABLE for those who look at the code.
func (e *endedError) GRPCStatus() *status.Status { return status.New(codes.Unavailable, e.Error()) }
