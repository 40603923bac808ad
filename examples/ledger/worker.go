package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	lockd "github.com/lockd/lockd/clients/go"
	"github.com/lockd/lockd/clients/go/fence"
)

// A Worker makes transfers in books that it shares with others, each transfer under a lease.
type Worker struct {
	Name   string
	Locks  *lockd.Client
	Books  *Books
	TTL    time.Duration
	Pause  func(context.Context) error // comes between the last look at the lease and the write
	Report func(Event)
}

// Run makes the transfer as many times as it is told, each under a new lease. When a lease is lost
// on the way, that transfer has not been made, and Run makes it again from the beginning.
func (w *Worker) Run(ctx context.Context, transfer Transfer, times int) error {
	for made := 0; made < times; {
		err := w.underLease(ctx, func(lease *lockd.Lease) error {
			return w.transfer(ctx, lease, transfer)
		})
		var stale *fence.StaleError
		switch {
		case err == nil:
			made++
		case errors.As(err, &stale):
			w.report(Refused, stale.Token, stale.Seen, "is REFUSED: token %d is stale, the books have seen %d; starts over", stale.Token, stale.Seen)
		case errors.Is(err, lockd.ErrExpired), errors.Is(err, lockd.ErrLost):
			w.report(Lost, 0, 0, "has lost the lease before writing (%v); starts over", err)
		default:
			return err
		}
	}
	w.report(Finished, 0, 0, "is done")
	return nil
}

// underLease runs f under a new lease on the books, and gives the lease back.
func (w *Worker) underLease(ctx context.Context, f func(*lockd.Lease) error) error {
	lease, err := w.Locks.TryAcquire(ctx, leaseName, lockd.WithTTL(w.TTL))
	if held, ok := errors.AsType[*lockd.HeldError](err); ok {
		w.report(Waiting, 0, 0, "waits: %s has the lease", held.Owner)
		lease, err = w.Locks.Acquire(ctx, leaseName, lockd.WithTTL(w.TTL))
	}
	if err != nil {
		return err
	}
	w.report(Leased, lease.Token(), 0, "has the lease, token %d", lease.Token())
	defer lease.Release(ctx) // if lockd does not answer, the lease runs out by itself
	return f(lease)
}

// transfer reads, computes and writes, in two transactions under one token.
func (w *Worker) transfer(ctx context.Context, lease *lockd.Lease, t Transfer) error {
	now, err := w.Books.Read(lease.Context(), lease.Token(), t)
	if err != nil {
		return cause(lease, err)
	}
	w.report(Read, lease.Token(), 0, "reads %s %d, %s %d", t.Payer, now.Payer, t.Payee, now.Payee)
	if now.Payer < t.Amount {
		return fmt.Errorf("%s has %d, which is less than the %d to move", t.Payer, now.Payer, t.Amount)
	}
	after := now.After(t)

	// A worker should stop when its lease ends, and here it looks. But however late a program looks,
	// it is some time before it writes ...
	if err := lease.Err(); err != nil {
		return err
	}
	w.report(Looked, lease.Token(), 0, "looks at the lease: still held. Next: write %s %d, %s %d", t.Payer, after.Payer, t.Payee, after.Payee)
	if err := w.Pause(ctx); err != nil {
		return err
	}
	// ... and in that time anything may happen. So what follows does not ask the lease any more (ctx,
	// not lease.Context()): the books themselves must refuse a write that comes too late.
	if err := w.Books.Write(ctx, lease.Token(), w.Name, t, after); err != nil {
		return err
	}
	w.report(Written, lease.Token(), 0, "has written %s %d, %s %d", t.Payer, after.Payer, t.Payee, after.Payee)
	return nil
}

// cause adds to err why the lease ended, if it did: err may be no more than what came of it.
func cause(lease *lockd.Lease, err error) error {
	if lost := lease.Err(); lost != nil {
		return fmt.Errorf("%w: %w", lost, err)
	}
	return err
}

func (w *Worker) report(kind Kind, token, seen int64, format string, args ...any) {
	w.Report(Event{Worker: w.Name, Kind: kind, Token: token, Seen: seen, Text: fmt.Sprintf(format, args...)})
}
