package redlock

import (
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lockd/lockd/internal/redisconn"
)

// groupConfig says which nodes and how.
type groupConfig struct {
	URLs      []string           // 3, 5 or 7, each a server of its own
	Secrets   *redisconn.Secrets // may be nil
	KeyPrefix string             // default "lockd"
	MaxTTL    time.Duration      // no lease is granted for longer
	Scripts   []*redis.Script    // that nodes shall know before they are called
	Notice    func(string)       // never nil
	Meter     redisconn.NewMeter // may be nil
}

// targets are where the nodes are, or what is wrong with c, asking nobody.
func (c groupConfig) targets() ([]redisconn.Target, error) {
	if n := len(c.URLs); n != 3 && n != 5 && n != 7 {
		return nil, fmt.Errorf("%d nodes are listed; want 3, 5 or 7: of an even number one more has to live for nothing more, and of fewer or more nothing is gained", n)
	}
	var all []redisconn.Target
	var wrong []error
	listed := make(map[string]bool)
	for i, url := range c.URLs {
		at, err := redisconn.Parse(url, c.Secrets)
		switch {
		case err != nil:
			err = fmt.Errorf("node %d: %w", i+1, err)
		case at.Master != "" || at.Cluster:
			err = fmt.Errorf("node %d is a Sentinel group or a Cluster; want one server that knows nothing of the others", i+1)
		case listed[at.String()]:
			err = fmt.Errorf("node %d is listed twice: %s; want each server once", i+1, at)
		}
		if err == nil {
			listed[at.String()] = true
		}
		all, wrong = append(all, at), append(wrong, err)
	}
	return all, errors.Join(wrong...)
}
