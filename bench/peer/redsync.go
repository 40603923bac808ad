package peer

import (
	"context"
	"fmt"

	"github.com/go-redsync/redsync/v4"
	"github.com/go-redsync/redsync/v4/redis/goredis/v9"
	"github.com/redis/go-redis/v9"
)

// redsyncClient is redsync as it comes: it asks again after 50 to 250 ms, at random. Its 32 tries are begun
// anew until the lock is held.
type redsyncClient struct {
	client *redis.Client
	sync   *redsync.Redsync
}

func openRedsync(addr string) Client {
	c := redis.NewClient(&redis.Options{Addr: addr})
	return redsyncClient{c, redsync.New(goredis.NewPool(c))}
}

func (c redsyncClient) Worker(_ context.Context, name string) (Locker, error) {
	return redsyncMutex{c.sync.NewMutex(name, redsync.WithExpiry(ttl))}, nil
}

func (c redsyncClient) Close() { _ = c.client.Close() }

type redsyncMutex struct{ *redsync.Mutex }

func (m redsyncMutex) Acquire(ctx context.Context) (Lease, error) {
	for {
		err := m.LockContext(ctx)
		if err == nil {
			return m, nil
		}
		if ctx.Err() != nil {
			return nil, err
		}
	}
}

func (m redsyncMutex) Release(ctx context.Context) error {
	ok, err := m.UnlockContext(ctx)
	if err == nil && !ok {
		err = fmt.Errorf("%s was another's", m.Name())
	}
	return err
}
