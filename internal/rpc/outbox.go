package rpc

import (
	"runtime"
	"slices"
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
	// maxKept and maxKeptGrants are how much room a parcel may have, in bytes and grants, that an outbox keeps when it
	// has nothing to send; and it keeps two: one is filled while the other is on its way.
	maxKept       = 8 << 10
	maxKeptGrants = 32
	// maxStall is how long a client may take nothing at all, or leave the outbox full.
	maxStall = 10 * time.Second
	// maxBatch is about how many bytes are sent as one message.
	maxBatch = 64 << 10
	// unhurriedFor is how long what nobody is held up by waits for company: on a busy name that saves
	// a message for each grant.
	unhurriedFor = 3 * time.Millisecond
)

// parcel is a message for a client: fields of a SessionResponse as they are on the wire, and what must be known of them.
type parcel struct {
	data   []byte
	items  int
	finals int           // operations whose last answers are in it
	grants []lease.Grant // that it tells of; they go back if it cannot be sent
	fault  error         // why an item could not be written; then nothing of it can be sent
}

// add adds i, or rare in its place.
func (p *parcel) add(i *item, rare *lockdv1.SessionResponse) {
	if rare == nil {
		p.data = i.write(p.data)
	} else if data, err := (proto.MarshalOptions{}).MarshalAppend(p.data, rare); err == nil {
		p.data = data
	} else {
		p.fault = err // a text is not UTF-8
	}
	p.items++
	if i.final {
		p.finals++
	}
	if i.grant != nil {
		p.grants = append(p.grants, *i.grant)
	}
}

// empty makes p as good as new, but for its room.
func (p *parcel) empty() {
	clear(p.grants)
	*p = parcel{data: p.data[:0], grants: p.grants[:0]}
}

func (p *parcel) isLarge() bool { return cap(p.data) > maxKept || cap(p.grants) > maxKeptGrants }

// outbox is what a session has still to send, in order. Putting never blocks.
type outbox struct {
	filled chan struct{} // gets a value when something is to be sent
	roomy  chan struct{} // gets a value when there is room again
	later  *time.Timer   // says so of what is unhurried

	mu      sync.Mutex
	pending []*parcel // the last one is being filled
	items   int       // in all of them
	spare   []*parcel // empty, for their room; at most two
	closed  bool
}

func newOutbox() *outbox {
	o := &outbox{filled: make(chan struct{}, 1), roomy: make(chan struct{}, 1)}
	o.later = time.AfterFunc(unhurriedFor, func() { signal(o.filled) })
	return o
}

// put adds an item; it reports false, and has done nothing, if the outbox is closed. What is rare
// is said in protobuf's words, and i says only what kind of item it is; else rare is nil. Neither is kept, but for a grant.
func (o *outbox) put(i item, rare *lockdv1.SessionResponse) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return false
	}
	first := o.items == 0
	o.filling().add(&i, rare)
	o.items++
	switch {
	case !i.unhurried:
		signal(o.filled)
	case first: // else whatever is before it sees to it
		o.later.Reset(unhurriedFor)
	}
	return true
}

// filling is the parcel that has room for another item. The caller holds mu.
func (o *outbox) filling() *parcel {
	if n := len(o.pending); n > 0 && len(o.pending[n-1].data) < maxBatch {
		return o.pending[n-1]
	}
	var p *parcel
	if n := len(o.spare); n == 0 {
		p = new(parcel)
	} else {
		p = o.spare[n-1]
		o.spare = slices.Delete(o.spare, n-1, n)
	}
	o.pending = append(o.pending, p)
	return p
}

// take answers the next message, nil if nothing is pending: all that is, up to about maxBatch.
func (o *outbox) take() *parcel {
	o.mu.Lock()
	defer o.mu.Unlock()
	var p *parcel
	if len(o.pending) > 0 {
		p = o.pending[0]
		o.pending = slices.Delete(o.pending, 0, 1)
		o.items -= p.items
	}
	if o.items < maxPending {
		signal(o.roomy)
	}
	return p
}

// done gives back a parcel that nobody needs any more, for its room. Large ones go with the last of a burst.
func (o *outbox) done(p *parcel) {
	p.empty()
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.spare) < 2 {
		o.spare = append(o.spare, p)
	}
	if len(o.pending) == 0 {
		o.spare = slices.DeleteFunc(o.spare, (*parcel).isLarge)
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
	return o.items >= maxPending
}

// close takes nothing any more and answers what was not sent.
func (o *outbox) close() []*parcel {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	o.later.Stop()
	left := o.pending
	o.pending, o.items = nil, 0
	return left
}

func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// write sends what the outbox holds, as one message all that came together while the one before was
// on its way to gRPC; so a lone answer is not delayed, and many cost little each. It goes on until the
// session is over or cannot be written to.
func (x *session) write() {
	stalled := time.AfterFunc(maxStall, func() { x.finish(errSlowReader) })
	defer stalled.Stop()
	for {
		stalled.Stop()
		p := x.out.take()
		if p == nil {
			select {
			case <-x.out.filled:
				runtime.Gosched() // whoever is about to answer as well goes first; a lone answer waits for nobody
				continue
			case <-x.over:
				return
			}
		}
		stalled.Reset(maxStall)
		if err := recovered(func() error { return x.stream.SendMsg(p) }); err != nil {
			x.takeBack(p)
			x.finish(err)
			return
		}
		x.sent(p)
		x.out.done(p)
	}
}

// sent counts the operations out whose final answers are in a message that gRPC has taken.
func (x *session) sent(p *parcel) {
	x.mu.Lock()
	x.unanswered -= p.finals
	x.mu.Unlock()
	x.finishIfDone()
}
