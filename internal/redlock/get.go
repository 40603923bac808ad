package redlock

import (
	"context"
	"fmt"
	"time"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/internal/redlock/ballot"
)

// settleFor is how long one who looks waits for the other nodes when a quorum has answered: whoever has not by then is
// counted as not having it.
const settleFor = 20 * time.Millisecond

// found is a lease that stands at a quorum, or keeps its name closed there.
type found struct {
	id    lease.ID
	lease lease.Lease
	nodes int // that have it with its token
}

// look answers which lease a quorum has on name, nil if none has. Errors: ErrUnavailable if that cannot be told.
func (s *Store) look(name string, until time.Time) (*found, error) {
	r := s.newRound(ask{name: name, kind: kindLook, until: until}, nil)
	s.put(r)
	return r.looked()
}

// lookUntil looks again while too few nodes answer, which costs nobody anything.
func (s *Store) lookUntil(ctx context.Context, name string, until time.Time) (*found, error) {
	for {
		found, err := s.look(name, until)
		if err == nil || time.Until(until) < s.nodeTimeout(0) || !sleep(ctx, about(firstPause)) {
			return found, err
		}
	}
}

// looked waits for what came of a round of looking.
func (r *round) looked() (*found, error) {
	rest := time.NewTimer(time.Hour)
	defer rest.Stop()
	for i, s := range r.inOrder() {
		if i == ballot.Quorum(len(r.seats)) {
			rest.Reset(settleFor)
		}
		select {
		case <-s:
		case <-rest.C:
			rest.Reset(0)
		}
	}
	got, open, err := r.found()
	if open {
		r.wait()
		got, open, err = r.found()
	}
	if open {
		return nil, r.unanswered()
	}
	return got, err
}

// inOrder is one channel for each seat, closed in the order in which they answer.
func (r *round) inOrder() []<-chan struct{} {
	all := make([]<-chan struct{}, len(r.seats))
	for i, s := range r.seats {
		all[i] = s.came
	}
	return all
}

// found is what a quorum has, as far as is known; open: those who are silent may have it.
func (r *round) found() (got *found, open bool, err error) {
	at := make(map[lease.ID][]*value)
	silent := 0
	for _, s := range r.seats {
		switch {
		case !s.has() || s.said.Kind == ballot.Silent:
			silent++
		case s.value != nil:
			at[s.value.id] = append(at[s.value.id], s.value)
		}
	}
	n := len(r.seats)
	open = silent >= ballot.Quorum(n)
	for id, values := range at {
		answers := make([]ballot.Answer, n)
		var left []time.Duration
		for i := range answers {
			switch {
			case i < len(values):
				answers[i] = ballot.Answer{Kind: ballot.Stands, Token: values[i].token, Committed: values[i].committed}
				left = append(left, values[i].left)
			case i >= len(values)+silent:
				answers[i].Kind = ballot.Refused
			}
		}
		switch verdict, token := ballot.Standing(answers); verdict {
		case ballot.Decided:
			l, err := values[0].lease(r.ask.name, token, r.store.freeIn(left))
			_, nodes := commonToken(values) // the one that a quorum has
			return &found{id, l, nodes}, false, err
		case ballot.Open:
			open = true
		}
	}
	return nil, open, nil
}

// maxLooks is how often a Get looks at a name that is free and wanted: who is next may be refused it for long.
const maxLooks = 3

// Get implements lease.Store. A name that somebody waits for here is on its way to him when it is free.
func (s *Store) Get(ctx context.Context, r lease.GetRequest) (lease.Standing, error) {
	until, _ := ctx.Deadline()
	var held *found
	var err error
	for looks := 1; held == nil && looks <= maxLooks; looks++ {
		wanted := s.lines.busy(r.Name)
		held, err = s.lookUntil(ctx, r.Name, until)
		if err != nil {
			return lease.Standing{}, fmt.Errorf("look at %q: %w", r.Name, err)
		}
		if !wanted {
			break
		}
		if held == nil && looks < maxLooks {
			s.promote(r.Name)
		}
	}
	var standing lease.Standing
	standing.Waiters, standing.Waiting = s.lines.show(r.Name, r.Waiters)
	if held != nil {
		standing.Held, standing.Lease = held.lease.Closed == 0, held.lease
	}
	if standing.Held {
		standing.Nodes, standing.OfNodes = held.nodes, len(s.queues)
	}
	return standing, nil
}

// holdsStill answers an error unless a quorum has the lease that a's client was told of.
func (s *Store) holdsStill(a lease.Acquisition, until time.Time) error {
	held, err := s.look(a.Name, until)
	switch {
	case err != nil:
		return err
	case held == nil || held.id != a.ID || held.lease.Token != a.Told || held.lease.Closed > 0:
		return lease.ErrLost
	}
	return nil
}
