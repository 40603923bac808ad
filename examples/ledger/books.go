package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/lockd/lockd/clients/go/fence"
)

// leaseName is what the books are locked as, and where their mark is kept.
const leaseName = "ledger/books"

// opening is what every account begins with.
const opening = 1000

// Books are accounts and a journal in one SQLite file, and beside them the mark of the largest token
// seen. They are what the lease protects, and they refuse what comes too late: a lease alone cannot.
type Books struct {
	db     *sql.DB
	fenced bool
}

// A Transfer moves an amount from one account to another.
type Transfer struct {
	Payer, Payee string
	Amount       int64
}

// Validate reports what is wrong with t itself.
func (t Transfer) Validate() error {
	switch {
	case t.Payer == t.Payee:
		return fmt.Errorf("the transfer is from %q to itself; want two accounts", t.Payer)
	case t.Amount <= 0:
		return fmt.Errorf("the amount is %d; want more than 0", t.Amount)
	}
	return nil
}

// Balances are what the two accounts of a transfer hold.
type Balances struct{ Payer, Payee int64 }

// After returns what they hold once t is done.
func (b Balances) After(t Transfer) Balances {
	return Balances{b.Payer - t.Amount, b.Payee + t.Amount}
}

const booksSchema = `
CREATE TABLE IF NOT EXISTS accounts (
    name    TEXT    NOT NULL PRIMARY KEY,
    balance INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS journal (
    id     INTEGER PRIMARY KEY,
    worker TEXT    NOT NULL,
    token  INTEGER NOT NULL,
    payer  TEXT    NOT NULL,
    payee  TEXT    NOT NULL,
    amount INTEGER NOT NULL
)`

// OpenBooks opens the books in file, and creates them with the accounts of alice, bob and carol if
// there are none. Unless fenced they take every write, however late: to show what comes of it.
func OpenBooks(ctx context.Context, file string, fenced bool) (*Books, error) {
	path, err := filepath.Abs(file)
	if err != nil {
		return nil, err
	}
	// One process writes at a time, and the others wait this many milliseconds for it. They wait at the
	// beginning of their transactions, where nothing is lost yet, because the check comes first there.
	dsn := url.URL{Scheme: "file", Path: path, RawQuery: "_pragma=busy_timeout(10000)"}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	b := &Books{db: db, fenced: fenced}
	if err := b.create(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("create the books in %s: %w", path, err), db.Close())
	}
	return b, nil
}

func (b *Books) create(ctx context.Context) error {
	if err := fence.Create(ctx, b.db); err != nil {
		return err
	}
	if _, err := b.db.ExecContext(ctx, booksSchema); err != nil {
		return err
	}
	_, err := b.db.ExecContext(ctx, `INSERT INTO accounts (name, balance)
		VALUES ('alice', ?1), ('bob', ?1), ('carol', ?1) ON CONFLICT (name) DO NOTHING`, opening)
	return err
}

// Close closes the file.
func (b *Books) Close() error { return b.db.Close() }

// Read is the first transaction of a transfer: what do its accounts hold? It leaves the token behind,
// so that from here on nobody with a smaller one can change what was just read.
func (b *Books) Read(ctx context.Context, token int64, t Transfer) (Balances, error) {
	var now Balances
	err := b.transact(ctx, token, func(tx *sql.Tx) error {
		const balance = `SELECT balance FROM accounts WHERE name = ?`
		if err := tx.QueryRowContext(ctx, balance, t.Payer).Scan(&now.Payer); err != nil {
			return fmt.Errorf("read account %q: %w", t.Payer, err)
		}
		if err := tx.QueryRowContext(ctx, balance, t.Payee).Scan(&now.Payee); err != nil {
			return fmt.Errorf("read account %q: %w", t.Payee, err)
		}
		return nil
	})
	return now, err
}

// Write is the second: it sets the accounts to what was computed from the first, and enters the
// transfer in the journal. A token that another has overtaken meanwhile is refused with a
// *fence.StaleError, and nothing is written.
func (b *Books) Write(ctx context.Context, token int64, worker string, t Transfer, after Balances) error {
	return b.transact(ctx, token, func(tx *sql.Tx) error {
		const set = `UPDATE accounts SET balance = ? WHERE name = ?`
		if _, err := tx.ExecContext(ctx, set, after.Payer, t.Payer); err != nil {
			return fmt.Errorf("write account %q: %w", t.Payer, err)
		}
		if _, err := tx.ExecContext(ctx, set, after.Payee, t.Payee); err != nil {
			return fmt.Errorf("write account %q: %w", t.Payee, err)
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO journal (worker, token, payer, payee, amount) VALUES (?, ?, ?, ?, ?)`,
			worker, token, t.Payer, t.Payee, t.Amount)
		return err
	})
}

// transact runs f in a transaction that begins with the check of the token.
func (b *Books) transact(ctx context.Context, token int64, f func(*sql.Tx) error) error {
	tx, err := b.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // nothing is left to roll back after Commit
	if b.fenced {
		if err := fence.SQLite.Check(ctx, tx, leaseName, token); err != nil {
			return err
		}
	}
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit()
}
