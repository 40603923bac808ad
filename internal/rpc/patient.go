package rpc

import (
	"errors"
	"net"
	"sync"
	"time"

	"golang.org/x/net/http2"
)

// patient is a connection as HTTP/2 reads from it. It looks at what frames come, charges those that nobody needs many of, and is
// read more slowly when there are too many of them (see origin).
type patient struct {
	net.Conn
	from *origin
	fuss bucket

	closing sync.Once
	closed  chan struct{}

	// Of who reads.
	frames frames
	slow   time.Time // since when it is read slowly; zero: it is not
}

var errFuss = errors.New("the connection has been read slowly for too long, for what it sends")

// newPatient is for a connection that begins. Who comes back from an address of which there has been too much has no room of its
// own to begin with.
func newPatient(conn net.Conn, from *origin) *patient {
	p := &patient{Conn: conn, from: from, closed: make(chan struct{}), frames: frames{skip: len(http2.ClientPreface)}}
	if now := time.Now(); from.fuss.add(0, originRoom, originDrain, now) > 0 {
		p.fuss.add(connRoom, connRoom, connDrain, now)
	}
	return p
}

// charge notes fuss, and answers how long the connection is to be left alone for all there has been.
func (p *patient) charge(n int) time.Duration {
	now := time.Now()
	own := p.fuss.add(n, connRoom, connDrain, now)
	all := p.from.fuss.add(n, originRoom, originDrain, now)
	if own == 0 {
		return 0
	}
	return min(all, longestRest)
}

// Read implements net.Conn. One goroutine reads.
func (p *patient) Read(b []byte) (int, error) {
	switch rest := p.charge(0); {
	case rest == 0:
		p.slow = time.Time{}
	case p.slow.IsZero():
		p.slow = time.Now()
		fallthrough
	case time.Since(p.slow) < maxSlow:
		b = b[:min(len(b), slowRead)]
		p.rest(rest)
	default:
		return 0, errFuss
	}
	n, err := p.Conn.Read(b)
	if fuss := p.frames.look(b[:n]); fuss > 0 {
		p.charge(fuss)
	}
	return n, err
}

// rest waits, or until p is closed.
func (p *patient) rest(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-p.closed:
	}
}

// Close implements net.Conn.
func (p *patient) Close() error {
	p.closing.Do(func() { close(p.closed) })
	return p.Conn.Close()
}

// frames follows the frames of a connection.
type frames struct {
	head [9]byte // of the next frame: length (3), type, flags, stream (4)
	have int     // bytes of it
	skip int     // bytes until it begins
}

// look answers how much fuss there is in what has been read.
func (f *frames) look(b []byte) (fuss int) {
	for len(b) > 0 {
		if f.skip > 0 {
			n := min(f.skip, len(b))
			f.skip -= n
			b = b[n:]
			continue
		}
		n := copy(f.head[f.have:], b)
		f.have += n
		b = b[n:]
		if f.have < len(f.head) {
			return fuss
		}
		f.have = 0
		f.skip = int(f.head[0])<<16 | int(f.head[1])<<8 | int(f.head[2])
		if f.isFuss() {
			fuss++
		}
	}
	return fuss
}

// isFuss reports whether the frame whose head has been read is one of those that a client has no need to send many of.
func (f *frames) isFuss() bool {
	const least = 5 // bytes of a message's head
	flags := http2.Flags(f.head[4])
	switch http2.FrameType(f.head[3]) {
	case http2.FrameHeaders, http2.FrameWindowUpdate:
		return false // calls are counted when they are refused, and windows grow with what was sent
	case http2.FrameData:
		return f.skip < least && !flags.Has(http2.FlagDataEndStream)
	case http2.FramePing:
		return false // grpc counts those that come without need; one for each message that is read is how many clients measure the line
	case http2.FrameSettings:
		return !flags.Has(http2.FlagSettingsAck)
	default: // RST_STREAM and CONTINUATION above all
		return true
	}
}
