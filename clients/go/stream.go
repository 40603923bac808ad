package lockd

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

const (
	// lockd ends a stream with more than 20 000 unanswered operations. Those who wait may not take all
	// of that: renewals and releases have a share of their own, and so have acquisitions that do not wait.
	maxWaiting = 16_000
	maxTrying  = 900
	maxOthers  = 3_000
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

	// With something new, and nobody told so far: those who are waited for, and those that have a listener.
	// They are read's.
	waited, heeded []*call

	waiting, trying, others chan struct{} // one entry each operation that lockd has not answered

	mu      sync.Mutex
	err     error // why it has ended; nil until then
	lastID  uint64
	calls   map[uint64]*call // not finally answered
	clock   instant          // the clocks as they were read last
	watch   time.Duration    // when watcher looks for overdue calls, as time since born; 0: not at all
	watcher *time.Timer
	idle    []chan struct{} // nobody waits on them
	out     outbox
	leaving bool        // lockd is going away: it takes no acquisitions any more
	retired bool        // another stream has taken over: it ends with its last answer
	closing bool        // it ends when all is sent
	timer   *time.Timer // what comes next, if nothing else does; nil: nothing
}

func newStream(l *link, rpc sessionClient, cancel context.CancelFunc, instance string) *stream {
	s := &stream{
		link: l, rpc: rpc, cancel: cancel, instance: instance, born: time.Now(),
		wake: make(chan struct{}, 1), done: make(chan struct{}), calls: make(map[uint64]*call),
		waiting: make(chan struct{}, maxWaiting), trying: make(chan struct{}, maxTrying), others: make(chan struct{}, maxOthers),
	}
	s.watcher = time.AfterFunc(time.Hour, s.overdue)
	s.watcher.Stop()
	return s
}

// resume asks to be told of the loss of leases that were granted elsewhere.
func (s *stream) resume(held ...holding) {
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

// wakeAll has everybody who waits look.
func (s *stream) wakeAll() {
	s.mu.Lock()
	waited := make([]*call, 0, len(s.calls))
	for _, c := range s.calls {
		if !c.left {
			waited = append(waited, c)
		}
	}
	s.mu.Unlock()
	for _, c := range waited {
		c.signal()
	}
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
			if s.rpc.SendMsg(message) != nil {
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
		runtime.Gosched() // whoever is about to send something as well goes first; a lone caller waits for nobody
	}
}

// next returns what is to be sent now, if anything, and otherwise whether that was all.
func (s *stream) next() (message *parcel, end bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if message = s.out.take(); message != nil {
		return message, false
	}
	s.closing = s.closing || s.retired && len(s.calls) == 0
	return nil, s.closing
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
	err, at := &endedError{status.Convert(why).Message()}, now()
	s.mu.Lock()
	s.err = err
	calls := s.calls
	s.calls = nil
	for _, c := range calls {
		c.final = answer{came: at, err: err}
		s.noteLocked(c)
	}
	s.watcher.Stop()
	if s.timer != nil {
		s.timer.Stop()
	}
	s.mu.Unlock()
	close(s.done)
	s.cancel()
	s.link.ended(s)
	s.passOn()
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
