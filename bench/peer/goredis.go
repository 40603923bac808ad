package peer

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// goRedis is the least that is called a lock: SET NX PX with a random value, and a script that deletes what
// still has that value. No token, no renewal, no waiting.
type goRedis struct {
	client *redis.Client
	by     redis.Cmdable // the client, or what gathers commands of many callers into pipelines
}

var deleteOwn = redis.NewScript(`if redis.call("GET", KEYS[1]) == ARGV[1] then return redis.call("DEL", KEYS[1]) end return 0`)

func openGoRedis(addr string, pipelined bool) (Client, error) {
	c := redis.NewClient(&redis.Options{Addr: addr})
	if !pipelined {
		return goRedis{c, c}, nil
	}
	by, err := c.AutoPipeline()
	if err != nil {
		return nil, err
	}
	return goRedis{c, by}, nil
}

func (c goRedis) Worker(_ context.Context, name string) (Locker, error) {
	return goRedisLocker{c.by, name}, nil
}

func (c goRedis) Close() { _ = c.client.Close() }

type goRedisLocker struct {
	by   redis.Cmdable
	name string
}

func (l goRedisLocker) Acquire(ctx context.Context) (Lease, error) {
	value := random()
	switch set, err := l.by.SetNX(ctx, l.name, value, ttl).Result(); {
	case err != nil:
		return nil, err
	case !set:
		return nil, fmt.Errorf("%s is held", l.name)
	}
	return goRedisLease{l, value}, nil
}

type goRedisLease struct {
	goRedisLocker
	value string
}

func (l goRedisLease) Release(ctx context.Context) error {
	n, err := deleteOwn.Run(ctx, l.by, []string{l.name}, l.value).Int()
	if err == nil && n != 1 {
		err = fmt.Errorf("%s was another's", l.name)
	}
	return err
}
