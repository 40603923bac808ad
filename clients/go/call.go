package lockd

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

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

// begin queues an operation to be sent. While too many are unanswered it waits, until ctx ends, and no longer
// than within unless that is 0.
func (s *stream) begin(ctx context.Context, within time.Duration, slots chan struct{}, op *lockdv1.Operation, size int) (*call, error) {
	if err := s.slot(ctx, within, slots); err != nil {
		return nil, err
	}
	c := &call{stream: s, slots: slots, answers: make(chan answer, 2)}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.endedLocked(); err != nil {
		return nil, err // the slots end with the stream
	}
	s.queueLocked(c, op, size)
	s.wakeWriter()
	return c, nil
}

// slot waits for one of slots.
func (s *stream) slot(ctx context.Context, within time.Duration, slots chan struct{}) error {
	select {
	case slots <- struct{}{}:
		return nil
	default:
	}
	if within > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, within)
		defer cancel()
	}
	select {
	case slots <- struct{}{}:
	case <-ctx.Done():
		return status.Errorf(codes.Unavailable, "%d operations of this client have no answer yet", cap(slots))
	case <-s.done: // which is seen to later
	}
	return nil
}

// endedLocked says why the stream takes nothing any more, if so.
func (s *stream) endedLocked() error {
	if s.err == nil && s.closing {
		return &endedError{"it is being closed"}
	}
	return s.err
}

func (s *stream) queueLocked(c *call, op *lockdv1.Operation, size int) {
	s.lastID++
	c.id, op.Id = s.lastID, s.lastID
	s.calls[c.id] = c
	s.out.operations = append(s.out.operations, op)
	s.out.sizes = append(s.out.sizes, size)
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

// errStreamEnded: what was under way may have been done or not.
var errStreamEnded = errors.New("the session ended")

// endedError is an errStreamEnded that says why, whatever code that had.
type endedError struct{ why string }

func (e *endedError) Error() string { return errStreamEnded.Error() + ": " + e.why }

func (e *endedError) Is(target error) bool { return target == errStreamEnded }

// GRPCStatus makes it UNAVAILABLE for those who look at the code.
func (e *endedError) GRPCStatus() *status.Status { return status.New(codes.Unavailable, e.Error()) }
