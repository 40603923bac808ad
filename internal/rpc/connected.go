package rpc

import (
	"net"
	"sync/atomic"

	"google.golang.org/grpc/credentials"
)

// speaking is TLS that knows its connections.
type speaking struct {
	credentials.TransportCredentials
}

// ServerHandshake implements credentials.TransportCredentials.
func (s speaking) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := s.TransportCredentials.ServerHandshake(raw)
	tls, ok := info.(credentials.TLSInfo)
	if err != nil || !ok {
		return conn, info, err
	}
	return conn, &connected{TLSInfo: tls, conn: conn}, nil
}

// Clone implements credentials.TransportCredentials.
func (s speaking) Clone() credentials.TransportCredentials {
	return speaking{s.TransportCredentials.Clone()}
}

// connected is a connection over TLS, as the authentication of its calls.
type connected struct {
	credentials.TLSInfo
	conn  net.Conn
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
