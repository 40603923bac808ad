package redisstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/internal/redisconn"
)

var (
	// errLate: the script ran after the call's deadline and wrote nothing.
	errLate = fmt.Errorf("%w: the call reached redis too late", lease.ErrUnavailable)
	// errAgain: so many who have gone stand before us that one call could not pass them all over.
	errAgain = fmt.Errorf("%w: too many in line have gone", lease.ErrUnavailable)
	// errLine: the name has a line, and is for the scripts that know lines.
	errLine = errors.New("the name has a line")
)

// maxLates is how often an acquisition is sent again that came too late: each time has mended our reckoning
// of Redis's clock, and what is left of the call is enough to be on time.
const maxLates = 2

// acquired answers what batch.lua says of an acquisition; errLine says that the name has a line.
func (s *Store) acquired(op *operation, got settled) (lease.Lease, error) {
	a := op.call.Acquire
	if got.err != nil {
		return lease.Lease{}, s.failed("acquire", a.Name, got.err)
	}
	if token := got.reply.Number(0); token != 0 {
		delay := time.Duration(op.px-px(a.TTL)) * time.Millisecond
		l := lease.Lease{
			Name: a.Name, Token: lease.Token(token), Owner: a.Owner, Principal: a.Principal, Since: time.UnixMicro(got.at),
			TTL: a.TTL, Left: a.TTL, ExpiresIn: time.Duration(px(a.TTL)) * time.Millisecond, Delay: delay, Metadata: metadata(a.Metadata),
		}
		return boundedAt(l, a.MaxHold, got.at), nil
	}
	granted, err := s.decodeAcquire(a.Name, got.reply)
	return boundedAt(granted, a.MaxHold, got.at), err
}

// boundedAt is l, if it is one, as it is at a moment, in µs of Redis's TIME, by which the scripts reckon what is left of
// maxHold.
func boundedAt(l lease.Lease, maxHold time.Duration, at int64) lease.Lease {
	if l.Token == 0 {
		return l
	}
	return l.Bounded(maxHold, maxHold-time.UnixMicro(at).Sub(l.Since))
}

// acquireInLine acquires a name that has, or perhaps has, a line.
func (s *Store) acquireInLine(ctx context.Context, a lease.Acquisition) (lease.Lease, error) {
	now, before, err := s.waiters.enter(a)
	if err != nil {
		return lease.Lease{}, fmt.Errorf("acquire %q: %w", a.Name, err)
	}
	granted, err := s.insist(ctx, a)
	s.waiters.entered(now, before, err)
	if a.Turn == nil && errors.As(err, new(*lease.HeldError)) {
		s.outlast(a.Name, a.ID, true) // it is away, and must not be granted what it does not wait for
	}
	return granted, err
}

// insist asks again after answers that say that nothing was done and that another try will do: LATE, and AGAIN,
// which was a step forward.
func (s *Store) insist(ctx context.Context, a lease.Acquisition) (lease.Lease, error) {
	for lates := 0; ; {
		granted, err := s.queue(ctx, a)
		switch {
		case ctx.Err() != nil:
		case errors.Is(err, errAgain):
			continue
		case errors.Is(err, errLate) && lates < maxLates:
			lates++
			continue
		}
		return granted, err
	}
}

// queue asks for the name or a place in its line.
func (s *Store) queue(ctx context.Context, a lease.Acquisition) (lease.Lease, error) {
	deadline, _ := ctx.Deadline()
	payload, err := encodePayload(a)
	if err != nil {
		return lease.Lease{}, fmt.Errorf("acquire %q: %w", a.Name, err)
	}
	ends, beats := int64(0), 0
	if a.Turn != nil {
		ends = s.clock.At(a.Until)
		if s.beatDue() {
			beats = 1
		}
	}
	began := time.Now()
	answer, err := s.runLine(ctx, queueScript, a.Name, string(a.ID), a.Tag.Attempt, a.Tag.Exec, int64(a.Told),
		a.TTL.Milliseconds(), appendPX(nil, a), payload, s.clock.At(deadline), ends, a.MaxHold.Milliseconds(), beats)
	if err != nil {
		return lease.Lease{}, s.failed("acquire", a.Name, err)
	}
	granted, err := s.decodeAcquire(a.Name, answer.replies[0])
	granted = boundedAt(granted, a.MaxHold, answer.time)
	var held *lease.HeldError
	if errors.As(err, &held) && a.Turn != nil {
		if beats == 1 {
			s.beatAt(began)
		}
		s.alarms.arm(a.Name, held.Holder.FreeIn())
	}
	return granted, err
}

// guard is what every script that may grant is told first: our clock, how far Redis's may be from it,
// and whether anything is granted at all.
func (s *Store) guard() []any {
	grants := 1
	if *s.front.refusal.Load() != "" {
		grants = 0
	}
	return []any{time.Now().UnixMicro(), maxSkew.Microseconds(), grants}
}

// decodeAcquire turns an operation's reply, see batch.lua and queue.lua, into a lease or an error.
func (s *Store) decodeAcquire(name string, r reply) (granted lease.Lease, err error) {
	if r.Kind() == "GRANTED" {
		granted, err = leaseOf(r, name, r.Millis(2), r.Millis(3))
	} else {
		err = s.acquireError(name, r)
	}
	if err != nil {
		return lease.Lease{}, fmt.Errorf("acquire %q: %w", name, err)
	}
	return granted, nil
}

func (s *Store) acquireError(name string, r reply) error {
	switch r.Kind() {
	case "HELD":
		holder, err := leaseOf(r, name, 0, r.Millis(2))
		if err != nil {
			return err
		}
		return &lease.HeldError{Holder: holder, Place: int(r.Number(3)), Ticket: r.Decimal(4)}
	case "LINE":
		return errLine
	case "SUPERSEDED":
		return lease.ErrSuperseded
	case "LOST":
		return lease.ErrLost
	case "LATE":
		return errLate
	case "AGAIN":
		return errAgain
	case "FULL":
		return lease.ErrLineFull
	case "REFUSED":
		return fmt.Errorf("%w: %s", lease.ErrGrantsRefused, *s.front.refusal.Load())
	case "SKEW":
		return fmt.Errorf("%w: %s", lease.ErrGrantsRefused, redisconn.SkewProblem(time.Duration(r.Decimal(1))*time.Microsecond))
	default:
		return problemOf(r)
	}
}
