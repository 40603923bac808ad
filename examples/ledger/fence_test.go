package main

// What package fence promises, on a real database. It is tested here because the database's driver
// must not become a dependency of everybody who imports lockd.

import (
	"database/sql"
	"errors"
	"sync"
	"testing"

	"github.com/lockd/lockd/clients/go/fence"
)

// check runs one checked transaction and ends it with end, (*sql.Tx).Commit or Rollback.
func check(t *testing.T, db *sql.DB, name string, token int64, end func(*sql.Tx) error) error {
	t.Helper()
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if err := fence.SQLite.Check(t.Context(), tx, name, token); err != nil {
		return err
	}
	return end(tx)
}

func accepted(t *testing.T, db *sql.DB, name string, token int64) {
	t.Helper()
	if err := check(t, db, name, token, (*sql.Tx).Commit); err != nil {
		t.Errorf("Check(%q, %d) = %v, want nil", name, token, err)
	}
}

func refused(t *testing.T, db *sql.DB, name string, token, seen int64) {
	t.Helper()
	err := check(t, db, name, token, (*sql.Tx).Commit)
	want := fence.StaleError{Name: name, Token: token, Seen: seen}
	if got, ok := errors.AsType[*fence.StaleError](err); !ok || *got != want {
		t.Errorf("Check(%q, %d) = %v, want %v", name, token, err, &want)
	}
}

// A token passes until a larger one was seen on its name, and as often as it likes.
func TestFenceOrder(t *testing.T) {
	db := openBooks(t, newFile(t), true).db
	accepted(t, db, "a", 33)
	accepted(t, db, "a", 33)
	accepted(t, db, "a", 34)
	refused(t, db, "a", 33, 34)
	accepted(t, db, "a", 34)
	accepted(t, db, "b", 1) // each name has a mark of its own
	accepted(t, db, "A", 1) // and names are bytes
	const largest = 1<<53 - 1
	accepted(t, db, "a", largest)
	refused(t, db, "a", largest-1, largest)
}

// A transaction that is rolled back leaves the mark as it was.
func TestFenceRollback(t *testing.T) {
	db := openBooks(t, newFile(t), true).db
	accepted(t, db, "a", 33)
	if err := check(t, db, "a", 35, (*sql.Tx).Rollback); err != nil {
		t.Fatalf("Check(35), rolled back = %v, want nil", err)
	}
	accepted(t, db, "a", 34)
}

// A second Create finds the table and leaves the marks alone.
func TestFenceCreateTwice(t *testing.T) {
	db := openBooks(t, newFile(t), true).db
	accepted(t, db, "a", 33)
	if err := fence.Create(t.Context(), db); err != nil {
		t.Errorf("Create() once more = %v, want nil", err)
	}
	refused(t, db, "a", 32, 33)
}

// The table itself keeps out tokens that are none, for programs that do not use package fence.
func TestFenceSchema(t *testing.T) {
	db := openBooks(t, newFile(t), true).db
	for _, token := range []int64{-1, 0, 1 << 53} {
		if _, err := db.ExecContext(t.Context(), `INSERT INTO lockd_fence (name, token) VALUES ('a', ?)`, token); err == nil {
			t.Errorf("a mark of %d was taken, want an error", token)
		}
	}
}

// Tokens that come at once, in any order, are accepted in one order that never decreases.
func TestFenceConcurrent(t *testing.T) {
	const goroutines, each = 8, 20
	db := openBooks(t, newFile(t), true).db
	if _, err := db.ExecContext(t.Context(), `CREATE TABLE accepted (id INTEGER PRIMARY KEY, token INTEGER NOT NULL)`); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for g := range goroutines {
		all.Go(func() {
			for i := range each {
				token := int64(1 + i*goroutines + g)
				err := check(t, db, "a", token, func(tx *sql.Tx) error {
					if _, err := tx.ExecContext(t.Context(), `INSERT INTO accepted (token) VALUES (?)`, token); err != nil {
						return err
					}
					return tx.Commit()
				})
				if stale, ok := errors.AsType[*fence.StaleError](err); ok && stale.Seen <= token {
					t.Errorf("Check(%d) was refused by %d, want a larger token", token, stale.Seen)
				} else if err != nil && !ok {
					t.Errorf("Check(%d) = %v, want nil or a *StaleError", token, err)
				}
			}
		})
	}
	all.Wait()
	checkOrder(t, db)
}

// checkOrder fails unless some tokens were accepted, and none after a larger one.
func checkOrder(t *testing.T, db *sql.DB) {
	t.Helper()
	var count, disordered int
	err := db.QueryRowContext(t.Context(), `SELECT count(*), count(*) FILTER (WHERE token < before)
		FROM (SELECT token, max(token) OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
		FROM accepted)`).Scan(&count, &disordered)
	if err != nil {
		t.Fatal(err)
	}
	if count == 0 || disordered != 0 {
		t.Errorf("%d tokens were accepted, %d of them after a larger one; want some and 0", count, disordered)
	}
}
