package rpc

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"testing"

	"google.golang.org/grpc"

	"github.com/lockd/lockd/internal/lease"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// HTTP/2 by hand, as much of it as it takes to be an unpleasant client.
const (
	frameSettings = 4
	framePing     = 6
	frameGoAway   = 7
	flagAck       = 1

	preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
)

type frame struct {
	kind, flags byte
	body        []byte
}

func readFrame(r io.Reader) (frame, error) {
	var head [9]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return frame{}, err
	}
	f := frame{kind: head[3], flags: head[4], body: make([]byte, int(head[0])<<16|int(head[1])<<8|int(head[2]))}
	_, err := io.ReadFull(r, f.body)
	return f, err
}

// writeFrame writes a frame of the connection as a whole (stream 0).
func writeFrame(w io.Writer, f frame) error {
	head := []byte{0, 0, byte(len(f.body)), f.kind, f.flags, 0, 0, 0, 0}
	_, err := w.Write(append(head, f.body...))
	return err
}

// shake opens HTTP/2 on conn and then pumps what the server sends into the channel it answers,
// acknowledging its pings only if ack is set. The channel is closed when the server closes.
func shake(t *testing.T, conn net.Conn, ack bool) <-chan frame {
	t.Helper()
	frames := make(chan frame, 64)
	go func() {
		defer close(frames)
		for {
			f, err := readFrame(conn)
			if err != nil {
				return
			}
			frames <- f
			if ack && f.kind == framePing && f.flags&flagAck == 0 {
				_ = writeFrame(conn, frame{kind: framePing, flags: flagAck, body: f.body})
			}
		}
	}()
	if _, err := io.WriteString(conn, preface); err != nil {
		t.Fatal(err)
	}
	if err := writeFrame(conn, frame{kind: frameSettings}); err != nil {
		t.Fatal(err)
	}
	return frames
}

// settingsOf reads the values in a SETTINGS frame.
func settingsOf(f frame) map[uint16]uint32 {
	values := map[uint16]uint32{}
	for b := f.body; len(b) >= 6; b = b[6:] {
		values[binary.BigEndian.Uint16(b)] = binary.BigEndian.Uint32(b[2:])
	}
	return values
}

// pipes is a listener within the process, so that time can be the test's own.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}
func (p *pipes) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

// servePipes runs f with a server, whose time is that of the bubble it is called in, and a connection
// to it.
func servePipes(t *testing.T, f func(s *Server, conn net.Conn), opts ...option) {
	t.Helper()
	servePipesOver(t, &fakeStore{}, f, opts...)
}

// servePipesOver does so over a store.
func servePipesOver(t *testing.T, store lease.Store, f func(s *Server, conn net.Conn), opts ...option) {
	t.Helper()
	lessor := lease.NewLessor(store, lease.Limits{}.WithDefaults())
	s := NewServer(Config{Lessor: lessor})
	for _, o := range opts {
		o(&subject{Server: s})
	}
	l := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := s.Serve(l); err != nil {
			t.Errorf("Serve() = %v", err)
		}
	})
	client, server := net.Pipe()
	l.conns <- server
	f(s, client)
	_ = client.Close()
	s.grpc.Stop()
	s.sessions.tails.Wait()
	serving.Wait()
	if err := lessor.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// overPipe is a client at the other end of conn.
func overPipe(t *testing.T, conn net.Conn) *subject {
	t.Helper()
	client := connect(t, "passthrough:///pipe", grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) { return conn, nil }))
	return &subject{conn: client, leases: lockdv1.NewLeaseServiceClient(client), admin: lockdv1.NewAdminServiceClient(client)}
}
