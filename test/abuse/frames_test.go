//go:build linux && !race

package abuse

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"strings"
	"time"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// What abusers do below gRPC: with connections, and with the frames of HTTP/2.

// halves begin handshakes and say no more.
func halves(ctx context.Context, a *abuser) {
	crowd(ctx, 1000, func(i int) {
		conn, err := dialFrom(ctx, a.addr)
		if err != nil {
			rest(ctx, 10*time.Millisecond)
			return
		}
		defer conn.Close()
		defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
		_, _ = conn.Write([]byte{22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3}[:i%12])
		_, _ = conn.Read(make([]byte, 1))
		a.did.Add(1)
	})
}

// handshakes are made whole, and that was it.
func handshakes(ctx context.Context, a *abuser) {
	crowd(ctx, 16, func(int) {
		if conn, err := a.raw(ctx); err == nil {
			_ = conn.Close()
			a.did.Add(1)
		}
	})
}

func (a *abuser) raw(ctx context.Context) (*tls.Conn, error) {
	conn, err := dialFrom(ctx, a.addr)
	if err != nil {
		return nil, err
	}
	over := tls.Client(conn, anybody)
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if err := over.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return over, nil
}

// frames speaks HTTP/2 on connection after connection: write writes again and again until it is cut off.
func (a *abuser) frames(ctx context.Context, n int, write func(conn *tls.Conn, nth int) error) {
	crowd(ctx, n, func(int) {
		conn, err := a.raw(ctx)
		if err != nil {
			rest(ctx, 10*time.Millisecond)
			return
		}
		defer conn.Close()
		defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
		go func() {
			room := make([]byte, 64<<10)
			for {
				if _, err := conn.Read(room); err != nil {
					_ = conn.Close()
					return
				}
			}
		}()
		if _, err = conn.Write([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")); err == nil {
			_, err = conn.Write(frame(4, 0, 0, nil))
		}
		for nth := 0; err == nil && ctx.Err() == nil; nth++ {
			err = write(conn, nth)
			a.did.Add(1)
		}
	})
}

// frame is one of HTTP/2, by its numbers.
func frame(kind, flags byte, stream int, payload []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(payload))<<8|uint32(kind))
	b = append(b, flags)
	b = binary.BigEndian.AppendUint32(b, uint32(stream))
	return append(b, payload...)
}

// pings asks whether lockd is there, and says its own settings, which want an answer.
func pings(ctx context.Context, a *abuser) {
	burst := make([]byte, 0, 64<<10)
	for range 500 {
		burst = append(burst, frame(6, 0, 0, make([]byte, 8))...)
		burst = append(burst, frame(4, 0, 0, nil)...)
	}
	a.frames(ctx, 4, func(conn *tls.Conn, _ int) error { _, err := conn.Write(burst); return err })
}

// begins is the header block of a call, with the abuser's token.
var begins = func() []byte {
	var b []byte
	for _, field := range [][2]string{
		{":method", "POST"}, {":scheme", "https"}, {":path", lockdv1.LeaseService_Acquire_FullMethodName}, {":authority", "lockd"},
		{"content-type", "application/grpc"}, {"te", "trailers"}, {"authorization", "Bearer " + abuserToken},
	} {
		b = append(b, 0, byte(len(field[0])))
		b = append(b, field[0]...)
		b = append(b, byte(len(field[1])))
		b = append(b, field[1]...)
	}
	return b
}()

// resets begins calls and resets them at once.
func resets(ctx context.Context, a *abuser) {
	a.frames(ctx, 4, func(conn *tls.Conn, nth int) error {
		var burst []byte
		for i := range 100 {
			stream := 2*(nth*100+i) + 1
			burst = append(burst, frame(1, 4, stream, begins)...)
			burst = append(burst, frame(3, 0, stream, []byte{0, 0, 0, 8})...)
		}
		_, err := conn.Write(burst)
		return err
	})
}

// headers has headers that do not end.
func headers(ctx context.Context, a *abuser) {
	var more []byte
	for range 64 {
		more = append(more, 0, 1, 'x', 127, 73) // a value of 200 bytes
		more = append(more, strings.Repeat("y", 200)...)
	}
	a.frames(ctx, 4, func(conn *tls.Conn, nth int) error {
		block := frame(9, 0, 1, more) // CONTINUATION
		if nth == 0 {
			block = frame(1, 0, 1, begins)
		}
		_, err := conn.Write(block)
		return err
	})
}
