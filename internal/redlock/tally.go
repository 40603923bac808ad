package redlock

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/internal/redisconn"
	"github.com/lockd/lockd/internal/redlock/ballot"
)

// refusal is why an acquisition was not granted.
func (s *Store) refusal(r *round, a lease.Acquisition) error {
	why := s.newTally()
	for _, seat := range r.seats {
		if seat.has() {
			why.count(seat)
		} else {
			why.silent++
		}
	}
	return why.err(a.Name)
}

// tally counts the reasons for which nodes did not grant a lease.
type tally struct {
	store   *Store
	granted int
	silent  int
	words   map[string]int
	skew    time.Duration
	problem error // of a node that could not be asked, or could not do it
	full    int
	rivals  map[lease.ID][]*value
}

func (s *Store) newTally() *tally {
	return &tally{store: s, words: make(map[string]int), rivals: make(map[lease.ID][]*value)}
}

func (t *tally) count(s *seat) {
	switch {
	case s.said.Kind == ballot.Stands:
		t.granted++
	case s.answer.err != nil:
		t.problem = fmt.Errorf("node %d: %w", s.node+1, s.answer.err)
		if !errors.Is(s.answer.err, errNotDone) {
			t.silent++
		}
		if errors.Is(s.answer.err, lease.ErrStoreFull) {
			t.full++
		}
	case s.value != nil:
		t.rivals[s.value.id] = append(t.rivals[s.value.id], s.value)
	default:
		kind := s.answer.reply.Kind()
		t.words[kind]++
		switch kind {
		case "SKEW":
			t.skew = time.Duration(s.answer.reply.Decimal(1)) * time.Microsecond
		case "ERROR":
			text := s.answer.reply.Text(1)
			t.problem = fmt.Errorf("node %d: redis says: %s", s.node+1, text)
			if strings.Contains(text, "OOM ") {
				t.full++
			}
		}
	}
}

// err names the reason. Nobody is told "held" unless a quorum has one other lease, or nobody else could be granted it.
func (t *tally) err(name string) error {
	n := len(t.store.queues)
	q := ballot.Quorum(n)
	rival, most := t.rival()
	switch {
	case most >= q:
		return t.held(name, rival)
	case t.words["SUPERSEDED"] > 0:
		return lease.ErrSuperseded
	case t.granted+t.silent >= q:
		return fmt.Errorf("%w: %d of %d nodes answered, %d are needed: %w", lease.ErrUnknown, n-t.silent, n, q, t.why())
	case t.words["SKEW"] > n-q:
		return fmt.Errorf("%w: %s", lease.ErrGrantsRefused, redisconn.SkewProblem(t.skew))
	case t.full > n-q:
		return fmt.Errorf("%w: %w", lease.ErrStoreFull, t.why())
	case t.words["FREE"] > 0 && most == 0:
		return errFree
	case t.words["LATE"] > 0 && most == 0 && t.granted == 0:
		return errLate
	case most > 0:
		return &contested{t.held(name, rival)}
	case t.words["WANTED"] > 0 || t.granted > 0 && t.problem == nil:
		return errSplit
	}
	return fmt.Errorf("%w: %w", lease.ErrUnavailable, t.why())
}

func (t *tally) why() error {
	if t.problem == nil {
		return errUnanswered
	}
	return t.problem
}

// rival is who else stands at the most nodes, and at how many.
func (t *tally) rival() (rival []*value, most int) {
	for _, at := range t.rivals {
		if len(at) > most {
			rival, most = at, len(at)
		}
	}
	return rival, most
}

func (t *tally) held(name string, at []*value) error {
	l, err := t.store.leaseAt(name, at)
	if err != nil {
		return err
	}
	return &lease.HeldError{Holder: l}
}

// contested: another lease stands at some nodes, but at no quorum as far as is known. It may be one that is just being
// granted, or freed, or has lost nodes.
type contested struct{ held error }

func (e *contested) Error() string { return e.held.Error() }
func (e *contested) Unwrap() error { return e.held }

// leaseAt is the lease that stands like this at some nodes.
func (s *Store) leaseAt(name string, at []*value) (lease.Lease, error) {
	answers := make([]ballot.Answer, len(s.queues))
	left := make([]time.Duration, len(at))
	for i, v := range at {
		answers[i] = ballot.Answer{Kind: ballot.Stands, Token: v.token, Committed: v.committed}
		left[i] = v.left
	}
	_, token := ballot.Renewed(answers, 0)
	return at[0].lease(name, token, s.freeIn(left))
}
