// Package redisstore keeps leases in one Redis.
package redisstore

import (
	"context"
	"errors"

	"github.com/lockd/lockd/internal/lease"
)

// Config says which Redis and how.
type Config struct {
	URL       string           // redis://[user[:password]@]host:port[/db], or unix://[user[:password]@]/path/to.sock[?db=N]
	Password  string           // if set, goes before the URL's
	KeyPrefix string           // default "lockd"
	Notice    func(msg string) // told once per change what an operator should know; may be nil
}

// ErrUnreachable: no Redis answered at the address, which the error names.
var ErrUnreachable = errors.New("redis is unreachable")

// RefusedError: Redis answered, but leases must not be kept there as it is set up.
type RefusedError struct {
	Address string
	Problem string // what is wrong and what would be right
}

func (e *RefusedError) Error() string { return "redis at " + e.Address + " " + e.Problem }

// Check reports what is wrong with c, asking nobody.
func (c Config) Check() error { return errors.New("not built yet") }

// Open connects, checks that leases may be kept there, and returns the store.
// Errors: ErrUnreachable, *RefusedError, or what Check says.
func Open(ctx context.Context, c Config) (lease.Store, error) { return nil, c.Check() }
