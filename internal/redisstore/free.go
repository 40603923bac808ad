package redisstore

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/lockd/lockd/internal/lease"
)

// Undo implements lease.Store. It repeats until Redis's own clock says that the execution can
// arrive no more; what arrived before that has then been seen. From its beginning on, this process asks
// for the lease id no more.
func (s *Store) Undo(ctx context.Context, u lease.Undoing) error {
	s = s.of(u.Name)
	// Half a second beyond the deadline covers what our reckoning of Redis's clock may be off by:
	// it is learnt from replies that were under way for no longer than that.
	sure := s.waiters.leave(u).Add(callTimeout)
	for pause := 20 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		at, err := s.leave(ctx, u, 0)
		if err == nil && at > s.clock.At(sure) {
			return nil
		}
		if !sleep(ctx, pause/2+rand.N(pause)) {
			return fmt.Errorf("undo on %q: %w", u.Name, lease.ErrUnknown)
		}
	}
}

// leave answers Redis's TIME in µs at which the execution was not, or no longer, in force or in line, but
// for a lease with the token told, which is left alone.
func (s *Store) leave(ctx context.Context, u lease.Undoing, told lease.Token) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	keep := 0
	if u.KeepPlace {
		keep = 1
	}
	answer, err := s.runLine(ctx, leaveScript, u.Name, string(u.ID), u.Tag.Attempt, u.Tag.Exec, keep, int64(told))
	if err != nil {
		return 0, s.failed("undo", u.Name, err)
	}
	return answer.time, nil
}

// sleep waits for d and reports whether ctx goes on.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// released answers what a script says of a release.
func (s *Store) released(r lease.ReleaseRequest, reply reply, err error) (lease.Released, error) {
	if err != nil {
		return lease.Released{}, s.failed("release", r.Name, err)
	}
	if reply.Number(0) == 1 {
		s.outlast(r.Name, r.ID, false)
		return lease.Released{Outcome: lease.Held}, nil
	}
	switch reply.Kind() {
	case "HELD":
		s.outlast(r.Name, r.ID, false)
		// Attempts before the one that stood may be on their way still, each able to grant anew.
		once := reply.Number(1) == 1 && reply.Text(2) != lease.ExecReplayed
		return lease.Released{Outcome: lease.Held, Repeat: !once}, nil
	case "GONE":
		return lease.Released{Outcome: lease.Gone, Repeat: true}, nil
	case "OTHER":
		return lease.Released{Outcome: lease.HeldByOther, Repeat: true}, nil
	default:
		return lease.Released{}, fmt.Errorf("release %q: %w", r.Name, problemOf(reply))
	}
}

// releaseInLine releases a name that has, or perhaps has, a line.
func (s *Store) releaseInLine(ctx context.Context, r lease.ReleaseRequest) (lease.Released, error) {
	answer, err := s.runLine(ctx, freeScript, r.Name, "RELEASE", string(r.ID))
	if err != nil {
		return s.released(r, nil, err)
	}
	return s.released(r, answer.replies[0], nil)
}

// outlast has what we asked ourselves on a name for a lease id that waits there no more, and do not know
// the outcome of, undone until it can take no more effect.
func (s *Store) outlast(name string, id lease.ID, keepPlace bool) {
	if d, is := s.waiters.doubt(name, id); is {
		d.KeepPlace = keepPlace
		s.owe(d.over, func(ctx context.Context) { _ = s.Undo(ctx, d.Undoing) }) // else it has run out
	}
}

// owe has f undo, in the background, what nobody waits for any more, until over: then it has run out. To give up
// sooner would be to leave the name to nobody for a whole ttl: Redis may be away for long, and hand it over when it is
// back. With too much owed already it is left to that.
func (s *Store) owe(over time.Time, f func(context.Context)) {
	owed := s.roomIn(s.background, s.front.owedRooms, s.owed)
	select {
	case owed <- struct{}{}:
	default:
		return
	}
	s.carryOut(owed, func() {
		ctx, cancel := context.WithDeadline(s.background, over)
		defer cancel()
		f(ctx)
	})
}

// ForceRelease implements lease.Store.
func (s *Store) ForceRelease(ctx context.Context, r lease.ForceRequest) (lease.Lease, error) {
	s = s.of(r.Name)
	answer, err := s.runLine(ctx, freeScript, r.Name, "FORCE", int64(r.Token), r.By, r.Reason)
	if err != nil {
		return lease.Lease{}, s.failed("force-release", r.Name, err)
	}
	reply := answer.replies[0]
	if reply.Kind() != "FORCED" && reply.Kind() != "STALE" {
		return lease.Lease{}, fmt.Errorf("force-release %q: %w", r.Name, problemOf(reply))
	}
	stale := &lease.TokenError{Name: r.Name, Token: r.Token}
	if len(reply) == 1 {
		return lease.Lease{}, stale
	}
	held, err := leaseOf(reply, r.Name, 0, reply.Millis(2))
	if err != nil {
		return lease.Lease{}, fmt.Errorf("force-release %q: %w", r.Name, err)
	}
	if reply.Kind() == "STALE" {
		stale.InForce = &held
		return lease.Lease{}, stale
	}
	return held, nil
}
