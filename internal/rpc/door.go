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
	from   map[netip.Addr]*origin // by address, where there is one
	tidied time.Time
	late   late
	turned int // away since it was last said
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
		from, at := d.enter(addr)
		switch {
		case from == nil:
			turnAway(conn)
		case at.IsZero():
			d.late.keep(conn)
		default:
			return &entered{Conn: conn, from: from, at: at, leave: sync.OnceFunc(func() { d.leave(from) })}, nil
		}
	}
}

// Close implements net.Listener.
func (d *door) Close() error {
	d.late.end()
	return d.Listener.Close()
}

func turnAway(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // nothing of it is kept in the kernel either
	}
	_ = conn.Close()
}

// addressOf answers where a connection comes from, of IPv6 the network of 64 bits; the zero value if it says nothing, as sockets of this machine do.
func addressOf(conn net.Conn) netip.Addr {
	at, ok := conn.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	a := at.AddrPort().Addr().Unmap()
	if a.Is6() && a.IsGlobalUnicast() {
		network, _ := a.Prefix(64) // who has one of its addresses has all of them
		a = network.Addr()
	}
	return a
}

// enter counts a connection in and answers where it is from, nil if there are too many, and when its handshake may begin; if it
// would not in time, it is not counted, and the time is zero.
func (d *door) enter(addr netip.Addr) (from *origin, at time.Time) {
	b := d.gate.bounds.Load()
	d.mu.Lock()
	defer d.mu.Unlock()
	full := b.Connections > 0 && d.open >= b.Connections
	from = d.from[addr]
	if full || b.FromOne > 0 && from != nil && from.open >= b.FromOne {
		d.turnedLocked(addr, full)
		return nil, at
	}
	if from == nil {
		from = new(origin)
		if addr.IsValid() {
			d.rememberLocked(addr, from)
		}
	}
	now := time.Now()
	wait, ok := from.queue(now)
	if !ok {
		d.turnedLocked(addr, false)
		return from, at
	}
	d.open++
	from.open++
	return from, now.Add(wait)
}

// rememberLocked notes an address, and now and then forgets those that nothing needs to be known of any more.
func (d *door) rememberLocked(addr netip.Addr, from *origin) {
	if d.from == nil {
		d.from = make(map[netip.Addr]*origin)
	}
	if now := time.Now(); now.Sub(d.tidied) >= time.Second {
		d.tidied = now
		for addr, from := range d.from {
			if from.calm(now) {
				delete(d.from, addr)
			}
		}
	}
	d.from[addr] = from // last: until it is counted it is calm
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

func (d *door) leave(from *origin) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open--
	from.open--
}

// entered is a connection that was counted.
type entered struct {
	net.Conn
	from  *origin
	at    time.Time // when its handshake may begin
	leave func()
}

// Close implements net.Conn.
func (c *entered) Close() error {
	defer c.leave()
	return c.Conn.Close()
}
