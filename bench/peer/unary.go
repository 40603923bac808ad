package peer

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/types/known/durationpb"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// unaryClient is a connection as other languages have it, with the stub that gRPC generates.
type unaryClient struct {
	kind   Kind
	conn   *grpc.ClientConn
	leases lockdv1.LeaseServiceClient
	health healthpb.HealthClient
	redis  *redis.Client
}

func openUnary(kind Kind, target, addr string) (Client, error) {
	conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	return &unaryClient{
		kind, conn, lockdv1.NewLeaseServiceClient(conn), healthpb.NewHealthClient(conn), redis.NewClient(&redis.Options{Addr: addr}),
	}, nil
}

func (c *unaryClient) Worker(_ context.Context, name string) (Locker, error) {
	if c.kind == Unary {
		return &unaryLocker{c, name}, nil
	}
	return &nullLocker{c}, nil
}

func (c *unaryClient) Close() { _ = errors.Join(c.redis.Close(), c.conn.Close()) }

// unaryLocker takes and gives with one call each.
type unaryLocker struct {
	*unaryClient
	name string
}

func (l *unaryLocker) Acquire(ctx context.Context) (Lease, error) {
	id := random()
	_, err := l.leases.Acquire(ctx, &lockdv1.AcquireRequest{Name: l.name, LeaseId: id, Attempt: 1, Owner: "bench", Ttl: durationpb.New(ttl)})
	if err != nil {
		return nil, err
	}
	return unaryLease{l, id}, nil
}

type unaryLease struct {
	*unaryLocker
	id string
}

func (l unaryLease) Release(ctx context.Context) error {
	r, err := l.leases.Release(ctx, &lockdv1.ReleaseRequest{Name: l.name, LeaseId: l.id})
	if err == nil && r.GetOutcome() != lockdv1.ReleaseResponse_HELD {
		err = fmt.Errorf("%s: released what was %s", l.name, r.GetOutcome())
	}
	return err
}

// nullLocker does nothing twice: to acquire and to release are a call of grpc.health.v1 each, which lockd
// answers from memory with the least message there is; for Floor, a PING of Redis as well.
type nullLocker struct{ *unaryClient }

func (l *nullLocker) Acquire(ctx context.Context) (Lease, error) { return l, l.Release(ctx) }

func (l *nullLocker) Release(ctx context.Context) error {
	_, err := l.health.Check(ctx, &healthpb.HealthCheckRequest{})
	if err == nil && l.kind == Floor {
		err = l.redis.Ping(ctx).Err()
	}
	return err
}
