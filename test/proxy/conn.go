package proxy

import (
	"errors"
	"io"
	"net"
	"sync"
)

// A message is a unit of the protocol: forwarded whole, or not at all.
type message struct {
	bytes []byte
	id    uint32 // pairs a reply with its request; 0: belongs to no request
	text  []byte // what a Match sees; nil: no request a fault could be for
}

// conn is one client's connection and the one to the server that it is carried by.
type conn struct {
	client, server net.Conn
	request, reply func() (message, error) // read the next message of each direction
	done           chan struct{}           // closed with the connection
	once           sync.Once

	mu     sync.Mutex
	faults map[uint32]*Fault // waiting for the reply with this id

	late [][]byte // replies that a duplicate has pushed back by one; the reply goroutine's own
}

func newConn(client, server net.Conn) *conn {
	return &conn{client: client, server: server, done: make(chan struct{}), faults: make(map[uint32]*Fault)}
}

// close cuts both sides; a peer with unread bytes sees a reset.
func (c *conn) close() {
	c.once.Do(func() {
		close(c.done)
		_ = errors.Join(c.client.Close(), c.server.Close())
	})
}

// shift gives a reply's place to the one that a duplicate pushed back, if there is one.
func (c *conn) shift(reply []byte) []byte {
	if len(c.late) == 0 {
		return reply
	}
	c.late = append(c.late, reply)
	first := c.late[0]
	c.late = c.late[1:]
	return first
}

func (c *conn) expectFault(id uint32, f *Fault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults[id] = f
}

func (c *conn) expectsFault(id uint32) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.faults[id] != nil
}

func (c *conn) takeFault(id uint32) *Fault {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.faults[id]
	delete(c.faults, id)
	return f
}

// gate holds messages back while it is shut. The zero gate is open.
type gate struct {
	mu   sync.Mutex
	held chan struct{} // closed by open; nil while open
}

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.held == nil {
		g.held = make(chan struct{})
	}
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.held != nil {
		close(g.held)
		g.held = nil
	}
}

// wait returns when the gate is open, with false if the connection ended first.
func (g *gate) wait(c *conn) bool {
	g.mu.Lock()
	held := g.held
	g.mu.Unlock()
	if held == nil {
		return true
	}
	select {
	case <-held:
		return true
	case <-c.done:
		return false
	}
}

var errProtocol = errors.New("the proxy does not understand this protocol")

// readFull appends exactly n bytes of r to buf.
func readFull(r io.Reader, buf []byte, n int) ([]byte, error) {
	start := len(buf)
	buf = append(buf, make([]byte, n)...)
	_, err := io.ReadFull(r, buf[start:])
	return buf, err
}
