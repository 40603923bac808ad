package main

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// An Account is what it holds, and what it should hold by the journal.
type Account struct {
	Name           string
	Balance, Wants int64
}

// An Entry is a transfer in the journal.
type Entry struct {
	Worker string
	Token  int64
	Transfer
}

// An Audit is the books at one moment.
type Audit struct {
	Accounts []Account
	Journal  []Entry // in the order of writing
}

// Audit looks at everything in one transaction.
func (b *Books) Audit(ctx context.Context) (Audit, error) {
	tx, err := b.db.BeginTx(ctx, nil)
	if err != nil {
		return Audit{}, err
	}
	defer tx.Rollback()
	var a Audit
	err = each(ctx, tx, `SELECT name, balance FROM accounts ORDER BY name`, func(rows *sql.Rows) error {
		account := Account{Wants: opening}
		err := rows.Scan(&account.Name, &account.Balance)
		a.Accounts = append(a.Accounts, account)
		return err
	})
	if err != nil {
		return Audit{}, fmt.Errorf("audit the accounts: %w", err)
	}
	err = each(ctx, tx, `SELECT worker, token, payer, payee, amount FROM journal ORDER BY id`, func(rows *sql.Rows) error {
		var e Entry
		err := rows.Scan(&e.Worker, &e.Token, &e.Payer, &e.Payee, &e.Amount)
		a.enter(e)
		return err
	})
	if err != nil {
		return Audit{}, fmt.Errorf("audit the journal: %w", err)
	}
	return a, nil
}

// each runs a query and hands every row to scan.
func each(ctx context.Context, tx *sql.Tx, query string, scan func(*sql.Rows) error) error {
	rows, err := tx.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// enter adds e to the journal, and to what the accounts should hold.
func (a *Audit) enter(e Entry) {
	a.Journal = append(a.Journal, e)
	for i := range a.Accounts {
		switch account := &a.Accounts[i]; account.Name {
		case e.Payer:
			account.Wants -= e.Amount
		case e.Payee:
			account.Wants += e.Amount
		}
	}
}

// Total is the money in all accounts.
func (a Audit) Total() int64 {
	var sum int64
	for _, account := range a.Accounts {
		sum += account.Balance
	}
	return sum
}

// Faults says which accounts differ from the journal, and whether money came from nowhere or went
// there; nothing if the books balance.
func (a Audit) Faults() []string {
	var faults []string
	for _, account := range a.Accounts {
		if account.Balance != account.Wants {
			faults = append(faults, fmt.Sprintf("%s has %d and should have %d", account.Name, account.Balance, account.Wants))
		}
	}
	if total, want := a.Total(), opening*int64(len(a.Accounts)); total != want {
		faults = append(faults, fmt.Sprintf("in all there are %d and should be %d", total, want))
	}
	return faults
}

// String lists the accounts: "alice 1000, bob 1000, carol 1000; 3000 in all".
func (a Audit) String() string {
	var list []string
	for _, account := range a.Accounts {
		list = append(list, fmt.Sprintf("%s %d", account.Name, account.Balance))
	}
	return fmt.Sprintf("%s; %d in all", strings.Join(list, ", "), a.Total())
}
