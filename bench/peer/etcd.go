package peer

import (
	"context"
	"os"
	"time"

	"go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
)

// etcdClient is one client with a session, and so a lease that it keeps alive, for each worker: a Mutex tells
// its holders apart by their sessions.
type etcdClient struct{ client *clientv3.Client }

func openEtcd(addr string) (Client, error) {
	c, err := NewEtcd(addr)
	if err != nil {
		return nil, err
	}
	return etcdClient{c}, nil
}

// NewEtcd connects to the etcd at addr.
func NewEtcd(addr string) (*clientv3.Client, error) {
	// It warns of every call that is cancelled when the bench is over.
	if err := os.Setenv("ETCD_CLIENT_DEBUG", "fatal"); err != nil {
		return nil, err
	}
	return clientv3.New(clientv3.Config{Endpoints: []string{addr}, DialTimeout: 10 * time.Second})
}

func (c etcdClient) Worker(ctx context.Context, name string) (Locker, error) {
	s, err := concurrency.NewSession(c.client, concurrency.WithContext(context.WithoutCancel(ctx)), concurrency.WithTTL(60))
	if err != nil {
		return nil, err
	}
	return etcdMutex{concurrency.NewMutex(s, name)}, nil
}

// Close leaves the sessions to their ttl.
func (c etcdClient) Close() { _ = c.client.Close() }

type etcdMutex struct{ *concurrency.Mutex }

func (m etcdMutex) Acquire(ctx context.Context) (Lease, error) { return m, m.Lock(ctx) }

func (m etcdMutex) Release(ctx context.Context) error { return m.Unlock(ctx) }
