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
	stream *stream
	id     uint64
	slots  chan struct{}
	name   string // what it is about
	owner  string // whose it is likely to be
	until  stage  // when the client has come so far nobody waits for it any more

	// wake holds one: look at what follows. It may come without a reason, so wakes are sent without waiting,
	// and with no lock held.
	wake chan struct{}

	// Guarded by stream.mu.
	due    time.Duration // when a word is owed, as time since stream.born; 0: never
	late   bool          // none had come by then, which nobody has looked at yet
	queued *lockdv1.Held // it stands in line, which nobody has looked at yet
	final  answer        // to be read when it is not in stream.calls any more
	left   bool          // nobody waits for it
	then   listener      // if left, told the final answer. May be nil
}

// listener is told the final answer to a call that was left, on the stream's goroutine: it must not block.
type listener interface{ told(a *answer) }

// news is what a call waits for.
type news int

const (
	nothing   news = iota
	answered       // finally
	inLine         // it stands in line
	overdue        // there was no word in time
	cancelled      // nobody waits any more
)

// maxIdle bounds the channels that a stream keeps for calls to come.
const maxIdle = 1024

// wakeLocked returns a channel to wait on. It may hold a wake that came late for whoever had it before.
func (s *stream) wakeLocked() chan struct{} {
	last := len(s.idle) - 1
	if last < 0 {
		return make(chan struct{}, 1)
	}
	wake := s.idle[last]
	s.idle = s.idle[:last]
	return wake
}

// begin queues an operation to be sent, for which there is a slot, and says from when what is granted counts.
// A word is owed within that time.
func (s *stream) begin(c *call, op operation, within time.Duration) (sent instant, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.endedLocked(c.until); err != nil {
		return instant{}, err // the slots end with the stream
	}
	c.stream, c.wake = s, s.wakeLocked()
	at := time.Now()
	sent = s.recentLocked(at)
	s.queueLocked(c, op)
	s.oweLocked(c, at, within)
	s.wakeWriter()
	return sent, nil
}

// slot takes one of slots, if there is one now.
func slot(slots chan struct{}) bool {
	select {
	case slots <- struct{}{}:
		return true
	default:
		return false
	}
}

// awaitSlot waits for one of slots until ctx ends.
func (s *stream) awaitSlot(ctx context.Context, slots chan struct{}) error {
	select {
	case slots <- struct{}{}:
	case <-ctx.Done():
		return status.Errorf(codes.Unavailable, "%d operations of this client have no answer yet", cap(slots))
	case <-s.done: // which is seen to later
	}
	return nil
}

// endedLocked says why the stream takes nothing any more, or nothing that would be waited for until then.
func (s *stream) endedLocked(until stage) error {
	if s.err == nil && (s.closing || s.link.stage() >= until) {
		return &endedError{"it is being closed"}
	}
	return s.err
}

func (s *stream) queueLocked(c *call, op operation) {
	s.lastID++
	c.id = s.lastID
	s.calls[c.id] = c
	room := s.out.room()
	*room = op.write(*room, c.id)
}

// next returns what is new of the call, waiting until something is or done is closed.
func (c *call) next(done <-chan struct{}) news {
	for {
		if done == nil { // one channel costs a third of what two cost
			<-c.wake
		} else {
			select {
			case <-c.wake:
			case <-done:
				return cancelled
			}
		}
		if n := c.look(); n != nothing {
			return n
		}
	}
}

func (c *call) look() news {
	s := c.stream
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case c.queued != nil: // also if the answer is there: it came first
		return inLine
	case s.calls[c.id] != c:
		if len(s.idle) < maxIdle {
			s.idle = append(s.idle, c.wake)
		}
		return answered
	case s.link.stage() >= c.until:
		return cancelled
	case c.late:
		c.late = false
		return overdue
	}
	return nothing
}

// stood returns who was in the way when the call was told that it stands in line, and has its answer owed
// within that time.
func (c *call) stood(within time.Duration) *lockdv1.Held {
	s := c.stream
	s.mu.Lock()
	defer s.mu.Unlock()
	held := c.queued
	c.queued, c.late = nil, false
	if s.calls[c.id] == c && s.link.stage() < c.until {
		s.oweLocked(c, time.Now(), within)
	} else {
		c.signal() // one wake was for both
	}
	return held
}

func (c *call) signal() {
	select {
	case c.wake <- struct{}{}:
	default: // it is about to look
	}
}

// leave lets the call go on with nobody waiting for it: then, unless nil, is told the final answer, or the
// end of the stream. It reports false, and does nothing, if that is there already.
func (c *call) leave(then listener) bool {
	c.stream.mu.Lock()
	defer c.stream.mu.Unlock()
	return c.leaveLocked(then)
}

func (c *call) leaveLocked(then listener) bool {
	if c.stream.calls[c.id] != c {
		return false
	}
	c.left, c.then, c.due = true, then, 0
	return true
}

// giveUp is leave, and tells lockd to take back what comes of it.
func (c *call) giveUp(then listener) bool {
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
