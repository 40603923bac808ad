package rpc

import (
	"runtime"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/lockd/lockd/internal/lease"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

const (
	// maxPending is how much a session's outbox holds before nothing more is read from its client.
	// Those in line are answered nevertheless: they were let in, so maxUnanswered bounds them.
	maxPending = 1024
	// maxKept is how many items an array may have room for that an outbox keeps when it has nothing to send.
	maxKept = 64
	// maxStall is how long a client may take nothing at all, or leave the outbox full.
	maxStall = 10 * time.Second
	// maxBatch is about how many bytes are sent as one message.
	maxBatch = 64 << 10
	// unhurriedFor is how long what nobody is held up by waits for company: on a busy name that saves
	// a message for each grant.
	unhurriedFor = 3 * time.Millisecond
)

// item is something to tell a client: one of the first four.
type item struct {
	answer   *lockdv1.Answer
	lost     *lockdv1.Lost
	welcome  *lockdv1.Welcome
	draining bool

	unhurried bool // nobody is held up by it

	final bool         // answer is its operation's last
	grant *lease.Grant // what answer grants: it goes back if it cannot be sent
	size  int          // in bytes, about; 0: put finds out
}

// sizeOf is about what a lease takes in an answer, in bytes: counting exactly would cost as much as encoding it.
func sizeOf(l lease.Lease) int {
	const fixed = 128
	size := fixed + len(l.Name) + len(l.Owner)
	for k, v := range l.Metadata {
		size += len(k) + len(v)
	}
	return size
}

// outbox is what a session has still to send, in order. Putting never blocks.
type outbox struct {
	filled chan struct{} // gets a value when something is to be sent
	roomy  chan struct{} // gets a value when there is room again
	later  *time.Timer   // says so of what is unhurried

	mu      sync.Mutex
	pending []item
	spare   []item // an array that is not in use
	closed  bool
}

func newOutbox() *outbox {
	o := &outbox{filled: make(chan struct{}, 1), roomy: make(chan struct{}, 1)}
	o.later = time.AfterFunc(unhurriedFor, func() { signal(o.filled) })
	return o
}

// put adds an item; it reports false, and has done nothing, if the outbox is closed.
func (o *outbox) put(i item) bool {
	if i.size == 0 {
		i.size = proto.Size(i.answer) + proto.Size(i.lost)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return false
	}
	first := len(o.pending) == 0
	o.pending = append(o.pending, i)
	switch {
	case !i.unhurried:
		signal(o.filled)
	case first: // else whatever is before it sees to it
		o.later.Reset(unhurriedFor)
	}
	return true
}

// take answers what goes into the next message: all that is pending, up to about maxBatch.
func (o *outbox) take() []item {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := 0
	for size := 0; n < len(o.pending) && size < maxBatch; n++ {
		size += o.pending[n].size
	}
	batch := o.pending[:n:n]
	switch {
	case n < len(o.pending):
		o.pending = o.pending[n:]
	case n > 0:
		batch, o.pending, o.spare = o.pending, o.spare, nil
	}
	if len(o.pending) < maxPending {
		signal(o.roomy)
	}
	return batch
}

// done gives back a batch that nobody needs any more, for its array. Large arrays go with the last of a burst.
func (o *outbox) done(batch []item) {
	clear(batch)
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case len(o.pending) == 0 && max(cap(batch), cap(o.pending), cap(o.spare)) > maxKept:
		o.pending, o.spare = nil, nil
	case cap(batch) <= maxPending && cap(batch) > cap(o.spare):
		o.spare = batch[:0]
	}
}

// hasRoom waits until there is room, at most maxStall, and reports whether there is. It does not wait
// once over is closed.
func (o *outbox) hasRoom(over <-chan struct{}) bool {
	if !o.full() {
		return true
	}
	patience := time.NewTimer(maxStall)
	defer patience.Stop()
	for o.full() {
		select {
		case <-o.roomy:
		case <-over:
			return false
		case <-patience.C:
			return false
		}
	}
	return true
}

func (o *outbox) full() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.pending) >= maxPending
}

// close takes nothing any more and answers what was not sent.
func (o *outbox) close() []item {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	o.later.Stop()
	left := o.pending
	o.pending = nil
	return left
}

func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// message puts a batch into one message.
func message(batch []item) *lockdv1.SessionResponse {
	m := &lockdv1.SessionResponse{Answers: make([]*lockdv1.Answer, 0, len(batch))}
	for _, i := range batch {
		switch {
		case i.answer != nil:
			m.Answers = append(m.Answers, i.answer)
		case i.lost != nil:
			m.Lost = append(m.Lost, i.lost)
		case i.welcome != nil:
			m.Welcome = i.welcome
		case i.draining:
			m.Draining = true
		}
	}
	return m
}

// write sends what the outbox holds, as one message all that came together while the one before was
// on its way to gRPC; so a lone answer is not delayed, and many cost little each. It goes on until the
// session is over or cannot be written to.
func (x *session) write() {
	stalled := time.AfterFunc(maxStall, func() { x.finish(errSlowReader) })
	defer stalled.Stop()
	for {
		stalled.Stop()
		batch := x.out.take()
		if len(batch) == 0 {
			select {
			case <-x.out.filled:
				runtime.Gosched() // whoever is about to answer as well goes first; a lone answer waits for nobody
				continue
			case <-x.over:
				return
			}
		}
		stalled.Reset(maxStall)
		if err := recovered(func() error { return x.stream.Send(message(batch)) }); err != nil {
			x.takeBack(batch)
			x.finish(err)
			return
		}
		x.sent(batch)
		x.out.done(batch)
	}
}

// sent counts the operations out whose final answers are in a batch that gRPC has taken.
func (x *session) sent(batch []item) {
	n := 0
	for _, i := range batch {
		if i.final {
			n++
		}
	}
	x.mu.Lock()
	x.unanswered -= n
	x.mu.Unlock()
	x.finishIfDone()
}
