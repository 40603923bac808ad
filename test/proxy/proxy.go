// Package proxy stands between a client and a server of a test and does what networks do: it loses a
// reply, delivers it twice or to another, delays, refuses and cuts.
//
// It understands just enough of Redis's protocol and of HTTP/2 to know where a request ends and which
// reply is its: a lost reply is a request that was forwarded whole, on a connection that was cut
// before the first byte of that very reply went back.
//
// Every fault counts how often it bit, and one that never did fails its test: a run in which nothing
// happened proves nothing.
package proxy

import (
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lockd/lockd/test/freeport"
)

// Proxy forwards connections to one server. It is safe for concurrent use.
type Proxy struct {
	target   string // host:port, or the path of a unix socket
	addr     string
	open     func(client, server net.Conn) *conn // makes a connection that speaks the protocol
	running  sync.WaitGroup
	requests gate         // towards the server
	replies  gate         // towards the client
	slow     atomic.Int64 // by how many ns each reply is

	mu       sync.Mutex
	listener net.Listener // nil while refusing, and after Close
	conns    map[*conn]struct{}
	faults   []*Fault
	accepted int
	closed   bool
}

// Redis starts a proxy before a Redis at target, host:port or the path of a socket. Replies to
// SUBSCRIBE are not understood in RESP2: do not inject faults there.
func Redis(t testing.TB, target string) *Proxy {
	t.Helper()
	return start(t, target, newRedisConn)
}

// GRPC starts a proxy before a gRPC server at target that speaks HTTP/2 in plain text. A request is
// shown to a Match as its path, a newline, and the bytes of its messages so far.
func GRPC(t testing.TB, target string) *Proxy {
	t.Helper()
	return start(t, target, newHTTP2Conn)
}

func start(t testing.TB, target string, open func(client, server net.Conn) *conn) *Proxy {
	t.Helper()
	p := &Proxy{target: target, open: open, conns: make(map[*conn]struct{})}
	if err := p.listen(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Close()
		p.checkFaults(t)
	})
	return p
}

// listen finds a port, another one if somebody was faster.
func (p *Proxy) listen() error {
	var err error
	for range 5 {
		if p.addr, err = freeport.Find(); err != nil {
			return err
		}
		if err = p.Accept(); err == nil {
			return nil
		}
	}
	return err
}

// Addr is where clients connect: host:port on loopback.
func (p *Proxy) Addr() string { return p.addr }

// Accepted is how many connections have been made so far.
func (p *Proxy) Accepted() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.accepted
}

// Refuse lets new connections be refused as if nobody listened. What is connected stays so.
func (p *Proxy) Refuse() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil {
		p.listener.Close()
		p.listener = nil
	}
}

// Accept ends a Refuse.
func (p *Proxy) Accept() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil || p.closed {
		return nil
	}
	l, err := net.Listen("tcp", p.addr)
	if err != nil {
		return err
	}
	p.listener = l
	p.running.Go(func() { p.serve(l) })
	return nil
}

// HoldRequests keeps everything on its way to the server back until Release.
func (p *Proxy) HoldRequests() { p.requests.shut() }

// HoldReplies keeps everything on its way to clients back until Release.
func (p *Proxy) HoldReplies() { p.replies.shut() }

// Release ends HoldRequests and HoldReplies: what was kept back goes on.
func (p *Proxy) Release() {
	p.requests.open()
	p.replies.open()
}

// Slow has every reply go on d later than it came; 0 ends that. Replies on one connection wait for each other.
func (p *Proxy) Slow(d time.Duration) { p.slow.Store(int64(d)) }

// lag waits for as long as replies are slow, with false if the connection ended first.
func (p *Proxy) lag(c *conn) bool {
	d := time.Duration(p.slow.Load())
	if d == 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-c.done:
		return false
	}
}

// Cut ends every connection and says how many there were.
func (p *Proxy) Cut() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.close()
	}
	return len(p.conns)
}

// Close refuses, cuts, and waits for everything it started. More often is harmless.
func (p *Proxy) Close() {
	p.Refuse()
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.Cut()
	p.running.Wait()
}

// serve accepts until the listener is closed.
func (p *Proxy) serve(l net.Listener) {
	for {
		client, err := l.Accept()
		if err != nil {
			return // closed; nothing else ends a loopback listener
		}
		p.running.Go(func() { p.forward(client) })
	}
}

// forward carries one connection until either side ends it or a fault cuts it.
func (p *Proxy) forward(client net.Conn) {
	network := "tcp"
	if strings.HasPrefix(p.target, "/") {
		network = "unix"
	}
	server, err := net.Dial(network, p.target)
	if err != nil {
		client.Close() // what a client sees of a server that is down behind a balancer
		return
	}
	c := p.open(client, server)
	if !p.add(c) {
		c.close()
		return
	}
	defer p.remove(c)
	var up sync.WaitGroup
	up.Go(func() {
		defer c.close()
		p.carryRequests(c)
	})
	p.carryReplies(c)
	c.close()
	up.Wait()
}

func (p *Proxy) carryRequests(c *conn) {
	for {
		m, err := c.request()
		if err != nil {
			return
		}
		f := p.match(c, m)
		if !p.requests.wait(c) || f != nil && !f.beforeRequest(c) {
			return
		}
		if _, err := c.server.Write(m.bytes); err != nil {
			return
		}
		if f != nil {
			f.afterRequest(c)
		}
	}
}

func (p *Proxy) carryReplies(c *conn) {
	for {
		m, err := c.reply()
		if err != nil {
			return
		}
		if !p.lag(c) || !p.replies.wait(c) {
			return
		}
		out, ok := c.shift(m.bytes), true
		if f := c.takeFault(m.id); f != nil {
			out, ok = f.beforeReply(c, out)
		}
		if !ok {
			return
		}
		if _, err := c.client.Write(out); err != nil {
			return
		}
	}
}

func (p *Proxy) add(c *conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.conns[c] = struct{}{}
	p.accepted++
	return true
}

func (p *Proxy) remove(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}
