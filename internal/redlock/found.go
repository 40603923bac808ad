package redlock

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lockd/lockd/internal/redisconn"
)

// claimFor is how long a claim stands if whoever has it does not come to an end: who waits for it tries for longer.
const claimFor = 1500 * time.Millisecond

// founding makes servers one group, in steps on all of them, each of which compares what the one before left:
//
//  1. claim: nobody else does it. Everybody claims in the order of the servers' run ids, so nobody waits in a circle.
//  2. mark: each is marked as one of the group, pending, and has its memory. From here none votes, not in the state that the group
//     had before either.
//  3. finish: each is marked as a member. A member is there only if all were marked, so whoever finds one finishes
//     what is left, without a claim; while there is none, whoever gets all claims marks anew.
type founding struct {
	claimant string
	to       identity
	all      []founder // in the order of claims
}

// founder is a server that is made one of a group.
type founder struct {
	surveyed
	takes    string // the seat
	memory   memory // to be
	lost     bool   // what it promised before is not known
	isMember bool   // of the state before, so its keys are the group's
}

// found founds a group of all, who have been seen to be blank or pending. Errors: errNotYet, somebody else is at it, or it
// is done; *redisconn.RefusedError. Whatever was done then, the next one may go on.
func (g *group) found(ctx context.Context, all []surveyed) error {
	f := newFounding(all)
	for i := range f.all { // an operator had begun a group of which not all is known
		f.all[i].lost = slices.ContainsFunc(all, func(s surveyed) bool { return readMemory(s.memory).lost != 0 })
	}
	f.to = newIdentity(f.seats(), g.maxTTL)
	if err := f.run(ctx, g.keys, 0); err != nil {
		if errors.As(err, new(*redisconn.RefusedError)) {
			return err
		}
		return fmt.Errorf("%w: %w", errNotYet, err)
	}
	g.notice(fmt.Sprintf("the nodes %s were new and have been made a group: %s", addresses(all), f.to.group))
	return errNotYet // join it as everybody does
}

// newFounding gives each a seat of its own, and a memory of nothing.
func newFounding(all []surveyed) *founding {
	f := &founding{claimant: randomHex(8)}
	for _, s := range all {
		f.all = append(f.all, founder{surveyed: s, takes: newSeat(), memory: memory{run: s.seen.node.RunID, always: s.alwaysOnDisk()}})
	}
	slices.SortFunc(f.all, func(a, b founder) int { return cmp.Compare(a.seen.node.RunID, b.seen.node.RunID) })
	return f
}

func (f *founding) seats() []string {
	var all []string
	for _, s := range f.all {
		all = append(all, s.takes)
	}
	return all
}

func addresses(all []surveyed) string {
	var list []string
	for _, s := range all {
		list = append(list, s.address)
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

// run takes all steps. Fences are raised by gap over all that is known of tokens.
func (f *founding) run(ctx context.Context, k keys, gap time.Duration) error {
	defer f.giveUp(ctx)
	if err := f.claim(ctx); err != nil {
		return err
	}
	if err := f.compare(ctx, k); err != nil {
		return err
	}
	if err := f.mark(ctx, gap); err != nil {
		return err
	}
	var all []surveyed
	for _, s := range f.all {
		all = append(all, s.surveyed)
	}
	return finish(ctx, all, f.claimant)
}

// claim takes every server.
func (f *founding) claim(ctx context.Context) error {
	for _, s := range f.all {
		if err := s.take(ctx, f.claimant, claimFor); err != nil {
			return fmt.Errorf("claim redis at %s: %w", s.address, err)
		}
	}
	return nil
}

// giveUp gives back what claims are left, as far as the servers answer.
func (f *founding) giveUp(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), redisconn.CallTimeout)
	defer cancel()
	for _, s := range f.all {
		_ = s.take(ctx, f.claimant, 0)
	}
}

// compare looks again, now that nobody else changes anything: all has to be as it was seen.
func (f *founding) compare(ctx context.Context, k keys) error {
	for i := range f.all {
		s := &f.all[i]
		now, err := s.look(ctx)
		if err != nil {
			return err
		}
		if now.node.RunID != s.seen.node.RunID || now.marker != s.seen.marker || now.memory != s.seen.memory {
			return fmt.Errorf("redis at %s: %w", s.address, errChanged)
		}
		if now.marker == "" && !s.lost {
			if err := s.hasNoKeys(ctx, k); err != nil {
				return err
			}
		}
		s.seen = now
	}
	return nil
}

// hasNoKeys refuses a server that has any key of lockd but the claim.
func (n *node) hasNoKeys(ctx context.Context, k keys) error {
	escape := strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`)
	scan := n.looks.Scan(ctx, 0, escape.Replace(k.prefix)+":*", 1000).Iterator()
	for scan.Next(ctx) {
		if key := scan.Val(); key != k.claim() {
			return n.refused("has keys of lockd, as %q, and no marker: something else keeps its leases there, or it has lost part of its data; want an empty server, or %s",
				key, strings.TrimPrefix(wantInit, "want "))
		}
	}
	return scan.Err()
}

// mark marks each as pending: first those who were members, so that the state before has no quorum any more and no token
// is decided in it; then their fences say what the others' have to be. Tokens that were given by nodes of whom
// nothing is known are smaller than the clocks, as long as these do not step back.
func (f *founding) mark(ctx context.Context, gap time.Duration) error {
	for i := range f.all {
		if f.all[i].isMember {
			if err := f.markOne(ctx, &f.all[i], 0); err != nil {
				return err
			}
		}
	}
	var least int64
	for _, s := range f.all {
		now, err := s.look(ctx)
		if err != nil {
			return err
		}
		fence, _ := now.fenceValue()
		least = max(least, fence, now.micros)
	}
	for i := range f.all {
		if !f.all[i].isMember {
			if err := f.markOne(ctx, &f.all[i], least+gap.Microseconds()); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *founding) markOne(ctx context.Context, s *founder, least int64) error {
	e := enrolment{
		claimant: f.claimant, claimFor: claimFor, marker: f.to.marker(s.takes, pending), memory: s.memory, lost: s.lost, least: least,
	}
	remembers, err := s.enrol(ctx, s.seen, e)
	if err != nil {
		return fmt.Errorf("mark redis at %s: %w", s.address, err)
	}
	s.seen.marker, s.seen.memory, s.mark = e.marker, remembers.String(), mark{f.to, s.takes, pending}
	return nil
}

// finish makes members of those who are pending. Either claimant has claimed them all, or somebody else had, and has left a
// member; then claimant is "", and nobody may have a claim.
func finish(ctx context.Context, pendings []surveyed, claimant string) error {
	for _, s := range pendings {
		e := enrolment{claimant: claimant, marker: s.mark.marker(s.mark.seat, member), memory: readMemory(s.memory)}
		if _, err := s.enrol(ctx, s.seen, e); err != nil {
			return fmt.Errorf("finish redis at %s: %w", s.address, err)
		}
	}
	return nil
}
