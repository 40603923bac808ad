package fence_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"io"
	"slices"
	"testing"
)

// fakeDB stands in for a database where only the talk with it matters: which statements come, in
// which order, and what is made of the answers. What the statements mean is tested on a real
// database in examples/ledger.
type fakeDB struct {
	changed   int64   // rows the upsert reports
	seen      []int64 // rows the select answers, one at most
	execErr   error
	queryErr  error
	countErr  error
	questions []question // what was asked
}

// question is one statement as the database got it.
type question struct {
	SQL  string
	Args []any
}

// begin opens a transaction on f.
func begin(t *testing.T, f *fakeDB) *sql.Tx {
	t.Helper()
	db := sql.OpenDB(f)
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatalf("BeginTx() = %v, want a transaction", err)
	}
	t.Cleanup(func() {
		_ = tx.Rollback()
		_ = db.Close()
	})
	return tx
}

func (f *fakeDB) note(query string, args []driver.NamedValue) {
	q := question{SQL: query}
	for _, a := range args {
		q.Args = append(q.Args, a.Value)
	}
	f.questions = append(f.questions, q)
}

func (f *fakeDB) Connect(context.Context) (driver.Conn, error) { return fakeConn{f}, nil }
func (f *fakeDB) Driver() driver.Driver                        { return nil }

type fakeConn struct{ *fakeDB }

func (c fakeConn) ExecContext(_ context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	c.note(query, args)
	return fakeResult{c.changed, c.countErr}, c.execErr
}

func (c fakeConn) QueryContext(_ context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	c.note(query, args)
	return &fakeRows{slices.Clone(c.seen)}, c.queryErr
}

func (c fakeConn) Prepare(string) (driver.Stmt, error) { return nil, driver.ErrSkip }
func (c fakeConn) Begin() (driver.Tx, error)           { return c, nil }
func (c fakeConn) Commit() error                       { return nil }
func (c fakeConn) Rollback() error                     { return nil }
func (c fakeConn) Close() error                        { return nil }

type fakeResult struct {
	changed int64
	err     error
}

func (r fakeResult) LastInsertId() (int64, error) { return 0, nil }
func (r fakeResult) RowsAffected() (int64, error) { return r.changed, r.err }

type fakeRows struct{ left []int64 }

func (r *fakeRows) Columns() []string { return []string{"token"} }
func (r *fakeRows) Close() error      { return nil }

func (r *fakeRows) Next(into []driver.Value) error {
	if len(r.left) == 0 {
		return io.EOF
	}
	into[0], r.left = r.left[0], r.left[1:]
	return nil
}
