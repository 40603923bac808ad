package redlock

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/internal/line"
	"github.com/lockd/lockd/internal/redisconn"
	"github.com/lockd/lockd/internal/redlock/ballot"
)

// undoing is an UNDO. Of an execution of our own it finds that one alone, of one that a Lessor names all of them.
func undoing(u lease.Undoing, ttl time.Duration) ask {
	return ask{name: u.Name, kind: kindUndo, ttl: ttl, until: time.Now().Add(callTimeout), args: []any{string(u.ID), u.Tag.Attempt, u.Tag.Exec}}
}

// Undo implements lease.Store. It repeats until a majority's own clocks say that the execution can arrive no more, so
// that no quorum can have it; for the other nodes it is repeated still for a while, for what is left there.
func (s *Store) Undo(ctx context.Context, u lease.Undoing) error {
	if u.Tag.Exec == lease.ExecReplayed {
		return s.past(ctx, u)
	}
	sure := make(map[int]bool)
	for pause := 20 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		s.lines.gone(ctx, u)
		r := s.newRound(undoing(u, 0), func(node int) bool { return !sure[node] })
		s.put(r)
		r.unlock()
		if len(sure) == 0 {
			r.wait() // as much as can be undone at once is
		}
		s.undone(r, u, sure)
		if len(sure) >= ballot.Quorum(len(s.queues)) && time.Now().After(u.Deadline) {
			s.lines.gone(ctx, u) // a copy of it may have come into line meanwhile, and now none can any more
			for node := range s.queues {
				if !sure[node] {
					s.undoAt(node, u, 0)
				}
			}
			return nil
		}
		if !sleep(ctx, pause/2+about(pause)/2) {
			return fmt.Errorf("undo on %q: %w", u.Name, lease.ErrUnknown)
		}
	}
}

// undone takes what the nodes have done, and notes those where the execution can take no more effect.
func (s *Store) undone(r *round, u lease.Undoing, sure map[int]bool) {
	var freed []*value
	next, opened := "", false
	for _, seat := range r.seats {
		if !seat.has() || seat.answer.err != nil || seat.answer.reply.Kind() == "ERROR" {
			continue
		}
		if seat.answer.reply.Kind() == "UNDONE" {
			next = nextOf(seat.answer.reply.Text(1), next)
			if v, err := decodeValue(seat.answer.reply.Text(2), 0, 0); err == nil {
				freed = append(freed, v)
			} else {
				opened = true // it was over, which was told
			}
		}
		if seat.answer.at > s.sureAt(seat.node, u.Deadline) {
			sure[seat.node] = true
		}
	}
	if len(freed) == 0 && !opened {
		return
	}
	if u.KeepPlace {
		s.lines.back(u)
	}
	s.lines.released(u.Name, freed, next)
}

// sureAt is the node's TIME from which on nothing that had this deadline takes effect. When the deadline was told to the node, our
// reckoning of its clock may have been ahead by as much as the call took that it was learnt from, also one that looked at it.
func (s *Store) sureAt(node int, deadline time.Time) int64 {
	return s.queues[node].node.time(deadline.Add(redisconn.CallTimeout))
}

// nextOf answers which instance a node says has waited the longest, or the one that another said.
func nextOf(want, before string) string {
	if instance, _, ok := strings.Cut(want, "|"); ok {
		return instance
	}
	return before
}

// past waits until an execution that no undo finds can take no more effect.
func (s *Store) past(ctx context.Context, u lease.Undoing) error {
	if !sleep(ctx, time.Until(u.Deadline)) {
		return fmt.Errorf("undo on %q: %w", u.Name, lease.ErrUnknown)
	}
	return nil
}

// undoAt undoes an execution at one node, at once and, if that is not sure, again until it is, for as long as what it
// may have left there stands.
func (s *Store) undoAt(node int, u lease.Undoing, ttl time.Duration) {
	sure := func(a answer) (bool, time.Time) {
		if !did(a) {
			return false, again(a)
		}
		at := s.sureAt(node, u.Deadline)
		return a.at > at, time.Now().Add(time.Duration(at-a.at)*time.Microsecond + firstPause)
	}
	s.atOne(node, undoing(u, ttl), func(a answer) {
		if done, next := sure(a); !done {
			s.owes(node, undoing(u, ttl), next, sure)
		}
	})
}

// owes has a node asked again, from next on, until it has paid or what a would free has surely run out.
func (s *Store) owes(node int, a ask, next time.Time, paid verdictOn) {
	s.owed[node].add(&debt{ask: a, next: next, until: time.Now().Add(s.group.longest()), paid: paid})
}

// undoAll undoes an execution everywhere, waiting for nothing.
func (s *Store) undoAll(u lease.Undoing, ttl time.Duration) {
	for node := range s.queues {
		s.undoAt(node, u, ttl)
	}
}

// atOne puts an operation to one node.
func (s *Store) atOne(node int, a ask, to func(answer)) {
	now := time.Now()
	s.queues[node].put(a.of(s.keys, s.nodeTimeout(a.ttl), now, to), now)
	s.queues[node].kick()
}

// tellOne is atOne for what nobody waits for.
func (s *Store) tellOne(node int, a ask) { s.atOne(node, a, func(answer) {}) }

// releasing is a RELEASE.
func releasing(r lease.ReleaseRequest, until time.Time) ask {
	return ask{name: r.Name, kind: kindRelease, until: until, args: []any{string(r.ID)}}
}

// did: the node has done what it was asked, whatever it found.
func did(a answer) bool { return a.err == nil && a.reply.Kind() != "ERROR" }

// again is when to ask a node again that did not: at once if it may not have heard of it, and later if it could not.
func again(a answer) time.Time {
	if a.err != nil {
		return time.Now()
	}
	return time.Now().Add(about(owedEvery))
}

func answeredIt(s *seat) bool { return did(s.answer) }

// release waits for what came of a round of releases. It is done when a majority has answered, whatever they found:
// no quorum can have the lease then. What others may have of it is released when they answer, and once
// more where the lease was not found: what was on its way there may arrive yet.
func (s *Store) release(r *round, req lease.ReleaseRequest) (lease.Released, error) {
	done := r.unlock()
	held, gone, other, once, next := 0, 0, 0, true, ""
	var freed []*value
	for _, seat := range r.seats {
		if !seat.has() || !answeredIt(seat) {
			continue
		}
		switch said := seat.answer.reply; said.Kind() {
		case "GONE":
			gone++
		case "OTHER":
			other++
		default:
			held++
			once = once && (said.Number(0) == 1 || said.Number(1) == 1 && said.Text(2) != lease.ExecReplayed)
			next = nextOf(said.Text(3), next)
			if v, err := decodeValue(said.Text(4), 0, 0); err == nil {
				freed = append(freed, v)
			}
		}
	}
	q := ballot.Quorum(len(s.queues))
	silent := len(r.seats) - held - gone - other
	if held > 0 {
		s.bare.forget(req.Name)
		repeated := releasing(req, time.Time{})
		if held+silent >= q {
			repeated.kind = kindFollow // it was in force, so its end is clean, wherever it was over by then
		}
		r.then(func(seat *seat) { s.releaseAgain(seat, repeated) })
		s.lines.released(req.Name, freed, next)
	}
	switch {
	case !done && held > 0:
		return lease.Released{}, fmt.Errorf("release %q: %w: %d of %d nodes have", req.Name, lease.ErrUnknown, held, len(r.seats))
	case !done:
		return lease.Released{}, fmt.Errorf("release %q: %w", req.Name, r.unanswered())
	case held > 0 && held+silent >= q:
		return lease.Released{Outcome: lease.Held, Repeat: !once}, nil
	case other >= gone:
		return lease.Released{Outcome: lease.HeldByOther, Repeat: true}, nil
	}
	return lease.Released{Outcome: lease.Gone, Repeat: true}, nil
}

// releaseAgain releases at one node what was released elsewhere: as soon as it answers, and where the lease was not found once
// more, when no copy of its acquisition can arrive there any more.
func (s *Store) releaseAgain(seat *seat, repeated ask) {
	sure := time.Now().Add(callTimeout + s.nodeTimeout(0))
	paid := func(a answer) (bool, time.Time) {
		switch {
		case !did(a):
			return false, again(a)
		case a.reply.Kind() == "GONE" && time.Now().Before(sure):
			return false, sure
		}
		return true, time.Time{}
	}
	if done, next := paid(seat.answer); !done {
		repeated.until = sure
		s.owes(seat.node, repeated, next, paid)
	}
}

// ForceRelease implements lease.Store. The token is compared with what a quorum has; then the lease goes, whatever
// token its nodes have given it.
func (s *Store) ForceRelease(ctx context.Context, req lease.ForceRequest) (lease.Lease, error) {
	fail := func(err error) (lease.Lease, error) {
		return lease.Lease{}, fmt.Errorf("force-release %q: %w", req.Name, err)
	}
	until, _ := ctx.Deadline()
	held, err := s.look(req.Name, until)
	if err != nil {
		return fail(err)
	}
	stale := &lease.TokenError{Name: req.Name, Token: req.Token}
	if held == nil || held.lease.Closed > 0 {
		return lease.Lease{}, stale
	}
	if held.lease.Token != req.Token {
		stale.InForce = &held.lease
		return lease.Lease{}, stale
	}
	note, err := json.Marshal(notice{
		Kind: noticeForced, Name: req.Name, At: time.Now().UnixMicro(), Token: int64(req.Token),
		Owner: held.lease.Owner, Principal: held.lease.Principal, By: req.By, Reason: req.Reason,
	})
	if err != nil {
		return fail(err)
	}
	r := s.newRound(ask{name: req.Name, kind: kindForce, until: until, args: []any{string(held.id), int64(req.Token), string(note)}}, nil)
	r.done = answeredIt
	s.put(r)
	if !r.unlock() {
		return fail(lease.ErrUnknown)
	}
	s.watches.tell(lease.Event{
		Kind: lease.EventForced, Name: req.Name, At: line.Wall(time.Now()), Token: req.Token,
		Owner: held.lease.Owner, Principal: held.lease.Principal, By: req.By, Reason: req.Reason,
	})
	s.lines.freed(req.Name, "")
	return held.lease, nil
}
