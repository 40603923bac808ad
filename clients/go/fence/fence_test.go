package fence_test

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockd/lockd/clients/go/fence"
)

// The statements, written out once more: they are in other people's programs too, copied from the
// docs, and both kinds of program must agree on one table.
const (
	raiseSQLite = `INSERT INTO lockd_fence (name, token) VALUES (?, ?)
ON CONFLICT (name) DO UPDATE SET token = excluded.token
WHERE lockd_fence.token <= excluded.token`
	raisePostgres = `INSERT INTO lockd_fence (name, token) VALUES ($1, $2)
ON CONFLICT (name) DO UPDATE SET token = excluded.token
WHERE lockd_fence.token <= excluded.token`
	seenSQLite   = `SELECT token FROM lockd_fence WHERE name = ?`
	seenPostgres = `SELECT token FROM lockd_fence WHERE name = $1`
)

var dialects = []struct {
	name        string
	dialect     fence.Dialect
	raise, seen string
}{
	{"SQLite", fence.SQLite, raiseSQLite, seenSQLite},
	{"Postgres", fence.Postgres, raisePostgres, seenPostgres},
}

// An accepted token takes one statement, the guarded upsert.
func TestCheckAccepts(t *testing.T) {
	for _, d := range dialects {
		t.Run(d.name, func(t *testing.T) {
			db := &fakeDB{changed: 1}
			if err := d.dialect.Check(t.Context(), begin(t, db), "orders/42", 7); err != nil {
				t.Fatalf("Check(one row changed) = %v, want nil", err)
			}
			want := []question{{d.raise, []any{"orders/42", int64(7)}}}
			if diff := cmp.Diff(want, db.questions); diff != "" {
				t.Errorf("Check ran other statements (-want +got):\n%s", diff)
			}
		})
	}
}

// A refused token is reported with the mark that refused it, read after the upsert took the lock.
func TestCheckRefuses(t *testing.T) {
	for _, d := range dialects {
		t.Run(d.name, func(t *testing.T) {
			db := &fakeDB{changed: 0, seen: []int64{9}}
			err := d.dialect.Check(t.Context(), begin(t, db), "orders/42", 7)
			var stale *fence.StaleError
			if !errors.As(err, &stale) {
				t.Fatalf("Check(no row changed) = %v, want a *StaleError", err)
			}
			if want := (fence.StaleError{Name: "orders/42", Token: 7, Seen: 9}); *stale != want {
				t.Errorf("Check(no row changed) = %+v, want %+v", *stale, want)
			}
			want := []question{{d.raise, []any{"orders/42", int64(7)}}, {d.seen, []any{"orders/42"}}}
			if diff := cmp.Diff(want, db.questions); diff != "" {
				t.Errorf("Check ran other statements (-want +got):\n%s", diff)
			}
		})
	}
}

// Whatever is not clearly accepted is an error, and only a larger mark is called stale.
func TestCheckFails(t *testing.T) {
	broken := errors.New("connection reset")
	for _, test := range []struct {
		name string
		db   fakeDB
		want error // nil: any error
	}{
		{"the upsert failed", fakeDB{changed: 1, execErr: broken}, broken},
		{"the number of rows is unknown", fakeDB{changed: 1, countErr: broken}, broken},
		{"the mark cannot be read", fakeDB{queryErr: broken}, broken},
		{"there is no mark", fakeDB{}, nil},
		{"the mark was not raised", fakeDB{seen: []int64{6}}, nil},
		{"the mark is equal, yet no row changed", fakeDB{seen: []int64{7}}, nil},
		{"several rows changed", fakeDB{changed: 2, seen: []int64{7}}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := fence.SQLite.Check(t.Context(), begin(t, &test.db), "orders/42", 7)
			var stale *fence.StaleError
			if err == nil || errors.As(err, &stale) {
				t.Fatalf("Check() = %v, want an error that is no *StaleError", err)
			}
			if test.want != nil && !errors.Is(err, test.want) {
				t.Errorf("Check() = %v, want it to wrap %v", err, test.want)
			}
		})
	}
}

// Bad arguments are refused before the database hears of them: a token of 0 is one that was
// forgotten, and one beyond 2^53 would lock every later holder out.
func TestCheckArguments(t *testing.T) {
	for _, test := range []struct {
		what    string
		dialect fence.Dialect
		name    string
		token   int64
		want    string
	}{
		{"no dialect", 0, "orders/42", 7, "want fence.SQLite or fence.Postgres"},
		{"no name", fence.SQLite, "", 7, "the name is empty"},
		{"no token", fence.SQLite, "orders/42", 0, "want more than 0"},
		{"a negative token", fence.SQLite, "orders/42", -1, "want more than 0"},
		{"a token too large", fence.SQLite, "orders/42", 1 << 53, "less than 2^53"},
	} {
		t.Run(test.what, func(t *testing.T) {
			db := &fakeDB{changed: 1}
			err := test.dialect.Check(t.Context(), begin(t, db), test.name, test.token)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Check() = %v, want an error with %q", err, test.want)
			}
			if len(db.questions) != 0 {
				t.Errorf("Check() ran %v, want no statement", db.questions)
			}
		})
	}
}

// The docs give other languages exactly what this package runs.
func TestDocs(t *testing.T) {
	page, err := os.ReadFile("../../../docs/fencing.md")
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for i, part := range strings.Split(string(page), "```") {
		if sql, ok := strings.CutPrefix(part, "sql\n"); ok && i%2 == 1 {
			blocks = append(blocks, strings.TrimSuffix(sql, "\n"))
		}
	}
	for _, statement := range []string{fence.Schema, raiseSQLite, raisePostgres, seenSQLite, seenPostgres} {
		if !slices.Contains(blocks, statement+";") {
			t.Errorf("docs/fencing.md has no sql block that is word for word\n%s;", statement)
		}
	}
	if len(blocks) != 5 {
		t.Errorf("docs/fencing.md has %d sql blocks, want the 5 that Check and Create run and no others", len(blocks))
	}
}
