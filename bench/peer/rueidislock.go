package peer

import (
	"context"
	"time"

	"github.com/redis/rueidis"
	"github.com/redis/rueidis/rueidislock"
)

// rueidislockClient is rueidislock for one Redis server, with the option that its documentation recommends
// for Redis 7.0.5 and later. TryNextAfter is 20 ms by default, which a thousand workers exceed; a worker whose
// try has timed out waits for a change of the key that with one Redis and no other client never comes.
type rueidislockClient struct{ locker rueidislock.Locker }

func openRueidislock(addr string) (Client, error) {
	l, err := rueidislock.NewLocker(rueidislock.LockerOption{
		ClientOption:   rueidis.ClientOption{InitAddress: []string{addr}},
		KeyMajority:    1,
		NoLoopTracking: true,
		KeyValidity:    ttl,
		TryNextAfter:   time.Second,
	})
	if err != nil {
		return nil, err
	}
	return rueidislockClient{l}, nil
}

func (c rueidislockClient) Worker(_ context.Context, name string) (Locker, error) {
	return rueidislockLocker{c.locker, name}, nil
}

func (c rueidislockClient) Close() { c.locker.Close() }

type rueidislockLocker struct {
	locker rueidislock.Locker
	name   string
}

func (l rueidislockLocker) Acquire(ctx context.Context) (Lease, error) {
	_, release, err := l.locker.WithContext(ctx, l.name)
	if err != nil {
		return nil, err
	}
	return rueidislockLease(release), nil
}

// rueidislockLease deletes the key in the background if it can; a worker that wants the name again waits for that.
type rueidislockLease context.CancelFunc

func (l rueidislockLease) Release(context.Context) error { l(); return nil }
