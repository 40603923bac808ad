package redlock

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/lockd/lockd/internal/redisconn"
)

// What an operator has to run, see operator.go.
const (
	wantReplace = "want `lockd redlock replace --redlock URL,URL,…` with all nodes, to take in those that are new or have lost their data"
	wantInit    = "want `lockd redlock init --redlock URL,URL,…` with all nodes, to begin anew"
)

// errNotYet: what is there is in between, or too few answer; look again.
var errNotYet = errors.New("not yet")

// enter learns which group the nodes are, or founds it.
func (g *group) enter(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, openFor)
	defer cancel()
	var last error // that says more than that the time was over
	for {
		all := g.survey(ctx)
		err := g.admit(ctx, all)
		if err == nil || errors.As(err, new(*redisconn.RefusedError)) {
			return err
		}
		if last == nil || ctx.Err() == nil {
			last = err
		}
		pause := time.NewTimer(50*time.Millisecond + rand.N(100*time.Millisecond)) // two that are in each other's way are not next time
		select {
		case <-ctx.Done():
			pause.Stop()
			return fmt.Errorf("%w: %w", redisconn.ErrUnreachable, last)
		case <-pause.C:
		}
	}
}

// surveyed is what a look at one of the nodes found.
type surveyed struct {
	*node
	seen
	mark mark
	err  error
}

// survey looks at all nodes at once.
func (g *group) survey(ctx context.Context) []surveyed {
	all := make([]surveyed, len(g.nodes))
	done := make(chan struct{})
	for i, n := range g.nodes {
		go func() {
			defer func() { done <- struct{}{} }()
			s, err := n.look(ctx)
			all[i] = surveyed{node: n, seen: s, err: err}
			all[i].mark, _ = readMark(s.marker)
		}()
	}
	for range g.nodes {
		<-done
	}
	return all
}

// admit decides what the nodes are: one group, of which a quorum answers; or new ones, which it founds; or anything else, which
// it refuses. Errors: errNotYet, *redisconn.RefusedError, or why founding did not come to its end.
func (g *group) admit(ctx context.Context, all []surveyed) error {
	if err := serversProblem(all, g.keys); err != nil {
		return err
	}
	if err := checkRights(ctx, all); err != nil {
		return err
	}
	var members, pendings, blanks, silent []surveyed
	for _, s := range all {
		switch {
		case s.err != nil:
			silent = append(silent, s)
		case s.mark.state == member:
			members = append(members, s)
		case s.mark.state == pending:
			pendings = append(pendings, s)
		case s.seen.marker != "":
			return s.refused("has a marker that this lockd cannot read (%s is %q); want the lockd that wrote it, or another key prefix", g.keys.marker(), s.seen.marker)
		default:
			blanks = append(blanks, s)
		}
	}
	if len(members) > 0 {
		return g.join(ctx, members, pendings, blanks, silent)
	}
	if len(silent) > 0 {
		return fmt.Errorf("%w: nodes that are no group yet are made one when all of them answer: %w", errNotYet, trouble(silent))
	}
	if len(blanks) == 0 && g.belong(pendings, true) == nil { // all are marked: whoever was about to finish did not come to it
		return errors.Join(errNotYet, finish(ctx, pendings, ""))
	}
	for _, s := range pendings {
		if s.mark.generation > 1 {
			return s.refused("was about to stay in a group that was being changed, which was not finished; %s", wantReplace)
		}
	}
	for _, s := range blanks {
		if !s.empty() {
			return s.refused("has keys of lockd and no marker: it has lost part of its data, or something else keeps its leases there; %s", wantInit)
		}
	}
	return g.found(ctx, all)
}

// join takes the nodes for the group that members say they are.
func (g *group) join(ctx context.Context, members, pendings, blanks, silent []surveyed) error {
	id := members[0].mark.identity
	if err := g.belong(members, len(silent)+len(pendings)+len(blanks) == 0); err != nil {
		return err
	}
	for _, s := range pendings {
		if s.mark.identity != id {
			return s.refused("was about to be made one of another group than redis at %s; %s", members[0].address, wantReplace)
		}
	}
	for _, s := range blanks {
		return s.refused("has no marker, and redis at %s is one of a group: it is new, or has lost its data, and would vote without knowing what it promised; %s",
			members[0].address, wantReplace)
	}
	if len(pendings) > 0 { // whoever founded the group did not come to the end of it
		return errors.Join(errNotYet, finish(ctx, pendings, ""))
	}
	if len(members) < id.quorum() {
		return fmt.Errorf("%w: %d of %d nodes answer, want %d: %w", errNotYet, len(members), len(g.nodes), id.quorum(), trouble(silent))
	}
	if longest := longestOf(g.maxTTL); longest > id.longest {
		return members[0].refused("is of a group whose leases last %s with their grace at most, and --max-ttl %s would make that %s: a node that lost its memory would vote too early; "+
			"want a lower --max-ttl, or `lockd redlock replace --max-ttl %s`", id.longest, g.maxTTL, longest, g.maxTTL)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.identity = id
	for i, n := range g.nodes {
		if at := slices.IndexFunc(members, func(s surveyed) bool { return s.node == n }); at >= 0 {
			g.last[i].seat = members[at].mark.seat
		}
	}
	return nil
}

// belong says what keeps members from being one group, all of which is listed if complete.
func (g *group) belong(members []surveyed, complete bool) error {
	first := members[0]
	seats := make(map[string]string)
	var all []string
	for _, s := range members {
		switch {
		case s.mark.nodes != len(g.nodes):
			return s.refused("is of a group of %d nodes, and %d are listed; want the list that the group was made with, or `lockd redlock init` for another group", s.mark.nodes, len(g.nodes))
		case s.mark.group != first.mark.group:
			return s.refused("is of another group than redis at %s: two lists of nodes have a node in common, or one was taken from another group; %s", first.address, wantReplace)
		case s.mark.identity != first.mark.identity:
			return s.refused("is of another state of the group than redis at %s: it was replaced, or a replacement was not finished; %s", first.address, wantReplace)
		case seats[s.mark.seat] != "":
			return s.refused("is a copy of redis at %s; %s", seats[s.mark.seat], wantReplace)
		}
		seats[s.mark.seat] = s.address
		all = append(all, s.mark.seat)
	}
	if complete && fingerprint(all) != first.mark.seats {
		return first.refused("is of a group with another list of nodes; want that list, or %s", strings.TrimPrefix(wantReplace, "want "))
	}
	return nil
}

// serversProblem says which of those who answer cannot be nodes of a group together.
func serversProblem(all []surveyed, k keys) error {
	var first *surveyed
	runs := make(map[string]string)
	for i := range all {
		s := &all[i]
		var refused *redisconn.RefusedError
		if errors.As(s.err, &refused) {
			return refused
		}
		if s.err != nil {
			continue
		}
		if problem := useProblem(s.seen, k); problem != "" {
			return s.refused("%s", problem)
		}
		if at := runs[s.seen.node.RunID]; at != "" {
			return s.refused("is the same server as redis at %s (run_id %s); want each server once", at, s.seen.node.RunID)
		}
		runs[s.seen.node.RunID] = s.address
		if first == nil {
			first = s
		}
		if is, other := s.seen.node.Persistence, first.seen.node.Persistence; is != other {
			return s.refused("persists by %q, and redis at %s by %q; want the same settings on all nodes", is, first.address, other)
		}
	}
	return nil
}

// useProblem says what else a server is used for, or "".
func useProblem(s seen, k keys) string {
	switch {
	case s.layout != "" && s.layout != layout:
		return fmt.Sprintf("keeps leases in another layout (%s is %q; this lockd's is %q): a lockd with --redis uses it; want another server, or another key prefix", k.layout(), s.layout, layout)
	case s.prefix != "" && s.prefix != k.prefix:
		return fmt.Sprintf("is in use with the key prefix %q (in %s); this lockd's is %q; want the same --key-prefix, or another server", s.prefix, prefixKey, k.prefix)
	}
	return ""
}

func trouble(silent []surveyed) error {
	var all []error
	for _, s := range silent {
		all = append(all, errors.New(s.node.trouble(s.err)))
	}
	return errors.Join(all...)
}
