package main

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	lockd "github.com/lockd/lockd/clients/go"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// newWorker returns a worker with new books and a lockd of its own, and where its steps are noted.
func newWorker(t *testing.T) (*Worker, *[]Kind) {
	t.Helper()
	c := newCrew(context.Background()) // not t.Context(), which ends before the cleanups
	t.Cleanup(c.dismiss)
	_, address, err := c.startServer(lockdProgram)
	if err != nil {
		t.Fatal(err)
	}
	locks, err := lockd.Dial(address, lockd.WithOwner("ann"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = locks.Close() })
	var steps []Kind
	note := func(e Event) { steps = append(steps, e.Kind) }
	books := openBooks(t, newFile(t), true)
	return &Worker{Name: "ann", Locks: locks, Books: books, TTL: time.Minute, Pause: noPause, Report: note}, &steps
}

// A worker makes as many transfers as it is told, each under a lease of its own.
func TestWorker(t *testing.T) {
	w, steps := newWorker(t)
	if err := w.Run(t.Context(), aliceToBob, 2); err != nil {
		t.Fatalf("Run(2 times) = %v, want nil", err)
	}
	if want := []Kind{Leased, Read, Looked, Written, Leased, Read, Looked, Written, Finished}; !slices.Equal(*steps, want) {
		t.Errorf("its steps were %v, want %v", *steps, want)
	}
	a, balanced := audited(t, w.Books)
	if len(a.Journal) != 2 || a.Journal[0].Token >= a.Journal[1].Token || !balanced {
		t.Errorf("journal %v, faults %q, want two entries with growing tokens and no fault", a.Journal, a.Faults())
	}
}

// Refused, a worker starts over under a new lease, and reads anew.
func TestWorkerRefused(t *testing.T) {
	w, steps := newWorker(t)
	var token int64
	w.Report = func(e Event) { *steps, token = append(*steps, e.Kind), e.Token }
	w.Pause = func(ctx context.Context) error {
		w.Pause = noPause
		newer, others := token+1, Transfer{Payer: "carol", Payee: "alice", Amount: 50}
		now, err := w.Books.Read(ctx, newer, others)
		if err != nil {
			return err
		}
		return w.Books.Write(ctx, newer, "cleo", others, now.After(others))
	}
	if err := w.Run(t.Context(), aliceToBob, 1); err != nil {
		t.Fatalf("Run() = %v, want nil", err)
	}
	if want := []Kind{Leased, Read, Looked, Refused, Leased, Read, Looked, Written, Finished}; !slices.Equal(*steps, want) {
		t.Errorf("its steps were %v, want %v", *steps, want)
	}
	if a, balanced := audited(t, w.Books); !balanced || len(a.Journal) != 2 {
		t.Errorf("%d entries, faults %q, want 2 and none", len(a.Journal), a.Faults())
	}
}

// A lease that has ended when the worker looks at it lets nothing be written.
func TestWorkerLooks(t *testing.T) {
	w, _ := newWorker(t)
	err := w.underLease(t.Context(), func(lease *lockd.Lease) error {
		w.Report = func(e Event) {
			if e.Kind == Read {
				release(t, lease)
			}
		}
		return w.transfer(t.Context(), lease, aliceToBob)
	})
	if !errors.Is(err, lockd.ErrReleased) {
		t.Errorf("transfer(under a lease that ended after the read) = %v, want the cause of its end", err)
	}
	if a, _ := audited(t, w.Books); len(a.Journal) != 0 {
		t.Errorf("the journal has %v, want nothing", a.Journal)
	}
}

func release(t *testing.T, lease *lockd.Lease) {
	t.Helper()
	if err := lease.Release(t.Context()); err != nil {
		t.Errorf("Release() = %v, want nil", err)
	}
}

// What an account does not have is not moved.
func TestWorkerOverdraws(t *testing.T) {
	w, _ := newWorker(t)
	err := w.Run(t.Context(), Transfer{Payer: "alice", Payee: "bob", Amount: opening + 1}, 1)
	if err == nil || !strings.Contains(err.Error(), "alice has 1000") {
		t.Errorf("Run(more than there is) = %v, want an error that says what there is", err)
	}
	if a, _ := audited(t, w.Books); len(a.Journal) != 0 {
		t.Errorf("the journal has %v, want nothing", a.Journal)
	}
}

// Who waits is told who has the lease, and goes on when it is free.
func TestWorkerWaits(t *testing.T) {
	w, steps := newWorker(t)
	other, err := w.Locks.Acquire(t.Context(), leaseName)
	if err != nil {
		t.Fatal(err)
	}
	w.Report = func(e Event) {
		*steps = append(*steps, e.Kind)
		if e.Kind == Waiting {
			if !strings.Contains(e.Text, "ann has the lease") {
				t.Errorf("it waits, saying %q, want the holder named", e.Text)
			}
			release(t, other)
		}
	}
	if err := w.Run(t.Context(), aliceToBob, 1); err != nil {
		t.Fatalf("Run() = %v, want nil", err)
	}
	if want := []Kind{Waiting, Leased, Read, Looked, Written, Finished}; !slices.Equal(*steps, want) {
		t.Errorf("its steps were %v, want %v", *steps, want)
	}
}

// A lease that lockd has taken away ends what is done under it, here a wait for the database's only
// connection, and the worker starts over.
func TestWorkerLost(t *testing.T) {
	w, steps := newWorker(t)
	w.TTL = time.Second // a loss shows when the lease is to be renewed, after a third of that
	w.Books.db.SetMaxOpenConns(1)
	var taken *sql.Tx
	w.Report = func(e Event) {
		*steps = append(*steps, e.Kind)
		switch {
		case e.Kind == Leased && taken == nil:
			taken = begin(t, w.Books)
			force(t, w.Locks, e.Token)
		case e.Kind == Lost:
			_ = taken.Rollback()
		}
	}
	if err := w.Run(t.Context(), aliceToBob, 1); err != nil {
		t.Fatalf("Run() = %v, want nil", err)
	}
	if want := []Kind{Leased, Lost, Leased, Read, Looked, Written, Finished}; !slices.Equal(*steps, want) {
		t.Errorf("its steps were %v, want %v", *steps, want)
	}
}

func begin(t *testing.T, b *Books) *sql.Tx {
	t.Helper()
	tx, err := b.db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return tx
}

// force takes the lease with this token away from its holder.
func force(t *testing.T, locks *lockd.Client, token int64) {
	t.Helper()
	_, err := lockdv1.NewAdminServiceClient(locks.Conn()).ForceRelease(t.Context(),
		&lockdv1.ForceReleaseRequest{Name: leaseName, Token: token, Reason: "a test takes it away"})
	if err != nil {
		t.Errorf("ForceRelease(%d) = %v, want nil", token, err)
	}
}
