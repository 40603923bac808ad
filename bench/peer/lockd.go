package peer

import (
	"context"
	"strings"

	lockd "github.com/lockd/lockd/clients/go"
)

type lockdClient struct{ *lockd.Client }

func openLockd(target string) (Client, error) {
	c, err := lockd.Dial(target)
	if err != nil {
		return nil, err
	}
	return lockdClient{c}, nil
}

// WithToken is a target at which a client of the kind Known shows the token in a file.
func WithToken(addr, file string) string { return addr + " " + file }

func openKnown(target string) (Client, error) {
	addr, file, _ := strings.Cut(target, " ")
	c, err := lockd.Dial(addr, lockd.WithTokenFile(file))
	if err != nil {
		return nil, err
	}
	return lockdClient{c}, nil
}

func (c lockdClient) Worker(_ context.Context, name string) (Locker, error) {
	return &lockdLocker{c.Client, name, []lockd.AcquireOption{lockd.WithTTL(ttl)}}, nil
}

func (c lockdClient) Close() { _ = c.Client.Close() } // nothing is held any more

type lockdLocker struct {
	client  *lockd.Client
	name    string
	options []lockd.AcquireOption
}

func (l *lockdLocker) Acquire(ctx context.Context) (Lease, error) {
	lease, err := l.client.Acquire(ctx, l.name, l.options...)
	if err != nil {
		return nil, err
	}
	return lease, nil
}
