package redlock

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lockd/lockd/internal/redisconn"
)

// Change is what an operator has done to nodes that lockd does not make a group of by itself. What it would do is said
// first; Apply compares that the nodes are still as they were then, and does it, or else nothing or a part with which
// nobody votes: then it is to be done again.
type Change struct {
	Nodes  []string // what each of the nodes is, and will be
	Effect []string // what follows for leases and tokens
	group  *group
	does   *founding
	gap    time.Duration
}

// operatorFor bounds a change: all nodes have to answer.
const operatorFor = 10 * time.Second

// ErrNothingToDo: the nodes are what the operator wants already.
var ErrNothingToDo = errors.New("all nodes are members of one group, and remember it: there is nothing to do")

// PlanInit plans a new group of the nodes, whatever they were. Nothing that they promised counts any more, so unless all are
// empty none votes for as long as leases may stand; locks that are there are left to expire. It tries for up to 10 s. Errors:
// redisconn.ErrUnreachable, a node does not answer; *redisconn.RefusedError; what c.Check says.
func PlanInit(ctx context.Context, c Config) (*Change, error) {
	return plan(ctx, c, func(g *group, all []surveyed) (*Change, error) {
		f := newFounding(all)
		blank := !slices.ContainsFunc(all, func(s surveyed) bool { return !s.empty() })
		ch := &Change{does: f}
		f.to = newIdentity(f.seats(), g.maxTTL)
		for _, s := range all { // a lower --max-ttl does not shorten the leases of before
			f.to.longest = max(f.to.longest, s.mark.longest)
		}
		if !blank {
			ch.gap = fenceGap
			ch.Effect = []string{
				fmt.Sprintf("no lease is granted for %s: leases of before may stand for as long", f.to.outTime()),
				"tokens go on growing as long as no clock stepped back",
				"each lockd on these nodes has to be started again",
			}
		}
		for i := range f.all {
			f.all[i].lost = !blank
		}
		for _, s := range all {
			ch.Nodes = append(ch.Nodes, fmt.Sprintf("redis at %s %s; will be one of a new group", s.address, wasOf(s)))
		}
		return ch, nil
	})
}

// PlanReplace plans to take those of the nodes in that are new, or have lost what they knew, into the group that the others, a
// majority, are. They vote when as much time has passed as leases last at most. It raises the longest ttl
// too, if c.MaxTTL says one; 0: the group's stays. Errors are PlanInit's; ErrNothingToDo; or that no majority is one group.
func PlanReplace(ctx context.Context, c Config) (*Change, error) {
	return plan(ctx, c, func(g *group, all []surveyed) (*Change, error) {
		was, err := formerly(all)
		if err != nil {
			return nil, err
		}
		ch := &Change{does: newFounding(all), gap: fenceGap}
		ch.does.to = was
		ch.does.to.generation++
		if c.MaxTTL != 0 {
			ch.does.to.longest = max(was.longest, longestOf(c.MaxTTL))
		}
		taken := ch.assign(was)
		ch.does.to.seats = fingerprint(ch.does.seats())
		begun := slices.ContainsFunc(all, func(s surveyed) bool { return s.mark.state == pending })
		if taken == 0 && !begun && ch.does.to.longest == was.longest {
			return nil, ErrNothingToDo
		}
		ch.Effect = []string{"for a moment no lease is granted; then the nodes that stay go on"}
		if taken > 0 {
			ch.Effect = append(ch.Effect,
				fmt.Sprintf("new members vote in %s: leases of before may stand for as long", ch.does.to.outTime()),
				"a member that is not listed never votes again; each lockd has to be given this list")
		}
		if ch.does.to.longest > was.longest {
			ch.Effect = append(ch.Effect, fmt.Sprintf("leases may last %s, instead of %s, with their grace", ch.does.to.longest, was.longest))
		}
		return ch, nil
	})
}

// assign leaves their seats to those who remember the group as it was, and answers how many others there are.
func (ch *Change) assign(was identity) (taken int) {
	seats := make(map[string]bool)
	for i := range ch.does.all {
		s := &ch.does.all[i]
		knows := readMemory(s.seen.memory)
		_, hasFence := s.fenceValue()
		state, ok := before(s.surveyed)
		if ok && state.group == was.group && state.generation == was.generation && hasFence && knows.run != "" && !seats[s.mark.seat] {
			seats[s.mark.seat] = true
			s.isMember, s.takes, s.memory = true, s.mark.seat, knows
			ch.Nodes = append(ch.Nodes, fmt.Sprintf("redis at %s %s; stays", s.address, wasOf(s.surveyed)))
			continue
		}
		s.lost = true
		taken++
		ch.Nodes = append(ch.Nodes, fmt.Sprintf("redis at %s %s; will be a new member", s.address, wasOf(s.surveyed)))
	}
	slices.Sort(ch.Nodes)
	return taken
}

// formerly is the group that a majority of all are. Who was made pending in a change that was not finished, and had
// nothing to lose, is what it was before.
func formerly(all []surveyed) (identity, error) {
	count := make(map[identity]int)
	var most identity
	for _, s := range all {
		id, ok := before(s)
		if !ok {
			continue
		}
		if count[id]++; count[id] > count[most] || count[id] == count[most] && id.generation > most.generation {
			most = id
		}
	}
	if has := count[most]; has < len(all)/2+1 || most.nodes != len(all) {
		return identity{}, fmt.Errorf("%d of the %d nodes are members of one group of as many, want %d: what the others promised is not known; %s",
			has, len(all), len(all)/2+1, wantInit)
	}
	for _, s := range all {
		if id, ok := before(s); ok && id == most {
			most.longest = max(most.longest, s.mark.longest)
		}
	}
	return most, nil
}

// before is the state of the group that s was a member of before a change, without what a change may change.
func before(s surveyed) (identity, bool) {
	id := s.mark.identity
	id.seats, id.longest = "", 0
	if s.mark.state == pending {
		id.generation--
		return id, id.generation > 0 && readMemory(s.memory).lost == 0
	}
	return id, s.mark.state == member
}

// plan surveys the nodes, all of which have to answer, and has them planned for.
func plan(ctx context.Context, c Config, with func(*group, []surveyed) (*Change, error)) (*Change, error) {
	ctx, cancel := context.WithTimeout(ctx, operatorFor)
	defer cancel()
	if err := c.Check(); err != nil {
		return nil, err
	}
	g, err := newGroup(c.group())
	if err != nil {
		return nil, err
	}
	all := g.survey(ctx)
	err = errors.Join(serversProblem(all, g.keys), checkRights(ctx, all))
	for _, s := range all {
		if err == nil && s.err != nil {
			err = fmt.Errorf("%w: %s; want all nodes to answer", redisconn.ErrUnreachable, s.node.trouble(s.err))
		}
	}
	var ch *Change
	if err == nil {
		ch, err = with(g, all)
	}
	if err != nil {
		return nil, errors.Join(err, g.closeNodes())
	}
	ch.group = g
	return ch, nil
}

// Apply does what was planned.
func (ch *Change) Apply(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, operatorFor)
	defer cancel()
	if err := ch.does.run(ctx, ch.group.keys, ch.gap); err != nil {
		return fmt.Errorf("not done, or in part; do it again: %w", err)
	}
	return nil
}

// Close ends the connections.
func (ch *Change) Close() error { return ch.group.closeNodes() }

// wasOf says what a node is, to be shown.
func wasOf(s surveyed) string {
	switch {
	case s.empty():
		return "is empty"
	case s.seen.marker == "":
		return "has keys of lockd and no marker"
	case s.mark.state == "":
		return "has a marker that this lockd cannot read"
	}
	state := fmt.Sprintf("is a %s of group %s, generation %d of %d nodes", s.mark.state, s.mark.group[:min(8, len(s.mark.group))], s.mark.generation, s.mark.nodes)
	if memory := readMemory(s.memory); memory.run != s.seen.node.RunID && !(memory.always && s.seen.node.Persistence == "aof always") {
		state += ", and was started again since"
	}
	return state
}
