package redlock

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/internal/redlock/ballot"
)

var (
	// errLate: the calls reached the nodes after the deadline and wrote nothing.
	errLate = fmt.Errorf("%w: the calls reached the nodes too late", lease.ErrUnavailable)
	// errSplit: nobody has the name, and nobody was granted it: several asked at once, or who is next has not come yet.
	errSplit = fmt.Errorf("%w: several ask for the name at once", lease.ErrUnavailable)
	// errFree: the name is free, and may not be granted to who asked.
	errFree = fmt.Errorf("%w: the name is free", lease.ErrUnavailable)
)

// grant is a lease that a quorum has.
type grant struct {
	lease lease.Lease
	began time.Time // before its ttl did
	fresh bool      // not merely answered again
}

// propose asks all nodes for a lease. Whoever asks has to call decide. Flags and wants: see batch.lua.
func (s *Store) propose(a lease.Acquisition, flags string, w wants, until time.Time) (*round, error) {
	ask, err := acquiring(a, flags, w, until)
	if err != nil {
		return nil, fmt.Errorf("acquire %q: %w", a.Name, err)
	}
	r := s.newRound(ask, nil)
	s.put(r)
	return r, nil
}

// decide waits for the verdict on an acquisition that was put. Errors beside the contract's are errSplit and errFree.
// What nodes have done for an acquisition that failed is undone as they answer.
func (s *Store) decide(r *round, a lease.Acquisition) (grant, error) {
	locked := r.lock()
	verdict, token := ballot.Granted(r.answers())
	if locked && verdict == ballot.Commit2 {
		if slices.ContainsFunc(r.answers(), func(said ballot.Answer) bool { return said.Kind == ballot.Stands && !said.Fresh }) {
			r.wait() // it stood before, and may have been decided: the token stays, if all who answer know which it was
			_, token = ballot.Granted(r.answers())
		}
		verdict = s.commit(r, a, token)
	}
	spent := time.Since(r.began)
	if !locked || verdict != ballot.Decided || spent >= validity(a.TTL)-time.Duration(drift*float64(validity(a.TTL))) {
		r.then(func(seat *seat) { s.takeBack(seat, a) })
		return grant{}, s.refusal(r, a)
	}
	stands := s.standing(a.Name, token, time.Duration(px(a.TTL))*time.Millisecond)
	r.then(func(seat *seat) {
		stands(seat)
		if seat.said.Fresh && seat.said.Token > token {
			s.takeBack(seat, a) // it cannot be committed there, see ballot.Commit; a repair may plant it
			return
		}
		s.straggle(seat, a.ID, token, false)
	})
	granted, err := r.granted(a, token)
	fresh := slices.ContainsFunc(r.answers(), func(said ballot.Answer) bool { return said.Fresh })
	return grant{granted, r.began, fresh}, err
}

// commit is the second round: the token is written back to the nodes that granted, each only where what it reported
// still stands; also to those whose answer comes now, since of those that decided the first round some may have gone.
func (s *Store) commit(r *round, a lease.Acquisition, token int64) ballot.Verdict {
	second := s.secondOf(r, kindCommit, func(said *seat) *ask {
		if said.said.Kind != ballot.Stands {
			return nil
		}
		return committing(a.Name, a.ID, said.said.Token, token, a.TTL, r.ask.until, false)
	})
	second.extend(a.TTL)
	return ballot.Committed(second.answers(), token)
}

// committing is a second round's question. Of a lease whose client was told of it, no undo may find the execution at that
// node any more: it may be owed still by who does not know that a retry was granted the lease.
func committing(name string, id lease.ID, reported, token int64, ttl time.Duration, until time.Time, told bool) *ask {
	is := 0
	if told {
		is = 1
	}
	return &ask{name: name, kind: kindCommit, ttl: ttl, until: until, args: []any{string(id), reported, token, is}}
}

// granted is the lease that a quorum has with token.
func (r *round) granted(a lease.Acquisition, token int64) (lease.Lease, error) {
	whole := time.Duration(px(a.TTL)) * time.Millisecond
	var stood *value
	var left, hold []time.Duration
	for _, s := range r.seats {
		switch {
		case !s.has() || s.said.Kind != ballot.Stands:
		case s.value == nil:
			left, hold = append(left, whole+a.LockDelay), append(hold, a.MaxHold)
		default:
			left, hold = append(left, s.value.left), append(hold, s.holdLeft(a.MaxHold))
			if stood == nil || s.value.since.Before(stood.since) {
				stood = s.value
			}
		}
	}
	if stood != nil {
		l, err := stood.lease(a.Name, token, r.store.freeIn(left))
		return l.Bounded(a.MaxHold, r.store.freeIn(hold)), err
	}
	l := lease.Lease{
		Name: a.Name, Token: lease.Token(token), Owner: a.Owner, Principal: a.Principal, Since: time.UnixMicro(r.ask.since),
		TTL: a.TTL, Left: a.TTL, ExpiresIn: whole, Delay: a.LockDelay,
	}
	if len(a.Metadata) > 0 {
		l.Metadata = a.Metadata
	}
	return l.Bounded(a.MaxHold, a.MaxHold), nil
}

// freeIn is when a quorum has no lease any more that stands for so long at each node that has it.
func (s *Store) freeIn(left []time.Duration) time.Duration {
	if len(left) == 0 {
		return 0
	}
	slices.Sort(left)
	slices.Reverse(left)
	return left[min(ballot.Quorum(len(s.queues)), len(left))-1]
}

// straggle writes the token of a lease back to a node that has answered another one, since or before the verdict.
func (s *Store) straggle(seat *seat, id lease.ID, token int64, told bool) {
	if said := seat.said; said.Kind == ballot.Stands && said.Token < token {
		s.tellOne(seat.node, *committing(seat.round.ask.name, id, said.Token, token, seat.round.ask.ttl, time.Now().Add(callTimeout), told))
	}
}

// takeBack undoes what a node granted to an acquisition that failed, or may have. What stood there before is left: it
// is for the Lessor to judge whether anybody counts on it.
func (s *Store) takeBack(seat *seat, a lease.Acquisition) {
	if a.Told != 0 {
		return // nothing was granted anew, and its client may count on what stands
	}
	switch said := seat.said; {
	case said.Kind == ballot.Stands && said.Fresh, said.Kind == ballot.Silent:
		s.undoAt(seat.node, lease.Undoing{Name: a.Name, ID: a.ID, Tag: a.Tag, Deadline: seat.round.ask.until}, a.TTL)
	}
}

// acquire executes an acquisition until it is known what came of it. first, if not nil, was put for it already.
func (s *Store) acquire(a lease.Acquisition, until time.Time, first *round, e entering) (lease.Lease, error) {
	ctx, cancel := context.WithDeadline(s.errands.ctx, until)
	defer cancel()
	got, err := s.insist(ctx, a, until, first, e)
	if err != nil {
		return lease.Lease{}, fmt.Errorf("acquire %q: %w", a.Name, err)
	}
	return got, nil
}

const (
	// courtesy is for how long a name that was freed is left to the instance that has waited the longest.
	courtesy = 40 * time.Millisecond
	// maxTries is how often an acquisition is executed that met others.
	maxTries = 8
)

// insist asks again after answers that say that nothing was done and that another try will do.
func (s *Store) insist(ctx context.Context, a lease.Acquisition, until time.Time, r *round, e entering) (lease.Lease, error) {
	if a.Told != 0 {
		if err := s.holdsStill(a, until); err != nil {
			return lease.Lease{}, err
		}
	}
	flags := ""
	for try := 1; ; try++ {
		var err error
		if r == nil {
			if e, err = s.lines.enter(a); err != nil {
				return lease.Lease{}, err
			}
			if r, err = s.propose(e.as(a), e.flags+flags, e.wants, until); err != nil {
				return lease.Lease{}, err
			}
		}
		g, err := s.decide(r, e.as(a))
		r = nil
		var split *contested
		var held *lease.HeldError
		if a.Told != 0 && (err == nil && g.lease.Token != a.Told || errors.Is(err, errFree) || errors.As(err, &held) && !errors.As(err, &split)) {
			return lease.Lease{}, lease.ErrLost // and nothing was granted anew
		}
		last := try == maxTries || time.Until(until) < 2*courtesy
		switch {
		case err == nil:
			s.lines.granted(a, g)
			return g.lease, nil
		case errors.Is(err, errFree): // others are first
			s.promote(a.Name)
			if !last {
				continue
			}
		case errors.As(err, &split), errors.Is(err, errSplit):
			if !last && sleep(ctx, about(courtesy/2)) {
				flags = "I"
				continue
			}
		case errors.Is(err, errLate) && !last:
			continue
		}
		if errors.As(err, &held) {
			return lease.Lease{}, s.lines.refuse(a, held, e, until)
		}
		return lease.Lease{}, err
	}
}
