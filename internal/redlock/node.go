package redlock

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lockd/lockd/internal/redisconn"
)

// nodeCalls is how many script calls may be under way at a node; further ones wait within their deadlines.
const nodeCalls = 16

// node is one of the servers of a group. It has connections of two kinds: those for scripts, which lead to the very run of
// the server that may vote or nowhere, and a few that look at whoever is there. Safe for concurrent use.
type node struct {
	target  redisconn.Target
	address string // as messages name it
	keys    keys

	conns  *redisconn.Connections // of client
	client *redis.Client          // for scripts
	looks  *redis.Client
	clock  *redisconn.Clock
	calls  redisconn.Room
	desync atomic.Int64
	meters redisconn.Meters
	doubts chan struct{} // has room for one: what is known of the node may be wrong, look at once

	standing atomic.Pointer[standing] // never nil

	known known // guarded by group.mu
}

// standing is what a node is to this lockd. It is not changed any more.
type standing struct {
	run    string // of the server that may vote
	marker string // that scripts have to find there
	out    string // why the node may not vote; "": it may
	until  time.Time
	stuck  string // what kept it from being made whole
}

// why says why the node may not vote.
func (s *standing) why() string {
	if s.out != "" && s.stuck != "" {
		return s.out + "; " + s.stuck
	}
	return s.out
}

// errNotHere: who answers at the address is not the run of the server that may vote.
var errNotHere = errors.New("it is not known to remember what it promised")

// newNode dials nobody yet.
func newNode(at redisconn.Target, k keys) *node {
	n := &node{
		target: at, address: at.String(), keys: k, conns: redisconn.NewConnections(at), clock: redisconn.NewClock(),
		calls: make(redisconn.Room, nodeCalls), doubts: make(chan struct{}, 1),
	}
	n.standing.Store(&standing{out: "it has not been looked at yet"})
	voting := at.Options(nodeCalls + 2)
	voting.Dialer, voting.OnConnect = n.conns.Dial, n.onConnect
	n.client = redis.NewClient(voting.Simple())
	n.client.AddHook(n.conns.Hook(func(string) {}))
	looking := at.Options(3)
	looks := redisconn.NewConnections(at)
	looking.Dialer = looks.Dial
	n.looks = redis.NewClient(looking.Simple())
	n.looks.AddHook(looks.Hook(func(string) {}))
	return n
}

// forget is for a node that takes another seat.
func (n *node) forget() { n.known = known{run: n.known.run} }

// trouble says what keeps a node from answering.
func (n *node) trouble(err error) string {
	var refused *redisconn.RefusedError
	if errors.As(err, &refused) {
		return refused.Error()
	}
	return fmt.Sprintf("redis at %s does not answer: %v", n.address, err)
}

func (n *node) close() error { return errors.Join(n.client.Close(), n.looks.Close()) }

// votes reports whether what the node says may be counted. A node that does not answer may vote still: nobody has
// found that it forgot anything.
func (n *node) votes() bool { return n.standing.Load().out == "" }

// marker is the key that is there as long as the node remembers what it promised, and what has to stand in it.
func (n *node) marker() (key, value string) { return n.keys.marker(), n.standing.Load().marker }

// time reckons what the node's TIME, in µs, is at t.
func (n *node) time(t time.Time) int64 { return n.clock.At(t) }

// call runs a script once on the node, if that may vote, and answers its TIME in µs and what it has to say. Keys are strings or
// pointers to strings. The call ends by ctx's deadline, whether or not the node answers. Errors: lease.ErrUnavailable and
// lease.ErrStoreFull, nothing was done; lease.ErrUnknown, nobody knows.
func (n *node) call(ctx context.Context, script *redis.Script, keys, args []any) (at int64, body any, err error) {
	if !n.votes() {
		return 0, nil, redisconn.Failed(&redisconn.DialError{Err: fmt.Errorf("redis at %s may not vote: %s", n.address, n.standing.Load().why())})
	}
	at, body, err = n.run(ctx, n.client, script, keys, args)
	if list, ok := body.([]any); ok && len(list) > 0 && list[0] == "AMNESIA" {
		n.doubt()
	}
	if err != nil {
		return 0, nil, redisconn.Failed(err)
	}
	return at, body, nil
}

// run is call for any client of the node, and its errors are go-redis's or redisconn's.
func (n *node) run(ctx context.Context, c *redis.Client, script *redis.Script, keys, args []any) (at int64, body any, err error) {
	if err := n.calls.Enter(ctx); err != nil {
		return 0, nil, err
	}
	defer n.calls.Leave()
	nonce := redisconn.Nonce()
	command := redisconn.Command(script, keys, nonce, args)
	sent := time.Now()
	raw, err := redisconn.Loaded(ctx, c, script, func() (any, error) { return c.Do(ctx, command...).Result() })
	n.meters.Called(script, sent, err)
	if err != nil {
		if redis.HasErrorPrefix(err, "READONLY") {
			n.doubt()
		}
		return 0, nil, err
	}
	at, body, ok := redisconn.Answered(raw, nonce)
	if !ok {
		n.desync.Add(1)
		n.conns.DropAll()
		return 0, nil, redisconn.ErrDesynchronised
	}
	n.clock.Learn(sent, at)
	return at, body, nil
}

// doubt has the node looked at soon.
func (n *node) doubt() {
	select {
	case n.doubts <- struct{}{}:
	default: // it will be
	}
}

// onConnect looks at a new connection for scripts before the first one: only the very run of the server that may vote gets
// any, as long as it has its marker and is a primary.
func (n *node) onConnect(ctx context.Context, cn *redis.Conn) error {
	var role *redis.Cmd
	var server *redis.StringCmd
	var marker *redis.StringCmd
	_, err := cn.Pipelined(ctx, func(p redis.Pipeliner) error {
		role, server, marker = p.Do(ctx, "ROLE"), p.Info(ctx, "server"), p.Get(ctx, n.keys.marker())
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return redisconn.ConnectProblem(err)
	}
	is, _ := redisconn.RoleOf(role)
	may := n.standing.Load()
	if is != "master" || redisconn.Info(server.Val())["run_id"] != may.run || marker.Val() != may.marker || may.out != "" {
		n.doubt()
		return redisconn.ConnectProblem(errNotHere)
	}
	return nil
}
