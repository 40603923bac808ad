package redisstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"

	"github.com/redis/go-redis/v9"
)

// go-redis logs to stderr on its own what it also returns as errors; once is enough, and in one form.
func init() { redis.SetLogger(silence{}) }

type silence struct{}

// Printf implements go-redis's logger.
func (silence) Printf(context.Context, string, ...any) {}

// dialError: there is no connection, so the command was certainly not sent.
type dialError struct{ err error }

func (e *dialError) Error() string { return e.err.Error() }
func (e *dialError) Unwrap() error { return e.err }

// onConnect looks at a new connection before its first command: an endpoint can lead to another
// server than it did, and leases must be kept on a primary whose layout is ours.
func (s *Store) onConnect(ctx context.Context, cn *redis.Conn) error {
	var role *redis.Cmd
	var set *redis.BoolCmd
	var found *redis.StringCmd
	_, err := cn.Pipelined(ctx, func(p redis.Pipeliner) error {
		role = p.Do(ctx, "ROLE")
		set = p.SetNX(ctx, s.keys.layout(), layout, 0)
		found = p.Get(ctx, s.keys.layout())
		return nil
	})
	var answered redis.Error
	if err != nil && !errors.As(err, &answered) {
		return connectProblem(err)
	}
	if err := s.checkRole(role); err != nil {
		return connectProblem(err)
	}
	switch got, err := found.Result(); {
	case errors.Is(err, redis.Nil):
		// A replica's or a full server's refusal to write it: nothing of ours can be there either.
		return connectProblem(fmt.Errorf("the layout could not be recorded: %w", set.Err()))
	case err != nil:
		return connectProblem(err)
	case got != layout:
		return connectProblem(&RefusedError{Address: s.address, Problem: fmt.Sprintf(
			"keeps leases in another layout (%s is %q; this lockd's is %q): one name would have two places; use another key prefix or the lockd that wrote it",
			s.keys.layout(), got, layout)})
	}
	return nil
}

func (s *Store) checkRole(cmd *redis.Cmd) error {
	reply, err := cmd.Slice()
	if err != nil {
		return err
	}
	if len(reply) == 0 || reply[0] != "master" {
		return &RefusedError{Address: s.address, Problem: roleProblem(first(reply))}
	}
	return nil
}

func first(list []any) any {
	if len(list) == 0 {
		return "server of unknown role"
	}
	return list[0]
}

// connectProblem marks err as certain. go-redis strips one layer from an OnConnect error, so there are two.
func connectProblem(err error) error { return fmt.Errorf("connect: %w", &dialError{err}) }

// connections knows every open connection, so that all can be dropped when one of them is found
// desynchronised: go-redis does not tell which one a reply came from.
type connections struct {
	dialer net.Dialer
	mu     sync.Mutex
	open   map[*connection]struct{}
}

func newConnections() *connections {
	return &connections{dialer: net.Dialer{Timeout: callTimeout}, open: map[*connection]struct{}{}}
}

func (c *connections) dial(ctx context.Context, network, address string) (net.Conn, error) {
	inner, err := c.dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, &dialError{err}
	}
	conn := &connection{Conn: inner, of: c}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open[conn] = struct{}{}
	return conn, nil
}

// dropAll closes every connection. Calls under way fail with an unknown outcome, which they would
// deserve if theirs was the bad one.
func (c *connections) dropAll() {
	c.mu.Lock()
	open := c.open
	c.open = map[*connection]struct{}{}
	c.mu.Unlock()
	for conn := range open {
		_ = conn.Conn.Close() // its user sees the error
	}
}

// connection is a net.Conn that takes itself off the list when closed.
type connection struct {
	net.Conn
	of *connections
}

func (c *connection) Close() error {
	c.of.mu.Lock()
	delete(c.of.open, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}

// SyscallConn lets go-redis see that an idle connection was closed by the other side, before it
// sends a command into it whose outcome would then be unknown.
func (c *connection) SyscallConn() (syscall.RawConn, error) {
	raw, ok := c.Conn.(syscall.Conn)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return raw.SyscallConn()
}
