package redlock

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	_ "embed"

	"github.com/redis/go-redis/v9"

	"github.com/lockd/lockd/internal/redisconn"
)

var (
	//go:embed scripts/enrol.lua
	enrolLua string
	//go:embed scripts/claim.lua
	claimLua string

	enrolScript = redis.NewScript(enrolLua)
	claimScript = redis.NewScript(claimLua)
)

// fenceGap is added to what the nodes that remember say when a fence is made good. Where a majority remembers none would
// be needed: see docs/decisions/0016-which-node-may-vote.md. It is for what then is not known: tokens follow clocks, in
// µs, and between the clock that gave the last token and the one that is asked now there are twice 2 s (each
// lockd grants within 2 s of a node's clock), and up to 2 s of writes that a node with appendfsync everysec may
// have lost unseen. It costs nothing but numbers.
const fenceGap = 10 * time.Second

var errChanged = errors.New("it has changed meanwhile")

// enrolment is a change of what a node remembers of its group; see scripts/enrol.lua.
type enrolment struct {
	claimant string        // "": nobody may be changing the group
	marker   string        // to be
	memory   memory        // to be
	lost     bool          // memory.lost is the node's time now
	least    int64         // fence, at least; 0: as it is
	claimFor time.Duration // from now on
}

// enrol changes what s was seen of, and answers what the memory is then. Errors: errChanged; others are go-redis's or
// redisconn's.
func (n *node) enrol(ctx context.Context, s seen, e enrolment) (memory, error) {
	ctx, cancel := context.WithTimeout(ctx, redisconn.CallTimeout)
	defer cancel()
	least, remembers := "", e.memory.String()
	if e.least != 0 {
		least = strconv.FormatInt(e.least, 10)
	}
	if e.lost {
		remembers = fmt.Sprintf("run=%s always=%t lost=LOST", e.memory.run, e.memory.always)
	}
	k := n.keys
	at, body, err := n.run(ctx, n.looks, enrolScript,
		[]any{k.marker(), k.memory(), k.fence(), k.claim(), k.layout(), prefixKey},
		[]any{e.claimant, s.node.RunID, s.marker, s.memory, e.marker, remembers, least, layout, k.prefix, e.claimFor.Milliseconds()})
	if err != nil {
		return memory{}, redisconn.Refusal(n.address, err)
	}
	if e.lost {
		e.memory.lost = at
	}
	return e.memory, done(body)
}

// take claims the node for claimant, or gives it up after 0.
func (n *node) take(ctx context.Context, claimant string, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, redisconn.CallTimeout)
	defer cancel()
	_, body, err := n.run(ctx, n.looks, claimScript, []any{n.keys.claim()}, []any{claimant, within.Milliseconds()})
	if err != nil {
		return redisconn.Refusal(n.address, err)
	}
	return done(body)
}

func done(body any) error {
	list, _ := body.([]any)
	if len(list) == 2 && list[0] == "NOT" {
		return fmt.Errorf("%w: %v", errChanged, list[1])
	}
	if len(list) != 1 || list[0] != "DONE" {
		return fmt.Errorf("the script answered %v", body)
	}
	return nil
}

// apply makes a node whole, or a step towards it. What it does to the node depends on nothing but what s saw there, which is
// compared again.
func (g *group) apply(ctx context.Context, i int, s seen, r remedy) error {
	n := g.nodes[i]
	e := enrolment{marker: g.markerOf(i), memory: readMemory(s.memory)}
	e.memory.run = s.node.RunID
	switch r {
	case adopt:
	case note:
		e.memory.always = s.alwaysOnDisk()
	case wake:
		e.memory.lost, e.memory.always = 0, s.alwaysOnDisk()
	case repair:
		least, err := g.goodFence(ctx, i, s)
		if err != nil {
			return err
		}
		e.memory, e.least = memory{run: s.node.RunID, always: s.alwaysOnDisk()}, least
	}
	if _, err := n.enrol(ctx, s, e); err != nil {
		return err
	}
	if r == repair || r == wake {
		g.notice(fmt.Sprintf("redis at %s was out for as long as it may have forgotten leases, and is whole again", n.address))
	}
	return nil
}

// goodFence is a fence for a node that may have forgotten its own: larger than every token of a lease that it voted for. Of each
// quorum that it was in, a majority of all nodes without it has a member. Where as many do not remember, but none has
// been wiped, and all have been out for long enough and answer, the clocks have to do.
func (g *group) goodFence(ctx context.Context, i int, s seen) (int64, error) {
	need := len(g.nodes)/2 + 1
	var largest int64
	remember := 0
	for _, j := range g.fitNodes(i) {
		if fence, ok := g.fenceOf(ctx, j); ok {
			remember, largest = remember+1, max(largest, fence)
		}
	}
	if remember >= need {
		return largest + fenceGap.Microseconds(), nil
	}
	if s.marker == "" {
		return 0, fmt.Errorf("%d other nodes remember what they promised, want %d", remember, need)
	}
	largest = max(largest, s.micros, time.Now().UnixMicro())
	for j, other := range g.nodes {
		if j == i {
			continue
		}
		there, err := other.look(ctx)
		if err != nil {
			return 0, fmt.Errorf("%d other nodes remember what they promised, want %d, or all to answer: %w", remember, need, err)
		}
		fence, ok := there.fenceValue()
		if !ok || !g.isOver(j, there) {
			return 0, fmt.Errorf("%d other nodes remember what they promised, want %d, or the time of all to be over", remember, need)
		}
		largest = max(largest, fence, there.micros)
	}
	return largest + fenceGap.Microseconds(), nil
}

// fenceOf asks a node that may vote for its fence, and looks whether it may vote still.
func (g *group) fenceOf(ctx context.Context, j int) (int64, bool) {
	n := g.nodes[j]
	s, err := n.look(ctx)
	at := n.standing.Load()
	if err != nil || at.out != "" || s.node.RunID != at.run || s.marker != at.marker || readMemory(s.memory).run != s.node.RunID {
		return 0, false
	}
	return s.fenceValue()
}

// isOver reports whether a node votes, or has been out for as long as it may have forgotten leases, with its marker in place.
func (g *group) isOver(j int, s seen) bool {
	at := g.nodes[j].standing.Load()
	return s.marker == g.markerOf(j) && s.marker != "" && s.node.RunID == at.run && (at.out == "" || !at.until.IsZero() && !s.at.Before(at.until))
}
