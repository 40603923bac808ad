package redisstore

import (
	"context"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// While a slot of a Cluster moves, some of its keys are at the one node and some at the other, and what needs keys of
// both cannot be done until the move has ended. A renewal needs one key alone, so it goes on: leases last through a
// move however long it takes.

// movingPause is for how long what waits for the end of a move is left alone. Renewals that come meanwhile wait for as
// long.
const movingPause = 10 * time.Millisecond

// isElsewhere reports whether err refers to another node.
func isElsewhere(err error) bool {
	return redis.HasErrorPrefix(err, "MOVED") || redis.HasErrorPrefix(err, "ASK")
}

// isApart reports whether err says that nothing was done, some of the keys being at another node.
func isApart(err error) bool { return redis.HasErrorPrefix(err, "TRYAGAIN") }

// renewApart has the renewals of a call done whose keys are apart, each by itself. The rest goes back to where it was
// first, before all who came later: it is known not to have been done, and out of time it is told so, however long the
// renewals take.
func (b *batch) renewApart(c *sharedCall) {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	rest := b.putBackRest(c)
	for _, op := range c.ops {
		if ctx.Err() != nil {
			b.tellOne(op, settled{err: errNotSent})
		} else {
			b.tellOne(op, b.renewAlone(ctx, op))
		}
	}
	b.landed(c)
	if rest {
		sleep(b.store.background, movingPause)
	}
}

// renewAlone names no key but the lock's: of the others that a call brings a renewal looks at none.
func (b *batch) renewAlone(ctx context.Context, op *operation) settled {
	keys, args := b.command([]*operation{op})
	keys[0], keys[1] = &op.lock, &op.lock
	replies, at, err := b.run(ctx, keys, args, 1)
	if err != nil {
		return settled{err: err}
	}
	return settled{reply: replies[0], at: at}
}

// putBackRest leaves c its renewals, and reports whether there was more. Where nothing is queued any more that is told.
func (b *batch) putBackRest(c *sharedCall) (any bool) {
	var renewals, rest []*operation
	for _, op := range c.ops {
		if op.renews() {
			renewals = append(renewals, op)
		} else {
			rest = append(rest, op)
		}
	}
	b.mu.Lock()
	c.ops = renewals
	stopped := b.stopped
	if !stopped {
		b.queue.putBack(rest...)
	}
	b.mu.Unlock()
	if stopped {
		b.tell(rest, settled{err: errNotSent})
	}
	return len(rest) > 0
}

// loadAt loads script where key is, or where it has been moved to: that node may have no slots yet, and never have
// been looked at.
func (s *Store) loadAt(ctx context.Context, script *redis.Script, key string) error {
	node, err := s.cluster.MasterForKey(ctx, key)
	if err != nil {
		return err
	}
	if err := script.Load(ctx, node).Err(); err != nil {
		return err
	}
	err = node.Get(ctx, key).Err()
	if !redis.HasErrorPrefix(err, "ASK") {
		return nil
	}
	f := strings.Fields(err.Error()) // ASK, slot, address
	if to := s.front.clients.at(f[len(f)-1]); to != nil {
		return script.Load(ctx, to).Err()
	}
	return nil
}
