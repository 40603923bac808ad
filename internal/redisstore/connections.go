package redisstore

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"

	"github.com/redis/go-redis/v9"
)

// connections makes every connection and knows those that are open, so that all can be dropped when one of them is
// found desynchronised, or to lead to a replica: go-redis does not tell which one a reply came from.
type connections struct {
	target target
	dialer net.Dialer
	mu     sync.Mutex
	open   map[*connection]struct{}
	redis  string // the address of the last connection to a Redis
}

func newConnections(t target) *connections {
	return &connections{target: t, dialer: net.Dialer{Timeout: callTimeout}, open: map[*connection]struct{}{}}
}

// dial is go-redis's Dialer. The network is the target's: go-redis knows of tcp alone.
func (c *connections) dial(ctx context.Context, _, address string) (net.Conn, error) {
	secret := c.target.secrets.now()
	outer, raw, err := c.reach(ctx, address, secret)
	if err != nil {
		return nil, &dialError{err}
	}
	conn := &connection{Conn: outer, raw: raw, of: c, address: address, secret: secret}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open[conn] = struct{}{}
	return conn, nil
}

// follow is told of a new connection to a Redis, not to a sentinel. It reports whether the primary has moved since the
// one before; then all that lead to where it was are dropped: whoever has died answers none of them, and each would
// cost somebody a time-out.
func (c *connections) follow(made *connection) (moved bool) {
	c.mu.Lock()
	made.leads = true
	moved = c.target.master != "" && c.redis != "" && c.redis != made.address
	c.redis = made.address
	c.mu.Unlock()
	if moved {
		c.drop(func(conn *connection) bool { return conn.leads && conn.address != made.address })
	}
	return moved
}

// leadTo answers where Redis is, as last dialled.
func (c *connections) leadTo() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.redis
}

// reach dials, and speaks TLS if that is wanted; raw is what lies below it.
func (c *connections) reach(ctx context.Context, address string, secret *secret) (outer, raw net.Conn, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	raw, err = c.dialer.DialContext(ctx, c.target.network, address)
	if err != nil || !c.target.tls {
		return raw, raw, err
	}
	host, _, _ := net.SplitHostPort(address)
	secured := tls.Client(raw, secret.config(host))
	if err := secured.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		return nil, nil, tlsProblem(address, err)
	}
	return secured, raw, nil
}

// tlsProblem says what would be right where a server is there, and we cannot agree with it.
func tlsProblem(address string, err error) error {
	var untrusted *tls.CertificateVerificationError
	var plain tls.RecordHeaderError
	switch {
	case errors.As(err, &untrusted):
		return &RefusedError{Address: address, Problem: fmt.Sprintf(
			"shows a certificate that is not trusted: %v; want --redis-ca to be the certificate of who signed it, and the URL to have a name that is in it", untrusted.Err)}
	case isAlert(err):
		return &RefusedError{Address: address, Problem: fmt.Sprintf(
			"does not accept us: %v; want --redis-cert and --redis-key of a client whom it trusts", err)}
	case errors.As(err, &plain):
		return &RefusedError{Address: address, Problem: "speaks no TLS there; want its TLS port, or redis:// for plaintext"}
	}
	return fmt.Errorf("TLS handshake: %w (a Redis that speaks no TLS there does not answer one; want its TLS port, or redis:// for plaintext)", err)
}

// tlsHint says what it may mean that a server ends every connection, or "".
func (s *Store) tlsHint(err error) string {
	if s.target.tls || !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.EOF) {
		return ""
	}
	return " (a Redis that speaks TLS there ends what does not; want rediss://, or its port for plaintext)"
}

// isAlert reports whether err is what the other side says, in TLS, of why it does not want us.
func isAlert(err error) bool {
	var told *net.OpError
	return errors.As(err, &told) && told.Op == "remote error"
}

// try answers whether secret would let us in where we were last. Errors: why not.
func (c *connections) try(ctx context.Context, secret *secret) error {
	address := c.leadTo()
	username, password := c.target.username, c.target.password
	if secret.password != "" {
		password = secret.password
	}
	client := redis.NewClient(&redis.Options{
		Addr: address, Username: username, Password: password, Protocol: 2, MaxRetries: -1, DialerRetries: 1,
		DialTimeout: callTimeout, ReadTimeout: callTimeout, WriteTimeout: callTimeout, DisableIdentity: true,
		Dialer: func(ctx context.Context, _, address string) (net.Conn, error) {
			conn, _, err := c.reach(ctx, address, secret)
			return conn, err
		},
	})
	defer client.Close()
	return client.Ping(ctx).Err()
}

// dropAll closes every connection. Calls under way fail with an unknown outcome, which they would
// deserve if theirs was the bad one.
func (c *connections) dropAll() { c.drop(func(*connection) bool { return true }) }

func (c *connections) drop(which func(*connection) bool) {
	var dropped []*connection
	c.mu.Lock()
	for conn := range c.open {
		if which(conn) {
			dropped = append(dropped, conn)
			delete(c.open, conn)
		}
	}
	c.mu.Unlock()
	for _, conn := range dropped {
		_ = conn.Conn.Close() // its user sees the error
	}
}

// connection is a net.Conn that takes itself off the list when closed.
type connection struct {
	net.Conn          // speaks TLS, if that is wanted
	raw      net.Conn // below it
	of       *connections
	address  string  // of the other side
	leads    bool    // to a Redis, not to a sentinel; guarded by connections.mu
	secret   *secret // that it was made with
}

func (c *connection) Close() error {
	c.of.mu.Lock()
	delete(c.of.open, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}

// errReplaced: the secrets that a connection was made with have been replaced since.
var errReplaced = errors.New("the connection was made with a password or certificate that has been replaced")

// SyscallConn lets go-redis see, before it sends a command into an idle connection, that the other side
// closed it, so that the outcome would be unknown; or that it must not be used any more.
func (c *connection) SyscallConn() (syscall.RawConn, error) {
	if c.secret != c.of.target.secrets.now() {
		return nil, errReplaced
	}
	raw, ok := c.raw.(syscall.Conn)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return raw.SyscallConn()
}
