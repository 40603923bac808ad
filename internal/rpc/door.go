package rpc

import (
	"net"
	"net/netip"
	"sync"
	"time"

	"go.uber.org/zap"
)

// door is a listener that closes connections at once of which there are too many already. Waiting with them instead
// would let who opens them keep everybody else waiting.
type door struct {
	net.Listener
	gate *gate
	log  *zap.Logger

	mu     sync.Mutex
	open   int
	from   map[netip.Addr]int // by address, where there is one
	turned int                // away since it was last said
	said   time.Time
}

// Accept implements net.Listener.
func (d *door) Accept() (net.Conn, error) {
	for {
		conn, err := d.Listener.Accept()
		if err != nil {
			return nil, err
		}
		addr := addressOf(conn)
		if d.enter(addr) {
			return &entered{Conn: conn, leave: sync.OnceFunc(func() { d.leave(addr) })}, nil
		}
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // nothing of it is kept in the kernel either
		}
		_ = conn.Close()
	}
}

// addressOf answers where a connection comes from; the zero value if it says nothing, as sockets of this machine do.
func addressOf(conn net.Conn) netip.Addr {
	at, ok := conn.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return at.AddrPort().Addr().Unmap()
}

// enter counts a connection in, unless there are too many.
func (d *door) enter(addr netip.Addr) bool {
	b := d.gate.bounds.Load()
	d.mu.Lock()
	defer d.mu.Unlock()
	full := b.Connections > 0 && d.open >= b.Connections
	if full || b.FromOne > 0 && addr.IsValid() && d.from[addr] >= b.FromOne {
		d.turnedLocked(addr, full)
		return false
	}
	d.open++
	if addr.IsValid() {
		if d.from == nil {
			d.from = make(map[netip.Addr]int)
		}
		d.from[addr]++
	}
	return true
}

// turnedLocked says that somebody was turned away, the first time and then every ten seconds at most.
func (d *door) turnedLocked(addr netip.Addr, full bool) {
	d.turned++
	if time.Since(d.said) < 10*time.Second {
		return
	}
	d.log.Warn("connections are closed at once, there are too many", zap.Stringer("last_from", addr), zap.Bool("of_all", full), zap.Int("closed", d.turned))
	d.turned, d.said = 0, time.Now()
}

func (d *door) leave(addr netip.Addr) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open--
	if !addr.IsValid() {
		return
	}
	if d.from[addr]--; d.from[addr] == 0 {
		delete(d.from, addr)
	}
}

// entered is a connection that was counted.
type entered struct {
	net.Conn
	leave func()
}

// Close implements net.Conn.
func (c *entered) Close() error {
	defer c.leave()
	return c.Conn.Close()
}
