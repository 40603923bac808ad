package proxy

import (
	"bytes"
	"fmt"
	"sync/atomic"
	"testing"
)

// A Match says whether a request is the one meant. It is called for one request at a time, so it may
// count. For Redis it sees the command as sent: "EVALSHA", the script's sha and the arguments are in
// it as they are. For gRPC see GRPC.
type Match func(request []byte) bool

// Contains matches a request that contains every one of parts.
func Contains(parts ...string) Match {
	return func(request []byte) bool {
		for _, part := range parts {
			if !bytes.Contains(request, []byte(part)) {
				return false
			}
		}
		return true
	}
}

// Nth matches the n-th (from 1) request that m matches, and no other.
func Nth(n int, m Match) Match {
	seen := 0
	return func(request []byte) bool {
		if m(request) {
			seen++
			return seen == n
		}
		return false
	}
}

type kind string

const (
	loseReply      kind = "lose the reply"
	duplicateReply kind = "duplicate the reply"
	swapReplies    kind = "swap two replies"
	delayRequest   kind = "delay the request"
	delayReply     kind = "delay the reply"
)

// Fault is one thing that goes wrong, once or several times.
type Fault struct {
	kind     kind
	match    Match
	left     int // requests it is still for; under Proxy.mu
	hits     atomic.Int64
	bitten   chan struct{} // closed at the first hit
	released chan struct{} // closed by Release: what is delayed goes on
	answered chan struct{} // closed when the reply to a delayed request is there
	swap     chan []byte   // the first of two replies, waiting for the second
	swapped  chan []byte   // the second, on its way to where the first belonged
}

// LoseReply forwards the next times requests that m matches and cuts their connections before the
// first byte of the reply to each. A hit means that the server had begun to answer.
func (p *Proxy) LoseReply(m Match, times int) *Fault { return p.inject(loseReply, m, times) }

// DuplicateReply delivers the reply to the next request that m matches, and delivers it again as the
// reply to the next request on that connection; from then on every reply there is one late. So does
// a connection that lost its step. Only for Redis.
func (p *Proxy) DuplicateReply(m Match) *Fault { return p.inject(duplicateReply, m, 1) }

// SwapReplies delivers the replies to the next two requests that m matches to each other. The two
// come from two connections, or from one that does not wait for replies. Only for Redis.
func (p *Proxy) SwapReplies(m Match) *Fault { return p.inject(swapReplies, m, 2) }

// DelayRequest holds the next request that m matches back, and what follows it on its connection,
// until Release. It then reaches the server whether or not its client is still there; Answered says
// when. A hit means that it is being held.
func (p *Proxy) DelayRequest(m Match) *Fault { return p.inject(delayRequest, m, 1) }

// DelayReply holds the reply to the next request that m matches back, and what follows it on its
// connection, until Release. A hit means that the server has answered.
func (p *Proxy) DelayReply(m Match) *Fault { return p.inject(delayReply, m, 1) }

// Hits is how often the fault bit.
func (f *Fault) Hits() int { return int(f.hits.Load()) }

// Bitten is closed when the fault has bitten for the first time.
func (f *Fault) Bitten() <-chan struct{} { return f.bitten }

// Answered is closed when the server has answered a delayed request.
func (f *Fault) Answered() <-chan struct{} { return f.answered }

// Release lets what a delay holds back go on. Call it once.
func (f *Fault) Release() { close(f.released) }

func (p *Proxy) inject(k kind, m Match, times int) *Fault {
	f := &Fault{
		kind: k, match: m, left: times,
		bitten: make(chan struct{}), released: make(chan struct{}), answered: make(chan struct{}),
		swap: make(chan []byte, 1), swapped: make(chan []byte, 1),
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, f)
	return f
}

// match finds the fault that is for this request, if any, and remembers which reply it is for. The
// oldest fault wins.
func (p *Proxy) match(c *conn, m message) *Fault {
	if m.text == nil || c.expectsFault(m.id) { // a request of several messages has one fault
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range p.faults {
		if f.left > 0 && f.match(m.text) {
			f.left--
			c.expectFault(m.id, f)
			return f
		}
	}
	return nil
}

// checkFaults fails the test for every fault that never bit.
func (p *Proxy) checkFaults(t testing.TB) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, f := range p.faults {
		if f.Hits() == 0 {
			t.Errorf("fault %d of the proxy at %s (%s) never bit: nothing was tested", i+1, p.addr, f.kind)
		}
	}
}

func (f *Fault) bite() {
	if f.hits.Add(1) == 1 {
		close(f.bitten)
	}
}

// beforeRequest is called before the request is forwarded; false: the connection has ended.
func (f *Fault) beforeRequest(c *conn) bool {
	if f.kind != delayRequest {
		return true
	}
	f.bite()
	return f.hold(c)
}

// afterRequest is called when the request has been forwarded. The connection to the server must not be
// closed under a request that its client has given up on meanwhile: it could get lost.
func (f *Fault) afterRequest(c *conn) {
	if f.kind != delayRequest {
		return
	}
	select {
	case <-f.answered:
	case <-c.done:
	}
}

// beforeReply is called before a reply is forwarded and answers what goes out in its place; false:
// the connection has ended or shall end.
func (f *Fault) beforeReply(c *conn, reply []byte) ([]byte, bool) {
	switch f.kind {
	case loseReply:
		f.bite()
		return nil, false
	case delayReply:
		f.bite()
		return reply, f.hold(c)
	case duplicateReply:
		f.bite()
		c.late = append(c.late, reply)
		return reply, true
	case swapReplies:
		return f.exchange(c, reply)
	case delayRequest:
		close(f.answered)
		return reply, true
	}
	panic(fmt.Sprintf("no such fault: %q", f.kind))
}

// hold waits for Release, with false if the connection ended first.
func (f *Fault) hold(c *conn) bool {
	select {
	case <-f.released:
		return true
	case <-c.done:
		return false
	}
}

// exchange gives the first of two replies for the second and the other way round.
func (f *Fault) exchange(c *conn, reply []byte) ([]byte, bool) {
	select {
	case f.swap <- reply: // the first: wait for the second
		select {
		case second := <-f.swapped:
			return second, true
		case <-c.done:
			return nil, false
		}
	default: // the second
		first := <-f.swap
		f.bite() // before either reply is out: whoever got one may look at Hits at once
		f.swapped <- reply
		return first, true
	}
}
