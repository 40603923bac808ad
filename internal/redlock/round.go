package redlock

import (
	"errors"
	"sync"
	"time"

	"github.com/lockd/lockd/internal/redlock/ballot"
)

// round is one operation at every node, and what each of them said. redsync counts the answers: it sees the round
// as pools of connections, one for each seat. By the time that it asks them, all nodes have been asked already, in one
// order, so that the operations of many rounds share calls and one proposal fits all nodes; the connections
// only wait for what was answered. Their contexts are redsync's and end with its verdict; ours do not.
type round struct {
	store *Store
	ask   ask    // of all nodes, or what is common to asks
	asks  []*ask // of each node, nil: it is not asked
	seats []*seat
	began time.Time
	done  func(*seat) bool // whether a seat counts for redsync

	ripe chan struct{} // closed when redsync's verdict is sure, see ripenLocked

	mu               sync.Mutex
	after            []func(*seat) // see then
	came, ayes, noes int           // how many seats have answered, and what redsync will count them for
}

// seat is what one node says in a round.
type seat struct {
	round *round
	node  int
	came  chan struct{} // closed when it has answered, or nobody waits any more

	answer answer // what follows is readable after came
	value  *value // if a lock stands
	said   ballot.Answer
}

// newRound makes a round of a, at those nodes for which at says so; nil: at all.
func (s *Store) newRound(a ask, at func(node int) bool) *round {
	r := &round{store: s, ask: a, asks: make([]*ask, len(s.queues)), done: stands}
	for i := range r.asks {
		if at == nil || at(i) {
			r.asks[i] = &r.ask
		}
	}
	return r.seated().settled()
}

// newRoundOf makes a round in which each node is asked something else, or nothing.
func (s *Store) newRoundOf(name, kind string, until time.Time, asks []*ask) *round {
	r := &round{store: s, ask: ask{name: name, kind: kind, until: until}, asks: asks, done: stands}
	return r.seated().settled()
}

// secondOf makes a round in which each node is asked what follows from its answer in the first one, as soon as that comes; nil:
// nothing.
func (s *Store) secondOf(first *round, kind string, follows func(*seat) *ask) *round {
	r := &round{store: s, ask: ask{name: first.ask.name, kind: kind, until: first.ask.until}, asks: make([]*ask, len(first.seats)), done: stands, began: time.Now()}
	r.seated()
	first.then(func(said *seat) {
		if a := follows(said); a != nil {
			s.atOne(said.node, *a, r.seats[said.node].take)
		} else {
			r.seats[said.node].take(answer{err: errNotAsked})
		}
	})
	return r
}

func (r *round) seated() *round {
	r.ripe = make(chan struct{})
	r.seats = make([]*seat, len(r.asks))
	seats := make([]seat, len(r.asks))
	for i := range r.asks {
		seats[i] = seat{round: r, node: i, came: make(chan struct{})}
		r.seats[i] = &seats[i]
	}
	return r
}

// settled answers for the nodes that are not asked.
func (r *round) settled() *round {
	for i, a := range r.asks {
		if a == nil {
			r.seats[i].take(answer{err: errNotAsked})
		}
	}
	return r
}

// errNotAsked: a round had nothing to ask of this node.
var errNotAsked = errors.New("it was not asked")

// stands: the lease stands at the node, as far as it was asked about.
func stands(s *seat) bool { return s.said.Kind == ballot.Stands }

// put asks the nodes. Everything that is put has one order at all nodes.
func (s *Store) put(rounds ...*round) {
	now := time.Now()
	s.order.Lock()
	for _, r := range rounds {
		r.began = now
		s.proposeLocked(&r.ask, now)
		for i, a := range r.asks {
			if a != nil {
				s.queues[i].put(a.of(s.keys, s.nodeTimeout(a.ttl), now, r.seats[i].take), now)
			}
		}
	}
	s.order.Unlock()
	for _, q := range s.queues {
		q.kick()
	}
}

// proposeLocked fills in the token that a proposes to all nodes.
func (s *Store) proposeLocked(a *ask, now time.Time) {
	switch a.kind {
	case kindAcquire:
		s.proposed = ballot.Propose(now.UnixMicro(), s.proposed, s.seen.Load())
		a.args[proposalOfAcquire] = s.proposed
	case kindForce: // past the forced token, at nodes that have never heard of it, too
		forced, _ := a.args[proposalOfForce].(int64)
		s.proposed = ballot.Propose(now.UnixMicro(), s.proposed, max(s.seen.Load(), forced))
		a.args[proposalOfForce] = s.proposed
	}
}

// take is told what the node answered, once.
func (s *seat) take(a answer) {
	s.answer = a
	s.said, s.value = s.round.judge(a)
	r := s.round
	r.mu.Lock()
	close(s.came)
	r.ripenLocked(s)
	after := r.after
	r.mu.Unlock()
	for _, f := range after {
		f(s)
	}
}

// ripenLocked counts s, which has answered. As soon as redsync would have its verdict, it may be asked: its goroutines, one
// for each seat, find what they wait for then, and are not each parked and woken. Its own clock starts later by that; but
// whoever counts with a validity takes it from when the round began.
func (r *round) ripenLocked(s *seat) {
	r.came++
	switch {
	case r.done(s):
		r.ayes++
	case s.trouble() == nil:
		r.noes++
	}
	q := ballot.Quorum(len(r.seats))
	if r.ayes == q || r.noes == q || r.came == len(r.seats) {
		select {
		case <-r.ripe: // it was
		default:
			close(r.ripe)
		}
	}
}

// judge reads an answer. A node that could not be asked has certainly granted nothing; but whether a lease stands there
// that it had before, nobody knows.
func (r *round) judge(a answer) (ballot.Answer, *value) {
	granting := r.ask.kind == kindAcquire || r.ask.kind == kindCommit
	if a.err != nil || a.reply.Kind() == "ERROR" {
		if granting && (a.err == nil || errors.Is(a.err, errNotDone) || errors.Is(a.err, errNotAsked)) {
			return ballot.Answer{Kind: ballot.Refused}, nil
		}
		return ballot.Answer{}, nil
	}
	if token := a.reply.Number(0); token != 0 && granting {
		return ballot.Answer{Kind: ballot.Stands, Token: token, Fresh: true}, nil
	}
	v, mine, err := r.read(a.reply)
	switch {
	case err != nil:
		return ballot.Answer{}, nil
	case v == nil || !mine:
		return ballot.Answer{Kind: ballot.Refused}, v
	}
	return ballot.Answer{Kind: ballot.Stands, Token: v.token, Committed: v.committed}, v
}

// read answers the value of a reply, nil if it has none, and whether it is that of the lease that was asked for.
func (r *round) read(a reply) (v *value, mine bool, err error) {
	switch kind := a.Kind(); {
	case kind == "STANDS":
		v, err = decodeValue(a.Text(1), a.Millis(2), a.Millis(3))
		return v, true, err
	case kind == "HELD" && r.ask.kind != kindRelease:
		v, err = decodeValue(a.Text(1), 0, a.Millis(2))
		return v, false, err
	case len(a) == 1 && r.ask.kind == kindRenew && kind != "NONE":
		if v, err = decodeValue(kind, 0, 0); v != nil {
			v.left = v.px + v.delay
		}
		return v, true, err
	}
	return nil, false, nil
}

// has reports whether the node has answered by now.
func (s *seat) has() bool {
	select {
	case <-s.came:
		return true
	default:
		return false
	}
}

// answers is what the nodes have said so far; one that has not answered is silent.
func (r *round) answers() []ballot.Answer {
	answers := make([]ballot.Answer, len(r.seats))
	for i, s := range r.seats {
		if s.has() {
			answers[i] = s.said
		}
	}
	return answers
}

// wait waits for all nodes, which takes no longer than a node has.
func (r *round) wait() {
	for _, s := range r.seats {
		<-s.came
	}
}

// then has f called once for every node: now for those that have answered, and as soon as they do for the others. f must not block.
func (r *round) then(f func(*seat)) {
	r.mu.Lock()
	r.after = append(r.after, f)
	var came []*seat
	for _, s := range r.seats {
		if s.has() {
			came = append(came, s)
		}
	}
	r.mu.Unlock()
	for _, s := range came {
		f(s)
	}
}
