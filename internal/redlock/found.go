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
//  2. mark: each is marked as one of the group, pending. None votes.
//  3. finish: each is marked as a member. A member is there only if all were marked, so whoever finds one finishes
//     what is left, without a claim; while there is none, whoever gets all claims marks anew.
type founding struct {
	claimant string
	all      []surveyed // in the order of claims
}

// found founds a group of all, who have been seen to be blank or pending. Errors: errNotYet, somebody else is at it;
// *redisconn.RefusedError; or what went wrong. Whatever was done then, the next one may go on.
func (g *group) found(ctx context.Context, all []surveyed) error {
	f := &founding{claimant: randomHex(8), all: slices.Clone(all)}
	slices.SortFunc(f.all, func(a, b surveyed) int { return cmp.Compare(a.seen.node.RunID, b.seen.node.RunID) })
	err := f.claim(ctx)
	if err == nil {
		err = f.compare(ctx, g.keys)
	}
	if err == nil {
		err = f.mark(ctx, g.maxTTL)
	}
	if err == nil {
		err = finish(ctx, f.all, f.claimant)
	}
	f.giveUp(ctx)
	switch {
	case errors.As(err, new(*redisconn.RefusedError)):
		return err
	case err != nil:
		return fmt.Errorf("%w: %w", errNotYet, err)
	}
	g.notice(fmt.Sprintf("the nodes %s were new and have been made a group: %s", addresses(f.all), f.all[0].mark.group))
	return errNotYet // join it as everybody does
}

func addresses(all []surveyed) string {
	var list []string
	for _, s := range all {
		list = append(list, s.address)
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

// claim takes every server, or none.
func (f *founding) claim(ctx context.Context) error {
	for _, s := range f.all {
		if err := s.take(ctx, f.claimant, claimFor); err != nil {
			f.giveUp(ctx)
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

// compare looks again, now that nobody else changes anything: nothing but what was marked and left may be there.
func (f *founding) compare(ctx context.Context, k keys) error {
	for i := range f.all {
		s := &f.all[i]
		now, err := s.look(ctx)
		if err != nil {
			return err
		}
		m, _ := readMark(now.marker)
		if now.node.RunID != s.seen.node.RunID || now.marker != "" && m.state != pending {
			return errChanged
		}
		if now.marker == "" {
			if err := s.hasNoKeys(ctx, k); err != nil {
				return err
			}
		}
		s.seen, s.mark = now, m
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

// mark marks each as pending in a new group. Their fences begin at the largest of their clocks: tokens that were given by
// nodes of whom nothing is known any more are smaller, as long as clocks do not step back.
func (f *founding) mark(ctx context.Context, maxTTL time.Duration) error {
	var seats []string
	var least int64
	for _, s := range f.all {
		seats, least = append(seats, newSeat()), max(least, s.micros)
	}
	id := newIdentity(seats, maxTTL)
	for i := range f.all {
		s := &f.all[i]
		e := enrolment{
			claimant: f.claimant, claimFor: claimFor, marker: id.marker(seats[i], pending),
			memory: memory{run: s.seen.node.RunID, always: s.alwaysOnDisk()}, least: least,
		}
		if err := s.enrol(ctx, s.seen, e); err != nil {
			return fmt.Errorf("mark redis at %s: %w", s.address, err)
		}
		s.seen.marker, s.seen.memory, s.mark = e.marker, e.memory.String(), mark{id, seats[i], pending}
	}
	return nil
}

// finish makes members of those who are pending. Either claimant has claimed them all, or somebody else had, and has left a
// member; then claimant is "", and nobody may have a claim.
func finish(ctx context.Context, pendings []surveyed, claimant string) error {
	for _, s := range pendings {
		e := enrolment{claimant: claimant, marker: s.mark.marker(s.mark.seat, member), memory: readMemory(s.memory)}
		if err := s.enrol(ctx, s.seen, e); err != nil {
			return fmt.Errorf("finish redis at %s: %w", s.address, err)
		}
	}
	return nil
}
