package redisstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/lockd/lockd/internal/redisconn"
)

// connect makes the client; it dials nobody yet.
func (s *Store) connect() {
	options := options(s.target)
	options.Dialer = s.conns.Dial
	if s.target.Cluster {
		of := options.Cluster()
		of.NewClient = s.nodeClient
		of.DisableRoutingPolicies = true // every command of ours has its keys, and COMMAND is one right less
		s.cluster = redis.NewClusterClient(of)
		s.cluster.OnNewNode(func(node *redis.Client) {
			node.AddHook(s.conns.Hook(s.moved))
			s.clients.put(node)
		})
		s.client = s.cluster
		return
	}
	options.OnConnect = s.onConnect
	s.client = redis.NewUniversalClient(options)
	s.client.AddHook(s.conns.Hook(s.moved))
}

// nodeClient is one of a Cluster's node. Its connections are looked at knowing which one it is.
func (s *Store) nodeClient(options *redis.Options) *redis.Client {
	address := options.Addr
	options.OnConnect = func(ctx context.Context, cn *redis.Conn) error { return s.onNode(ctx, cn, address) }
	return redis.NewClient(options)
}

// moved is told that another one is the primary now.
func (s *Store) moved(address string) {
	s.notice(fmt.Sprintf("redis at %s: the primary is at %s now", s.address, address))
	s.loseAll() // it may not have heard of the last who took a place
}

// onConnect looks at a new connection before its first command: an endpoint can lead to another
// server than it did, and leases must be kept on a primary whose layout is ours. go-redis calls it for
// connections to sentinels too.
func (s *Store) onConnect(ctx context.Context, cn *redis.Conn) error {
	var role *redis.Cmd
	var layoutIs, prefixIs recorded
	_, err := cn.Pipelined(ctx, func(p redis.Pipeliner) error {
		role = p.Do(ctx, "ROLE")
		layoutIs = record(ctx, p, s.keys.layout(), layout)
		if !s.shared {
			prefixIs = s.recordPrefix(ctx, p)
		}
		return nil
	})
	var answered redis.Error
	if err != nil && !errors.As(err, &answered) {
		return redisconn.ConnectProblem(err)
	}
	switch is, err := redisconn.RoleOf(role); {
	case s.target.Master != "" && redis.HasErrorPrefix(err, "NOAUTH"):
		return s.enterSentinel(ctx, cn, err)
	case err != nil:
		return redisconn.ConnectProblem(err)
	case is == "sentinel" && s.target.Master != "":
		return nil // it is asked where the primary is, and can do nothing else
	case is != "master":
		return redisconn.ConnectProblem(s.refused("%s", redisconn.RoleProblem(is)))
	}
	if err := s.isOurs(layoutIs, layout); err != nil {
		return redisconn.ConnectProblem(err)
	}
	if s.shared {
		return nil
	}
	if err := s.isOurPrefix(prefixIs); err != nil {
		return redisconn.ConnectProblem(err)
	}
	return nil
}

// pipelines is what leads to one server.
type pipelines interface {
	Pipelined(ctx context.Context, fn func(redis.Pipeliner) error) ([]redis.Cmder, error)
}

// compareLayout compares that of the first of shards whose slot is not moving. c leads to the node of a Cluster that has
// them.
func (s *Store) compareLayout(ctx context.Context, c pipelines, shards []*Store) error {
	for _, shard := range shards {
		var is recorded
		_, err := c.Pipelined(ctx, func(p redis.Pipeliner) error {
			is = record(ctx, p, shard.keys.layout(), clusterLayout)
			return nil
		})
		var answered redis.Error
		if err == nil || errors.As(err, &answered) {
			err = s.isOurs(is, clusterLayout)
		}
		if !errors.Is(err, errMoved) {
			return err
		}
	}
	return nil // it has none of our keys
}

func (s *Store) isOurs(is recorded, want string) error {
	switch got, err := is.value(); {
	case err != nil:
		return err
	case got != want:
		return s.refused(
			"keeps leases in another layout (%s is %q; this lockd's is %q): one name would have two places; use another key prefix or the lockd that wrote it",
			is.key, got, want)
	}
	return nil
}

// recordPrefix is record for the prefix. A store that is not open yet only looks: what is refused, for another reason
// or for a mistyped prefix, must leave nothing behind for which the next one would be.
func (s *Store) recordPrefix(ctx context.Context, p redis.Pipeliner) recorded {
	if !s.claimed.Load() {
		return recorded{key: prefixKey, got: p.Get(ctx, prefixKey)}
	}
	return record(ctx, p, prefixKey, s.keys.prefix)
}

// claimPrefix writes the prefix where none is, and compares it: the last thing that is done before the store is open. In
// a Cluster, where its key is in one slot of many, nothing else compares it.
func (s *Store) claimPrefix(ctx context.Context) error {
	if s.shared {
		return nil
	}
	is := recorded{key: prefixKey, set: s.client.SetNX(ctx, prefixKey, s.keys.prefix, 0), got: s.client.Get(ctx, prefixKey)}
	if err := s.isOurPrefix(is); err != nil {
		return s.connectError(err)
	}
	s.claimed.Store(true)
	return nil
}

func (s *Store) isOurPrefix(is recorded) error {
	switch got, err := is.value(); {
	case errors.Is(err, redis.Nil): // nobody's so far
		return nil
	case err != nil:
		return err
	case got != s.keys.prefix:
		return s.refused(
			"is in use with the key prefix %[1]q (in %[2]s); this lockd's is %[3]q: one name would have two places; want the same --key-prefix, "+
				"another database or Redis, or --redis-shared if these are different services; if no lockd uses %[1]q any more, DEL %[2]s", got, prefixKey, s.keys.prefix)
	}
	return nil
}

// compareAgain compares what every connection compares: a wipe takes it away from under those that stand, and what
// others recorded since then would go unseen. A Cluster's node is asked itself: go-redis may lead to another one still.
func (s *Store) compareAgain(ctx context.Context, at master) error {
	if s.cluster != nil {
		return s.compareLayout(ctx, at.client, at.shards)
	}
	var layoutIs, prefixIs recorded
	_, err := s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		layoutIs = record(ctx, p, s.keys.layout(), layout)
		if !s.shared {
			prefixIs = s.recordPrefix(ctx, p)
		}
		return nil
	})
	var answered redis.Error
	if err != nil && !errors.As(err, &answered) {
		return err
	}
	if err := s.isOurs(layoutIs, layout); err != nil || s.shared {
		return err
	}
	return s.isOurPrefix(prefixIs)
}

// comparePrefix compares that of a Cluster, which is in one slot of many. If its node does not answer, that is no
// concern of the others.
func (s *Store) comparePrefix(ctx context.Context) error {
	if s.shared {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout) // go-redis asks again and again
	defer cancel()
	var is recorded
	_, _ = s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		is = s.recordPrefix(ctx, p)
		return nil
	})
	return s.connectError(s.isOurPrefix(is))
}

// layout is how we lay names out.
func (s *Store) layout() string {
	if s.cluster != nil {
		return clusterLayout
	}
	return layout
}

// refused is a RefusedError about this Redis.
func (s *Store) refused(format string, args ...any) *redisconn.RefusedError {
	return &redisconn.RefusedError{Address: s.address, Problem: fmt.Sprintf(format, args...)}
}

// recorded is a key that the first one to come writes, and all who come later compare. set is nil for who only looks.
type recorded struct {
	key string
	set *redis.BoolCmd
	got *redis.StringCmd
}

func record(ctx context.Context, p redis.Pipeliner, key, value string) recorded {
	return recorded{key: key, set: p.SetNX(ctx, key, value, 0), got: p.Get(ctx, key)}
}

// errMoved: a node of a Cluster says that the key is not there.
var errMoved = errors.New("it " + noCluster)

func (r recorded) value() (string, error) {
	got, err := r.got.Result()
	if isElsewhere(err) {
		return "", errMoved
	}
	if errors.Is(err, redis.Nil) && r.set != nil && r.set.Err() != nil {
		// A full server's refusal to write it: nothing of ours can be there either.
		return "", fmt.Errorf("%s could not be recorded: %w", r.key, r.set.Err())
	}
	return got, err
}
