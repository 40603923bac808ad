package rpc

import (
	"sync"
	"time"
)

// Work that comes to nothing costs lockd as much as other work: calls that are refused or taken back at once,
// settings, handshakes. (Pings are grpc's to count: see settings.go.) None of it is counted by a limit of what may be had or asked, and at full speed each takes whole
// processors. So it is charged to the connection and to the address it comes from, in units of 25 µs of processor time and
// more; a connection that goes on with it is read more slowly, and then closed.
const (
	// An address may make originRoom units of fuss at once, and originDrain a second from then on: a client that gives up
	// thousands of waits is not held up, and who does nothing else costs a hundredth of a processor.
	originRoom  = 2500
	originDrain = 250
	// A connection that makes less fuss than this is not slowed for what others from its address do.
	connRoom  = 100
	connDrain = 100
	// newConnection is what a connection costs, a TLS handshake above all.
	newConnection = 1
	// longestQueue is how long a connection waits for its handshake at most. If it would be longer, it is closed at once.
	longestQueue = 2 * time.Second
	// slowRead is how many bytes are read at a time from a connection that is slowed, and longestRest how long it is
	// left alone at most before each. One that had to be for maxSlow on end is closed: else what it has sent by
	// then would keep it long after its client has gone.
	slowRead    = 512
	longestRest = time.Second
	maxSlow     = 10 * time.Second
	// remembered is how long it takes at most until something that was done too much of is forgotten.
	remembered = 30 * time.Second
)

// bucket holds units; it has a room, and drains.
type bucket struct {
	mu    sync.Mutex
	level float64
	at    time.Time
}

// add puts n in, and answers how long it takes until there is no more in it than it has room for.
func (b *bucket) add(n int, room, drain float64, now time.Time) (over time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if gone := now.Sub(b.at); gone > 0 {
		b.level = max(0, b.level-drain*gone.Seconds())
		b.at = now
	}
	b.level = min(b.level+float64(n), room+drain*remembered.Seconds())
	return time.Duration(max(0, b.level-room) / drain * float64(time.Second))
}

// origin is an address that connections come from, as long as one is open or it has made fuss of late.
type origin struct {
	open  int // guarded by door.mu
	fuss  bucket
	begun bucket // connections: what those that stand do keeps nobody from coming back
}

// queue charges a connection that is about to begin, and answers how long its handshake has to wait; not ok: it is too long.
func (o *origin) queue(now time.Time) (wait time.Duration, ok bool) {
	if wait = o.begun.add(newConnection, originRoom, originDrain, now); wait <= longestQueue {
		return wait, true
	}
	o.begun.add(-newConnection, originRoom, originDrain, now) // nothing more is done for it
	return 0, false
}

// calm reports whether nothing needs to be remembered of o.
func (o *origin) calm(now time.Time) bool {
	return o.open == 0 && o.fuss.add(0, 0, originDrain, now) == 0 && o.begun.add(0, 0, originDrain, now) == 0
}
