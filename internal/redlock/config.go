package redlock

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/internal/redisconn"
)

// Config says which nodes and how.
type Config struct {
	// URLs of the nodes: 3, 5 or 7, each redis://, rediss:// or unix:// of one Redis that is nobody's replica.
	URLs []string
	// Secrets, if set, go before the URLs' passwords, and may be replaced while a Store uses them.
	Secrets *redisconn.Secrets
	// NodeTimeout is how long a node has to answer a call; 0: a tenth of the lease's ttl, 50 ms to 250 ms.
	NodeTimeout time.Duration
	// KeyPrefix begins every key; default "lockd".
	KeyPrefix string
	// MaxTTL is the longest ttl that is granted, by any lockd on these nodes: a node that has lost its memory is out
	// for as long. Default 1 h.
	MaxTTL time.Duration
	// Notice is told once per change what an operator should know; it may be nil. It must not block.
	Notice func(msg string)
	// Meter makes what measures a script's calls; nil: nobody does.
	Meter redisconn.NewMeter
}

// How long a node has to answer, at the least and at the most.
const (
	minNodeTimeout = 20 * time.Millisecond
	maxNodeTimeout = callTimeout
	// leastForNode and mostForNode bound the default.
	leastForNode = 50 * time.Millisecond
	mostForNode  = 250 * time.Millisecond
)

// Check reports what is wrong with c, asking nobody. Its errors never carry a password.
func (c Config) Check() error {
	var wrong error
	if strings.ContainsAny(c.KeyPrefix, "{}") {
		wrong = fmt.Errorf("key prefix %q contains a brace; want none, as in a cluster, where they place keys", c.KeyPrefix)
	}
	if c.NodeTimeout != 0 && (c.NodeTimeout < minNodeTimeout || c.NodeTimeout > maxNodeTimeout) {
		wrong = errors.Join(wrong, fmt.Errorf("the node timeout is %s; want %s to %s", c.NodeTimeout, minNodeTimeout, maxNodeTimeout))
	}
	_, err := c.group().targets()
	return errors.Join(wrong, err)
}

// group is what the nodes are told of c.
func (c Config) group() groupConfig {
	if c.Notice == nil {
		c.Notice = func(string) {}
	}
	if c.MaxTTL == 0 {
		c.MaxTTL = lease.Limits{}.WithDefaults().MaxTTL
	}
	return groupConfig{
		URLs: c.URLs, Secrets: c.Secrets, KeyPrefix: c.KeyPrefix, MaxTTL: c.MaxTTL, Notice: c.Notice,
		Scripts: []*redis.Script{batchScript, plantScript}, Meter: c.Meter,
	}
}

// nodeTimeout is how long a node has for a call about a lease of ttl, 0 if that is not known.
func (s *Store) nodeTimeout(ttl time.Duration) time.Duration {
	switch {
	case s.timeout != 0:
		return s.timeout
	case ttl == 0:
		return mostForNode
	}
	return min(max(ttl/10, leastForNode), mostForNode)
}
