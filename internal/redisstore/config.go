package redisstore

import (
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/lockd/lockd/internal/redisconn"
)

const (
	callTimeout = redisconn.CallTimeout
	maxSkew     = redisconn.MaxSkew
)

// maxCalls is how many script calls may be under way, at each node of a Cluster; further ones wait within their deadlines. They
// wait here and not in go-redis's pool, which would not say whether a call that got no connection in
// time was sent. Shared calls do not wait for those: there are connections for them. The pool has some
// more for the checks and List.
const (
	maxCalls = 32
	poolSize = maxCalls + maxBatches + 8
)

// Config says which Redis and how.
type Config struct {
	// URL is redis://[user[:password]@]host[:port][/db] or unix://[user[:password]@]/path/to.sock[?db=N]; rediss://
	// speaks TLS. With ?master=NAME the hosts are those of sentinels, which know where the primary is; several hosts
	// without it, or ?cluster=true, are a Cluster.
	URL string
	// Secrets, if set, go before the URL's password, and may be replaced while a Store uses them.
	Secrets *redisconn.Secrets
	// KeyPrefix begins every key; default "lockd".
	KeyPrefix string
	// Shared: other services use this Redis, with other key prefixes. Otherwise Open refuses a Redis that
	// another prefix is in use on, since that is nearly always one service set up in two ways.
	Shared bool
	// MinReplicas have to have every grant and renewal before it is told; 0: none.
	MinReplicas int
	// Notice is told once per change what an operator should know; it may be nil. It must not block.
	Notice func(msg string)
	// Meter makes what measures a script's calls; nil: nobody does.
	Meter redisconn.NewMeter
}

// Check reports what is wrong with c, asking nobody. Its errors never carry a password.
func (c Config) Check() error {
	_, err := c.target()
	return err
}

// target translates c.
func (c Config) target() (redisconn.Target, error) {
	if strings.ContainsAny(c.KeyPrefix, "{}") {
		return redisconn.Target{}, fmt.Errorf("key prefix %q contains a brace; want none, they place keys in a cluster", c.KeyPrefix)
	}
	if c.MinReplicas < 0 {
		return redisconn.Target{}, fmt.Errorf("%d replicas have to confirm a lease; want none or more", c.MinReplicas)
	}
	t, err := redisconn.Parse(c.URL, c.Secrets)
	if err == nil && t.Cluster && c.MinReplicas > 0 {
		err = errors.New("replicas of a cluster cannot be asked to confirm a lease; want min-replicas 0, or a Sentinel group")
	}
	return t, err
}

// options are go-redis's.
func options(t redisconn.Target) *redis.UniversalOptions {
	size := poolSize
	if t.Cluster {
		size += clusterShards // of each node
	}
	options := t.Options(size)
	options.MaxRedirects = maxRedirects
	return options
}
