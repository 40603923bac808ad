package peer

import (
	"context"

	"github.com/lockd/lockd/bench/floor"
)

type bareClient struct{ *floor.Client }

func openBare(target string) (Client, error) {
	c, err := floor.Open(target)
	if err != nil {
		return nil, err
	}
	return bareClient{c}, nil
}

func (c bareClient) Worker(_ context.Context, name string) (Locker, error) {
	return bareLocker{c.Asker(name)}, nil
}

type bareLocker struct{ *floor.Asker }

func (l bareLocker) Acquire(context.Context) (Lease, error) {
	id := random()
	return bareLease{l.Asker, id}, l.Asker.Acquire(id, ttl)
}

type bareLease struct {
	asker *floor.Asker
	id    string
}

func (l bareLease) Release(context.Context) error { return l.asker.Release(l.id) }
