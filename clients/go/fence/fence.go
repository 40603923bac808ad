// Package fence refuses late writes where it counts: in the database they go to.
//
// A lease cannot stop a holder that was paused past its deadline; its token can. Fence keeps a mark
// beside the data, the largest token seen for each name, and refuses every smaller one. It works if
//
//   - every transaction that touches what the name protects begins with Check: the one that READS
//     what a later write is computed from as well as the one that writes. From the newer holder's
//     first read on, the older holder's write is refused, before it could slip in between the two;
//   - the mark is in the same database as the data, and is raised in the same transaction;
//   - that transaction is rolled back when Check fails, so Check's error is never ignored.
//
// A token may be used as often as its holder likes; two goroutines with one token are not kept
// apart. What does not pass through Check is not protected.
//
// The statements are plain SQL, for other languages too: see docs/fencing.md.
package fence

import (
	"context"
	"database/sql"
	"fmt"
)

// maxToken bounds tokens: lockd's are smaller than 2^53. A mark raised beyond them by mistake would
// refuse every holder to come.
const maxToken = 1 << 53

// Schema creates the table of marks. Run it with your migrations, or with Create. Rows are one to a
// name, and must outlive every lease on it: without its row a name accepts any token again.
const Schema = `CREATE TABLE IF NOT EXISTS lockd_fence (
    name  TEXT   NOT NULL PRIMARY KEY,
    token BIGINT NOT NULL CHECK (token > 0 AND token < 9007199254740992)
)`

// Dialect is a kind of database. Anything that has INSERT … ON CONFLICT … DO UPDATE … WHERE and
// locks the row it looks at will do; choose by how it spells parameters.
type Dialect int

// The zero Dialect is none: a choice forgotten is an error, not a guess.
const (
	SQLite   Dialect = iota + 1 // parameters are ?, as in SQLite 3.24 and later
	Postgres                    // parameters are $1, $2, as in PostgreSQL 9.5 and later
)

// statements are what Check runs.
type statements struct {
	// raise sets the mark to the token unless it is larger already, as one statement, so that
	// looking and raising cannot be torn apart. It changes one row if the token is accepted, none if
	// it is stale. Either way it locks the name's row until the transaction ends: a second
	// transaction on the name waits here for the first and then judges by what that one left,
	// under READ COMMITTED too.
	raise string
	// seen reads the mark that refused the token, under that lock.
	seen string
}

var dialects = map[Dialect]statements{
	SQLite: {
		raise: `INSERT INTO lockd_fence (name, token) VALUES (?, ?)
ON CONFLICT (name) DO UPDATE SET token = excluded.token
WHERE lockd_fence.token <= excluded.token`,
		seen: `SELECT token FROM lockd_fence WHERE name = ?`,
	},
	Postgres: {
		raise: `INSERT INTO lockd_fence (name, token) VALUES ($1, $2)
ON CONFLICT (name) DO UPDATE SET token = excluded.token
WHERE lockd_fence.token <= excluded.token`,
		seen: `SELECT token FROM lockd_fence WHERE name = $1`,
	},
}

// StaleError says that a larger token has been seen: whoever brings this one has lost its lease, and
// another holder has begun. Roll back and start over with a new lease.
type StaleError struct {
	Name  string
	Token int64 // the one refused
	Seen  int64 // the largest so far
}

func (e *StaleError) Error() string {
	return fmt.Sprintf("fence: token %d for %q is stale, %d has been seen: the lease was lost, roll back and acquire a new one", e.Token, e.Name, e.Seen)
}

// Create runs Schema. It changes nothing if the table is there.
func Create(ctx context.Context, db *sql.DB) error {
	if _, err := db.ExecContext(ctx, Schema); err != nil {
		return fmt.Errorf("fence: create lockd_fence: %w", err)
	}
	return nil
}

// Check accepts token for name if no larger one was seen, and makes it the mark, in tx: let it be
// the first statement there. Others who bring a token for name wait until tx ends. The mark stands
// once tx commits; a rollback leaves it as it was.
//
// After any error roll tx back: *StaleError if a larger token was seen, else what the database or
// the arguments did wrong. Check takes a *sql.Tx on purpose: outside a transaction the mark and the
// data would part.
func (d Dialect) Check(ctx context.Context, tx *sql.Tx, name string, token int64) error {
	run, ok := dialects[d]
	switch {
	case !ok:
		return fmt.Errorf("fence: unknown dialect %d; want fence.SQLite or fence.Postgres", d)
	case name == "":
		return fmt.Errorf("fence: the name is empty; want the name the lease is on")
	case token <= 0 || token >= maxToken:
		return fmt.Errorf("fence: the token for %q is %d; want more than 0 and less than 2^53", name, token)
	}
	result, err := tx.ExecContext(ctx, run.raise, name, token)
	if err != nil {
		return fmt.Errorf("fence: raise the mark of %q: %w", name, err)
	}
	changed, err := result.RowsAffected()
	if err != nil {
		return fmt.Errorf("fence: raise the mark of %q: %w", name, err)
	}
	if changed == 1 {
		return nil
	}
	var seen int64
	if err := tx.QueryRowContext(ctx, run.seen, name).Scan(&seen); err != nil {
		return fmt.Errorf("fence: read the mark of %q: %w", name, err)
	}
	if seen <= token {
		return fmt.Errorf("fence: the mark of %q is %d and was not raised to %d (%d rows changed); is there a trigger on lockd_fence?", name, seen, token, changed)
	}
	return &StaleError{Name: name, Token: token, Seen: seen}
}
