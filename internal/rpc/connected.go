package rpc

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
)

// speaking is TLS, or plaintext, that knows its connections.
type speaking struct {
	credentials.TransportCredentials
	ending context.Context // nobody waits for a handshake any more
}

var errNotEntered = errors.New("the connection did not come through the door")

// ServerHandshake implements credentials.TransportCredentials.
func (s speaking) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	in, ok := raw.(*entered)
	if !ok {
		return nil, nil, errNotEntered
	}
	if wait := time.Until(in.at); wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-s.ending.Done():
		}
	}
	conn, info, err := s.TransportCredentials.ServerHandshake(raw)
	if err != nil {
		return conn, info, err
	}
	p := newPatient(conn, in.from)
	if tls, ok := info.(credentials.TLSInfo); ok {
		return p, &connected{TLSInfo: tls, conn: p}, nil
	}
	return p, plain{info, p}, nil
}

// Clone implements credentials.TransportCredentials.
func (s speaking) Clone() credentials.TransportCredentials {
	return speaking{s.TransportCredentials.Clone(), s.ending}
}

// plain is a connection in plaintext, as the authentication of its calls.
type plain struct {
	credentials.AuthInfo
	conn *patient
}

// connected is a connection over TLS, as the authentication of its calls.
type connected struct {
	credentials.TLSInfo
	conn  *patient
	known atomic.Bool // its certificate has said who calls
}

// judged is told whether the certificate says who calls. A connection shows one certificate as long as it stands: when that
// has been good, and is not any more, the connection is cut, for its client to show on another what it has by now, or
// to be told what is wrong with it.
func (c *connected) judged(err error) {
	switch {
	case c == nil:
	case err == nil:
		c.known.Store(true)
	case c.known.Load():
		_ = c.conn.Close() // somebody else may have done so
	}
}

// charge notes that n requests of a call were refused, to the connection that it came over.
func charge(ctx context.Context, n int) {
	from, ok := peer.FromContext(ctx)
	if !ok {
		return
	}
	switch is := from.AuthInfo.(type) {
	case *connected:
		is.conn.charge(n)
	case plain:
		is.conn.charge(n)
	}
}
