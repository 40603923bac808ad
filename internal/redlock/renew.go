package redlock

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/internal/redlock/ballot"
)

// renewing is a RENEW.
func renewing(r lease.Renewal, until time.Time) ask {
	return ask{name: r.Name, kind: kindRenew, ttl: r.TTL, hold: r.MaxHold, until: until, args: []any{string(r.ID), r.TTL.Milliseconds(), px(r.TTL)}}
}

// renew waits for what came of a round of renewals. Only nodes that have the lease id with the token of the lease
// count; where it stands uncommitted with another one, the token is written back first.
func (s *Store) renew(r *round, req lease.Renewal) (lease.Lease, error) {
	fail := func(err error) (lease.Lease, error) {
		return lease.Lease{}, fmt.Errorf("renew %q: %w", req.Name, err)
	}
	r.extend(callTimeout)
	verdict, token := ballot.Renewed(r.answers(), 0)
	if verdict == ballot.Open {
		r.wait() // those who have answered do not agree
		verdict, token = ballot.Renewed(r.answers(), 0)
	}
	if verdict == ballot.Commit2 {
		verdict = s.commitRenewed(r, req, token)
	}
	switch verdict {
	case ballot.Failed:
		return fail(lease.ErrLost)
	case ballot.Decided:
		renewed, err := r.renewed(req, token)
		if err != nil {
			return fail(err)
		}
		// A ttl that was cut is told however short it is: its holder counts it from before the call.
		if spent := time.Since(r.began); (renewed.MaxHold == 0 || renewed.TTL < renewed.HoldLeft) && spent >= validity(renewed.TTL)-time.Duration(drift*float64(validity(renewed.TTL))) {
			return fail(fmt.Errorf("%w: it took %s", lease.ErrUnknown, spent))
		}
		stands := s.standing(req.Name, token, time.Duration(px(renewed.TTL))*time.Millisecond)
		r.then(func(seat *seat) {
			stands(seat)
			s.straggle(seat, req.ID, token, true)
			if seat.said.Kind == ballot.Refused && seat.answer.reply.Text(1) == "FREE" {
				s.repair(seat.node, req, token)
			}
		})
		return renewed, nil
	}
	return fail(r.unanswered())
}

// unanswered is why a round came to no verdict.
func (r *round) unanswered() error {
	sent, problem := false, error(nil)
	for _, seat := range r.seats {
		switch {
		case !seat.has():
			sent = true
		case seat.answer.err != nil:
			problem = fmt.Errorf("node %d: %w", seat.node+1, seat.answer.err)
			sent = sent || !errors.Is(seat.answer.err, errNotDone)
		}
	}
	kind := lease.ErrUnavailable
	if sent && r.ask.kind != kindLook {
		kind = lease.ErrUnknown
	}
	if problem == nil {
		return fmt.Errorf("%w: the nodes do not agree", kind)
	}
	return fmt.Errorf("%w: too few nodes answered: %w", kind, problem)
}

// commitRenewed writes the token back to nodes that gave another one, which never were told, and counts again.
func (s *Store) commitRenewed(r *round, req lease.Renewal, token int64) ballot.Verdict {
	answers := r.answers()
	asks := make([]*ask, len(answers))
	for i, said := range answers {
		if said.Kind == ballot.Stands && said.Token != token && !said.Committed {
			asks[i] = committing(req.Name, req.ID, said.Token, token, req.TTL, r.ask.until, true)
		}
	}
	second := s.newRoundOf(req.Name, kindCommit, r.ask.until, asks)
	s.put(second)
	second.wait()
	for i, said := range second.answers() {
		if asks[i] != nil {
			answers[i] = said
		}
	}
	verdict, _ := ballot.Renewed(answers, token)
	return verdict
}

// renewed is the lease as the nodes have it that count.
func (r *round) renewed(req lease.Renewal, token int64) (lease.Lease, error) {
	var left, hold []time.Duration
	var longest time.Duration // ttl that was set: a node whose clock is ahead has cut it by more
	var stood *value
	for _, seat := range r.seats {
		if seat.has() && seat.said.Kind == ballot.Stands && seat.value != nil {
			left, hold = append(left, seat.value.left), append(hold, seat.holdLeft(req.MaxHold))
			longest = max(longest, cmp.Or(seat.value.set, seat.value.ttl))
			if stood == nil || seat.said.Token == token {
				stood = seat.value
			}
		}
	}
	l, err := stood.lease(r.ask.name, token, r.store.freeIn(left))
	if req.MaxHold > 0 {
		l.TTL = longest
	}
	return l.Bounded(req.MaxHold, r.store.freeIn(hold)), err
}

// holdLeft is what the node, where a lease stands, finds left of maxHold: by its own clock, since the grant by that of
// the lockd that granted it, which nodes take if it is within 2 s of theirs. As with the rest of a ttl, what is told is
// what a quorum has.
func (s *seat) holdLeft(maxHold time.Duration) time.Duration {
	return maxHold - time.UnixMicro(s.answer.at).Sub(s.value.since)
}
