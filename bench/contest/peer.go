package contest

import (
	"context"
	"fmt"
	"time"

	"github.com/go-redsync/redsync/v4"
	"github.com/go-redsync/redsync/v4/redis/goredis/v9"
	"github.com/redis/go-redis/v9"
	"github.com/redis/rueidis"
	"github.com/redis/rueidis/rueidislock"

	lockd "github.com/lockd/lockd/clients/go"
)

// name is what everybody wants.
const name = "bench/contention"

// ttl is what every lock is taken for: long enough that none expires.
const ttl = 8 * time.Second

// peer is a lock as one client process has it.
type peer interface {
	// acquire waits until the lock is held. token is 0 if there is no such thing.
	acquire(ctx context.Context) (token int64, release func() error, err error)
	close()
}

// open returns the peer of a kind at target.
func open(kind Kind, target string) (peer, error) {
	switch kind {
	case Lockd:
		return openLockd(target)
	case Redsync:
		return openRedsync(target), nil
	case Rueidislock:
		return openRueidislock(target)
	}
	return nil, fmt.Errorf("no such kind: %q", kind)
}

type lockdPeer struct{ client *lockd.Client }

func openLockd(target string) (peer, error) {
	c, err := lockd.Dial(target)
	if err != nil {
		return nil, err
	}
	return lockdPeer{c}, nil
}

func (p lockdPeer) acquire(ctx context.Context) (int64, func() error, error) {
	l, err := p.client.Acquire(ctx, name, lockd.WithTTL(ttl))
	if err != nil {
		return 0, nil, err
	}
	return l.Token(), func() error { return l.Release(context.Background()) }, nil
}

func (p lockdPeer) close() { _ = p.client.Close() } // nothing is held any more

// redsyncPeer is redsync as it comes: it asks again after 50 to 250 ms, at random. Its 32 tries are begun
// anew until the lock is held.
type redsyncPeer struct {
	client *redis.Client
	sync   *redsync.Redsync
}

func openRedsync(target string) peer {
	c := redis.NewClient(&redis.Options{Addr: target})
	return redsyncPeer{c, redsync.New(goredis.NewPool(c))}
}

func (p redsyncPeer) acquire(ctx context.Context) (int64, func() error, error) {
	for {
		m := p.sync.NewMutex(name, redsync.WithExpiry(ttl))
		err := m.LockContext(ctx)
		if err == nil {
			return 0, func() error { _, err := m.Unlock(); return err }, nil
		}
		if ctx.Err() != nil {
			return 0, nil, err
		}
	}
}

func (p redsyncPeer) close() { _ = p.client.Close() }

// rueidislockPeer is rueidislock for one Redis server, with the option that its documentation recommends
// for Redis 7.0.5 and later.
type rueidislockPeer struct{ locker rueidislock.Locker }

func openRueidislock(target string) (peer, error) {
	l, err := rueidislock.NewLocker(rueidislock.LockerOption{
		ClientOption:   rueidis.ClientOption{InitAddress: []string{target}},
		KeyMajority:    1,
		NoLoopTracking: true,
		KeyValidity:    ttl,
	})
	if err != nil {
		return nil, err
	}
	return rueidislockPeer{l}, nil
}

func (p rueidislockPeer) acquire(ctx context.Context) (int64, func() error, error) {
	_, release, err := p.locker.WithContext(ctx, name)
	if err != nil {
		return 0, nil, err
	}
	return 0, func() error { release(); return nil }, nil
}

func (p rueidislockPeer) close() { p.locker.Close() }
