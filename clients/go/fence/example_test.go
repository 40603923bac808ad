package fence_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	lockd "github.com/lockd/lockd/clients/go"
	"github.com/lockd/lockd/clients/go/fence"
)

// Two transactions under one lease: what the second writes was computed from what the first read, so
// both begin with the check.
func ExampleDialect_Check() {
	restock := func(ctx context.Context, db *sql.DB, lease *lockd.Lease) error {
		var stock int
		err := checked(ctx, db, lease, func(tx *sql.Tx) error {
			return tx.QueryRowContext(ctx, `SELECT stock FROM items WHERE id = 42`).Scan(&stock)
		})
		if err != nil {
			return err
		}
		// Whatever happens here, and however long it takes: if another holder has begun meanwhile,
		// the second transaction writes nothing.
		return checked(ctx, db, lease, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, `UPDATE items SET stock = $1 WHERE id = 42`, stock+10)
			return err
		})
	}

	run := func(ctx context.Context, c *lockd.Client, db *sql.DB) error {
		err := c.Do(ctx, "items/42", func(ctx context.Context, lease *lockd.Lease) error {
			return restock(ctx, db, lease)
		})
		if stale, ok := errors.AsType[*fence.StaleError](err); ok {
			return fmt.Errorf("overtaken by the holder of token %d, nothing was written: %w", stale.Seen, err)
		}
		return err
	}
	_ = run
}

// checked runs f in a transaction that begins with the check of the lease's token.
func checked(ctx context.Context, db *sql.DB, lease *lockd.Lease, f func(*sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // nothing is left to roll back after Commit
	if err := fence.Postgres.Check(ctx, tx, lease.Name(), lease.Token()); err != nil {
		return err
	}
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit()
}
