package main

import (
	"errors"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/lockd/lockd/clients/go/fence"
)

var aliceToBob = Transfer{Payer: "alice", Payee: "bob", Amount: 100}

// openBooks opens new books, or the same ones once more, as another process would.
func openBooks(t *testing.T, file string, fenced bool) *Books {
	t.Helper()
	b, err := OpenBooks(t.Context(), file, fenced)
	if err != nil {
		t.Fatalf("OpenBooks() = %v, want books", err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func newFile(t *testing.T) string { return filepath.Join(t.TempDir(), "books.db") }

func read(t *testing.T, b *Books, token int64, transfer Transfer) Balances {
	t.Helper()
	now, err := b.Read(t.Context(), token, transfer)
	if err != nil {
		t.Fatalf("Read(token %d) = %v, want the balances", token, err)
	}
	return now
}

// audited looks at the books and tells whether they balance.
func audited(t *testing.T, b *Books) (a Audit, balanced bool) {
	t.Helper()
	a, err := b.Audit(t.Context())
	if err != nil {
		t.Fatalf("Audit() = %v, want an audit", err)
	}
	return a, len(a.Faults()) == 0
}

// A transfer is two transactions under one token; afterwards the books balance.
func TestTransfer(t *testing.T) {
	b := openBooks(t, newFile(t), true)
	now := read(t, b, 7, aliceToBob)
	if err := b.Write(t.Context(), 7, "ann", aliceToBob, now.After(aliceToBob)); err != nil {
		t.Fatalf("Write(token 7 after reading with it) = %v, want nil", err)
	}
	a, balanced := audited(t, b)
	if got, want := a.String(), "alice 900, bob 1100, carol 1000; 3000 in all"; got != want || !balanced {
		t.Errorf("after a transfer: %s, faults %q, want %s and none", got, a.Faults(), want)
	}
	if want := []Entry{{"ann", 7, aliceToBob}}; !slices.Equal(a.Journal, want) {
		t.Errorf("journal = %v, want %v", a.Journal, want)
	}
}

// From a newer holder's first read on, before it has written anything, an older holder's write is
// refused; it would be overwritten, or overwrite.
func TestLateWriteRefusedByRead(t *testing.T) {
	file := newFile(t)
	older, newer := openBooks(t, file, true), openBooks(t, file, true)

	stale := read(t, older, 33, aliceToBob) // ... is paused here ...
	fresh := read(t, newer, 34, aliceToBob)
	err := older.Write(t.Context(), 33, "ann", aliceToBob, stale.After(aliceToBob))
	if got, ok := errors.AsType[*fence.StaleError](err); !ok || *got != (fence.StaleError{Name: leaseName, Token: 33, Seen: 34}) {
		t.Errorf("Write(33) after another read with 34 = %v, want a *StaleError for 33 that has seen 34", err)
	}
	if err := newer.Write(t.Context(), 34, "ben", aliceToBob, fresh.After(aliceToBob)); err != nil {
		t.Errorf("Write(34) = %v, want nil: the refused write has changed nothing", err)
	}
	if a, balanced := audited(t, newer); !balanced || len(a.Journal) != 1 {
		t.Errorf("%d entries, faults %q, want 1 entry and none", len(a.Journal), a.Faults())
	}
}

// A transaction that fails leaves no mark: who could not read has not overtaken anybody.
func TestFailedReadLeavesNoMark(t *testing.T) {
	b := openBooks(t, newFile(t), true)
	if _, err := b.Read(t.Context(), 34, Transfer{Payer: "alice", Payee: "nobody", Amount: 1}); err == nil {
		t.Fatal("Read(an account that is not there) = nil, want an error")
	}
	read(t, b, 33, aliceToBob)
}

// The control: without the check the same write gets in, and a transfer is lost.
func TestUnfencedLosesUpdate(t *testing.T) {
	file := newFile(t)
	older, newer := openBooks(t, file, false), openBooks(t, file, false)

	stale := read(t, older, 33, aliceToBob) // ... is paused here ...
	fresh := read(t, newer, 34, aliceToBob)
	for _, write := range []error{
		newer.Write(t.Context(), 34, "ben", aliceToBob, fresh.After(aliceToBob)),
		older.Write(t.Context(), 33, "ann", aliceToBob, stale.After(aliceToBob)),
	} {
		if write != nil {
			t.Fatalf("Write(unfenced) = %v, want nil", write)
		}
	}
	if a, balanced := audited(t, newer); balanced || len(a.Journal) != 2 {
		t.Errorf("%d entries, %s: the books balance, want 2 entries and one of them lost", len(a.Journal), a)
	}
}

// contend runs rounds in which workers read at once and then write at once, each with a token of its
// own and nothing but the token to keep them apart: no lease at all. It returns how many writes got in.
func contend(t *testing.T, file string, fenced bool, workers, rounds int) int {
	var last, written atomic.Int64
	for range rounds {
		var all, reading sync.WaitGroup
		reading.Add(workers)
		for range workers {
			b := openBooks(t, file, fenced)
			all.Go(func() {
				token := last.Add(1)
				now, err := b.Read(t.Context(), token, aliceToBob)
				reading.Done()
				reading.Wait() // everybody's pause: between the two transactions
				if err == nil {
					err = b.Write(t.Context(), token, "worker", aliceToBob, now.After(aliceToBob))
				}
				if _, stale := errors.AsType[*fence.StaleError](err); err != nil && !stale {
					t.Errorf("token %d: %v, want nil or a *StaleError", token, err)
				}
				if err == nil {
					written.Add(1)
				}
			})
		}
		all.Wait()
	}
	return int(written.Load())
}

// Of many who have read, exactly the one with the largest token writes: nothing is lost, and tokens
// never decrease, whatever the lease service did.
func TestFenceAlone(t *testing.T) {
	const workers, rounds = 8, 5
	file := newFile(t)
	if got := contend(t, file, true, workers, rounds); got != rounds {
		t.Errorf("%d writes got in, want %d, one a round", got, rounds)
	}
	a, balanced := audited(t, openBooks(t, file, true))
	if !balanced {
		t.Errorf("the books do not balance: %q", a.Faults())
	}
	for i, entry := range a.Journal {
		if want := int64((i + 1) * workers); entry.Token != want {
			t.Errorf("round %d was won by token %d, want %d, the largest", i, entry.Token, want)
		}
	}
}

// The control: unfenced, every one of them writes and all but one a round are lost.
func TestUnfencedAlone(t *testing.T) {
	const workers, rounds = 8, 1
	file := newFile(t)
	if got := contend(t, file, false, workers, rounds); got != workers*rounds {
		t.Errorf("%d writes got in, want all %d", got, workers*rounds)
	}
	if a, balanced := audited(t, openBooks(t, file, true)); balanced {
		t.Errorf("the books balance (%s), want transfers lost", a)
	}
}

// An audit finds an account changed behind the journal's back, and money out of nowhere.
func TestAuditFindsFaults(t *testing.T) {
	b := openBooks(t, newFile(t), true)
	if _, err := b.db.ExecContext(t.Context(), `UPDATE accounts SET balance = balance + 5 WHERE name = 'bob'`); err != nil {
		t.Fatal(err)
	}
	a, _ := audited(t, b)
	want := []string{"bob has 1005 and should have 1000", "in all there are 3005 and should be 3000"}
	if got := a.Faults(); !slices.Equal(got, want) {
		t.Errorf("Faults() = %q, want %q", got, want)
	}
}
