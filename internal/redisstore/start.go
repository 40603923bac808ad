package redisstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lockd/lockd/internal/lease"
)

// Start implements lease.Store. A name that nobody waits for takes one shared call of the script that knows no
// lines, and so does one that is held for who does not want to wait; the rest is left to the scripts that
// know lines, each in a call of its own.
func (s *Store) Start(calls []*lease.Call) {
	if s.shards != nil {
		s.startEach(calls)
		return
	}
	now := time.Now()
	ops := make([]*operation, 0, len(calls))
	for _, c := range calls {
		if c.Renew == nil && s.waiters.waits(c.Name()) {
			s.startInLine(c)
			continue
		}
		op, err := s.operationOf(c)
		if err != nil {
			c.To.Settled(lease.Result{Err: fmt.Errorf("acquire %q: %w", c.Name(), err)})
			continue
		}
		ops = append(ops, op)
	}
	s.batch.put(now, ops)
}

// operationOf answers what batch.lua is to do for c.
func (s *Store) operationOf(c *lease.Call) (op *operation, err error) {
	switch {
	case c.Acquire != nil:
		op, err = s.acquiring(*c.Acquire, s.clock.At(c.Deadline))
	case c.Renew != nil:
		op = s.renewing(*c.Renew)
	default:
		op = s.releasing(*c.Release)
	}
	if err != nil {
		return nil, err
	}
	op.call, op.deadline = c, c.Deadline
	return op, nil
}

// settle tells what became of an operation, unless there is more to do for it.
func (s *Store) settle(op *operation, got settled) {
	c := op.call
	switch {
	case c.Acquire != nil:
		s.settleAcquire(op, got)
	case c.Renew != nil:
		renewed, err := s.renewed(op, got)
		c.To.Settled(lease.Result{Lease: renewed, Err: err})
	case got.err == nil && got.reply.Kind() == "LINE":
		s.startInLine(c)
	default:
		released, err := s.released(*c.Release, got.reply, got.err)
		c.To.Settled(lease.Result{Released: released, Err: err})
	}
}

func (s *Store) settleAcquire(op *operation, got settled) {
	c := op.call
	granted, err := s.acquired(op, got)
	switch {
	case err == nil:
		c.To.Settled(lease.Result{Lease: granted})
	case errors.Is(err, errLate) && op.lates < maxLates && time.Now().Before(op.deadline):
		op.lates++
		op.notAfter = s.clock.At(op.deadline)
		op.over.Store(false)
		s.batch.put(time.Now(), []*operation{op})
	case errors.Is(err, errLine), c.Acquire.Turn != nil && errors.As(err, new(*lease.HeldError)):
		s.startInLine(c)
	default:
		c.To.Settled(lease.Result{Err: err})
	}
}

// startInLine leaves c, an acquisition or a release, to the scripts that know lines.
func (s *Store) startInLine(c *lease.Call) {
	will := s.crew.start(func() {
		ctx, cancel := context.WithDeadline(context.Background(), c.Deadline)
		defer cancel()
		var got lease.Result
		if c.Acquire != nil {
			got.Lease, got.Err = s.acquireInLine(ctx, *c.Acquire)
		} else {
			got.Released, got.Err = s.releaseInLine(ctx, *c.Release)
		}
		c.To.Settled(got)
	})
	if !will {
		c.To.Settled(lease.Result{Err: s.failed("ask for", c.Name(), errNotSent)})
	}
}

// Acquire implements lease.Store.
func (s *Store) Acquire(ctx context.Context, a lease.Acquisition) (lease.Lease, error) {
	got := lease.Await(ctx, s, &lease.Call{Acquire: &a})
	return got.Lease, got.Err
}

// Renew implements lease.Store.
func (s *Store) Renew(ctx context.Context, r lease.Renewal) (lease.Lease, error) {
	got := lease.Await(ctx, s, &lease.Call{Renew: &r})
	return got.Lease, got.Err
}

// Release implements lease.Store.
func (s *Store) Release(ctx context.Context, r lease.ReleaseRequest) (lease.Released, error) {
	got := lease.Await(ctx, s, &lease.Call{Release: &r})
	return got.Released, got.Err
}
