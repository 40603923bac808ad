package peer

import (
	"context"

	"github.com/bsm/redislock"
	"github.com/redis/go-redis/v9"
)

type redislockClient struct {
	client *redis.Client
	locks  *redislock.Client
}

func openRedislock(addr string) Client {
	c := redis.NewClient(&redis.Options{Addr: addr})
	return redislockClient{c, redislock.New(c)}
}

func (c redislockClient) Worker(_ context.Context, name string) (Locker, error) {
	return redislockLocker{c.locks, name}, nil
}

func (c redislockClient) Close() { _ = c.client.Close() }

type redislockLocker struct {
	locks *redislock.Client
	name  string
}

// Acquire fails at once if the name is held: without options, redislock does not wait.
func (l redislockLocker) Acquire(ctx context.Context) (Lease, error) {
	lock, err := l.locks.Obtain(ctx, l.name, ttl, nil)
	if err != nil {
		return nil, err
	}
	return lock, nil
}
