package redisconn

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"syscall"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Connections makes every connection and knows those that are open, so that all can be dropped when one of them is
// found desynchronised, or to lead to a replica: go-redis does not tell which one a reply came from.
type Connections struct {
	target Target
	dialer net.Dialer
	mu     sync.Mutex
	open   map[*connection]struct{}
	redis  string // the address of the last connection to a Redis
}

// NewConnections are none yet.
func NewConnections(t Target) *Connections {
	return &Connections{target: t, dialer: net.Dialer{Timeout: CallTimeout}, open: map[*connection]struct{}{}}
}

// Dial is go-redis's Dialer. The network is the target's: go-redis knows of tcp alone.
func (c *Connections) Dial(ctx context.Context, _, address string) (net.Conn, error) {
	secret := c.target.Secrets.Now()
	outer, raw, err := c.Reach(ctx, address, secret)
	if err != nil {
		return nil, &DialError{err}
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
func (c *Connections) follow(made *connection) (moved bool) {
	c.mu.Lock()
	made.leads = true
	moved = c.target.Master != "" && c.redis != "" && c.redis != made.address
	c.redis = made.address
	c.mu.Unlock()
	if moved {
		c.drop(func(conn *connection) bool { return conn.leads && conn.address != made.address })
	}
	return moved
}

// Hook sees each dialling of a Redis, but not those of sentinels, and tells moved when another one is the primary now. Whatever
// keeps a connection from being made is certain, also that no sentinel knew where to.
func (c *Connections) Hook(moved func(address string)) redis.Hook { return dials{c, moved} }

type dials struct {
	of    *Connections
	moved func(address string)
}

// DialHook implements redis.Hook.
func (d dials) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := next(ctx, network, address)
		if err != nil {
			return stillborn{ConnectProblem(err)}, nil
		}
		if made, ok := conn.(*connection); ok && d.of.follow(made) {
			d.moved(made.address)
		}
		return conn, nil
	}
}

// ProcessHook implements redis.Hook.
func (dials) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

// ProcessPipelineHook implements redis.Hook.
func (dials) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// LeadTo answers where Redis is, as last dialled.
func (c *Connections) LeadTo() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.redis
}

// Reach dials, and speaks TLS if that is wanted; raw is what lies below it.
func (c *Connections) Reach(ctx context.Context, address string, secret *Secret) (outer, raw net.Conn, err error) {
	ctx, cancel := context.WithTimeout(ctx, CallTimeout)
	defer cancel()
	raw, err = c.dialer.DialContext(ctx, c.target.network, address)
	if err != nil || !c.target.TLS {
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

// Try answers whether secret would let us in where we were last. Errors: why not.
func (c *Connections) Try(ctx context.Context, secret *Secret) error {
	client := c.visitor(c.LeadTo(), secret)
	defer client.Close()
	return client.Ping(ctx).Err()
}

// Visitor is a client of one connection to whoever is at address, whatever that is, and of no use for leases. Close it.
func (c *Connections) Visitor(address string) *redis.Client {
	client := c.visitor(address, c.target.Secrets.Now())
	client.AddHook(c.Hook(func(string) {}))
	return client
}

func (c *Connections) visitor(address string, secret *Secret) *redis.Client {
	username, password := c.target.username, c.target.password
	if secret.Password != "" {
		password = secret.Password
	}
	return redis.NewClient(&redis.Options{
		Addr: address, Username: username, Password: password, DB: c.target.DB, Protocol: 2, MaxRetries: -1, DialerRetries: 1,
		ContextTimeoutEnabled: true, DialTimeout: CallTimeout, ReadTimeout: CallTimeout, WriteTimeout: CallTimeout, DisableIdentity: true,
		PoolSize: 1, PipelinePoolSize: -1, MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		Dialer: func(ctx context.Context, _, address string) (net.Conn, error) {
			conn, _, err := c.Reach(ctx, address, secret)
			return conn, err
		},
	})
}

// DropAll closes every connection. Calls under way fail with an unknown outcome, which they would
// deserve if theirs was the bad one.
func (c *Connections) DropAll() { c.drop(func(*connection) bool { return true }) }

func (c *Connections) drop(which func(*connection) bool) {
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
	of       *Connections
	address  string  // of the other side
	leads    bool    // to a Redis, not to a sentinel; guarded by Connections.mu
	secret   *Secret // that it was made with
}

func (c *connection) Close() error {
	c.of.mu.Lock()
	delete(c.of.open, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}

// ErrReplaced: the secrets that a connection was made with have been replaced since.
var ErrReplaced = errors.New("the connection was made with a password or certificate that has been replaced")

// SyscallConn lets go-redis see, before it sends a command into an idle connection, that the other side
// closed it, so that the outcome would be unknown; or that it must not be used any more.
func (c *connection) SyscallConn() (syscall.RawConn, error) {
	if c.secret != c.of.target.Secrets.Now() {
		return nil, ErrReplaced
	}
	raw, ok := c.raw.(syscall.Conn)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return raw.SyscallConn()
}
