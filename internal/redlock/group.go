package redlock

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/internal/redisconn"
)

const (
	// openFor is how long openGroup goes on trying, so that a lockd that cannot reach its nodes has
	// ended, with the reason, within 5 s.
	openFor = 4 * time.Second
	// lookEvery is how often a node that votes is looked at again, and lookUnfit how often one that does not, or does
	// not answer: it shall be back as soon as it may.
	lookEvery = 2 * time.Second
	lookUnfit = 250 * time.Millisecond
)

// group is the nodes of a quorum, and knows which of them may vote. Safe for concurrent use.
type group struct {
	nodes   []*node
	keys    keys
	maxTTL  time.Duration
	scripts []*redis.Script
	secrets *redisconn.Secrets // may be nil
	notice  func(string)

	mu       sync.Mutex
	identity identity
	last     []lastLook // one of each node

	stop    context.CancelFunc
	keeping sync.WaitGroup
}

// lastLook is what was found at a node last.
type lastLook struct {
	seen
	mark mark // that its marker is; zero: none that can be read
	seat string
	err  error // why it did not answer; seen is older then
}

// newGroup dials nobody yet.
func newGroup(c groupConfig) (*group, error) {
	targets, err := c.targets()
	if err != nil {
		return nil, err
	}
	g := &group{keys: newKeys(c.KeyPrefix), maxTTL: c.MaxTTL, scripts: c.Scripts, secrets: c.Secrets, notice: c.Notice, last: make([]lastLook, len(targets))}
	for _, at := range targets {
		n := newNode(at, g.keys)
		n.meters = redisconn.MetersFor(n.address, measured, c.Meter)
		g.nodes = append(g.nodes, n)
	}
	return g, nil
}

// openGroup finds the group that the nodes are, or founds one if they are new, and then goes on looking at them until
// close. It tries for up to 4 s. Errors: redisconn.ErrUnreachable, *redisconn.RefusedError, or what c.targets says.
func openGroup(ctx context.Context, c groupConfig) (*group, error) {
	g, err := newGroup(c)
	if err != nil {
		return nil, err
	}
	if err := g.enter(ctx); err != nil {
		return nil, errors.Join(err, g.closeNodes())
	}
	keep, stop := context.WithCancel(context.Background())
	g.stop = stop
	for i := range g.nodes {
		if !g.lookAt(keep, i) { // so that who may vote does from the start
			g.lookAt(keep, i) // its server may have been started again, and been adopted
		}
	}
	for i := range g.nodes {
		g.keeping.Go(func() { g.keep(keep, i) })
	}
	if g.secrets != nil {
		g.secrets.TryWith(g.trySecret)
	}
	return g, nil
}

// close ends what the group does by itself, and every connection.
func (g *group) close() error {
	if g.secrets != nil {
		g.secrets.TryWith(nil)
	}
	g.stop()
	g.keeping.Wait()
	return g.closeNodes()
}

// trySecret answers whether a node that answers refuses us with another secret.
func (g *group) trySecret(ctx context.Context, with *redisconn.Secret) error {
	refusals := make(chan error, len(g.nodes))
	for _, n := range g.nodes {
		go func() {
			var err error
			if n.conns.LeadTo() != "" { // else it has never answered
				err = redisconn.Refusal(n.address, n.conns.Try(ctx, with))
			}
			refusals <- err
		}()
	}
	var refused error
	for range g.nodes {
		if err := <-refusals; errors.As(err, new(*redisconn.RefusedError)) {
			refused = errors.Join(refused, err)
		}
	}
	return refused
}

func (g *group) closeNodes() error {
	var all []error
	for _, n := range g.nodes {
		all = append(all, n.close())
	}
	return errors.Join(all...)
}

// keep looks at a node again and again until ctx ends, and makes it whole when its time has come.
func (g *group) keep(ctx context.Context, i int) {
	n := g.nodes[i]
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.doubts:
		case <-timer.C:
		}
		pause := lookEvery
		if fit := g.lookAt(ctx, i); !fit {
			pause = lookUnfit
		}
		timer.Reset(pause)
	}
}

// lookAt looks at a node, applies what follows and reports whether it answered and may vote.
func (g *group) lookAt(ctx context.Context, i int) bool {
	n := g.nodes[i]
	s, err := n.look(ctx)
	if ctx.Err() != nil {
		return false
	}
	was := g.noted(i, s, err)
	if was.err == nil && err != nil {
		g.notice(n.trouble(err))
	} else if was.err != nil && err == nil {
		g.notice(fmt.Sprintf("redis at %s answers again", n.address))
	}
	if err != nil {
		var refused *redisconn.RefusedError
		if errors.As(err, &refused) {
			g.stand(n, standing{out: "it " + refused.Problem})
		}
		return false // who does not answer has not forgotten anything that anybody knows of
	}
	v := g.judge(i, s)
	now := standing{run: s.node.RunID, marker: g.markerOf(i), out: v.out, until: v.until}
	if v.remedy != nothing {
		if err := g.apply(ctx, i, s, v.remedy); err != nil {
			now.stuck = fmt.Sprintf("it could not be made whole: %v", err)
		} else {
			n.doubt() // look what has become of it
		}
	}
	if now.out == "" && now.run != n.standing.Load().run {
		_ = redisconn.Preload(ctx, n.looks, g.scripts) // otherwise the first call does
	}
	g.stand(n, now)
	return v.out == ""
}

// noted keeps a look, answers the one before, and takes a change of the group in that a quorum of the nodes shows.
func (g *group) noted(i int, s seen, err error) (was lastLook) {
	g.mu.Lock()
	defer g.mu.Unlock()
	was = g.last[i]
	g.last[i].err = err
	if err != nil {
		g.last[i].node.Address = g.nodes[i].address
		return was
	}
	m, _ := readMark(s.marker)
	g.last[i] = lastLook{seen: s, mark: m, seat: was.seat}
	if m.state == member && m.group == g.identity.group && m.generation > g.identity.generation && m.nodes == len(g.nodes) {
		g.followLocked(m.identity)
	}
	if m.state == member && m.identity == g.identity && was.seat == "" && g.whoHas(m.seat) < 0 {
		g.last[i].seat = m.seat
	}
	return was
}

// whoHas answers which node has a seat, -1 if none. mu is held.
func (g *group) whoHas(seat string) int {
	return slices.IndexFunc(g.last, func(l lastLook) bool { return seat != "" && l.seat == seat })
}

// remembers answers an error if a would keep its name, with its lock-delay, for longer than a node is out that has lost its
// memory: that one would open the name too early.
func (g *group) remembers(a lease.Acquisition) error {
	if a.LockDelay == 0 {
		return nil
	}
	longest := g.longest()
	if a.TTL+lease.Grace(a.TTL)+a.LockDelay <= longest {
		return nil
	}
	return &lease.InvalidError{Field: "ttl", Problem: fmt.Sprintf("is %s, and the lock-delay of the name %s; want ttl, grace and lock-delay to be "+
		"%s at most together: a node that loses its memory is out for no longer (see --max-ttl)", a.TTL, a.LockDelay, longest)}
}

// followLocked takes next for the group's identity, if a quorum of the nodes has it. Who changed the group has kept those of
// the state before from being one: see operator.go.
func (g *group) followLocked(next identity) {
	var seats []string
	for _, l := range g.last {
		if l.mark.identity == next && l.mark.state == member && !slices.Contains(seats, l.mark.seat) {
			seats = append(seats, l.mark.seat)
		}
	}
	if len(seats) < next.quorum() {
		return
	}
	g.identity = next
	for i := range g.last {
		l := &g.last[i]
		if l.mark.identity != next {
			l.seat = ""
		} else if l.seat != l.mark.seat {
			l.seat = l.mark.seat
			g.nodes[i].forget()
		}
		g.nodes[i].doubt()
	}
}

// judge is what follows from s, for a node among the others.
func (g *group) judge(i int, s seen) verdict {
	g.mu.Lock()
	defer g.mu.Unlock()
	seat, id := g.last[i].seat, g.identity
	if j := g.whoHas(g.last[i].mark.seat); j >= 0 && j != i {
		return verdict{out: fmt.Sprintf("it is the same server as %s, or a copy of it", g.nodes[j].address)}
	}
	if m := g.last[i].mark; seat == "" && m.group == id.group && m.generation < id.generation {
		return verdict{out: "it was replaced in the group, by an operator"}
	}
	if seat == "" {
		return verdict{out: "it is not known to be of the group; " + wantReplace}
	}
	if problem := useProblem(s, g.keys); problem != "" {
		return verdict{out: "it " + problem}
	}
	v := judge(s, id.marker(seat, member), id.outTime(), &g.nodes[i].known)
	if v.out == string(wiped) && len(g.nodes)-g.wipedLocked() < id.quorum() {
		v.out, v.until = string(wiped)+", and too few others remember what they promised for it to come back by itself; "+wantInit, time.Time{}
	}
	return v
}

// wipedLocked is how many nodes have been found to have no memory at all.
func (g *group) wipedLocked() (n int) {
	for _, node := range g.nodes {
		if node.known.loss == wiped {
			n++
		}
	}
	return n
}

func (g *group) markerOf(i int) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.last[i].seat == "" {
		return ""
	}
	return g.identity.marker(g.last[i].seat, member)
}

// stand makes what is known of n count, and tells the operator what came and what went.
func (g *group) stand(n *node, now standing) {
	was := n.standing.Swap(&now)
	if now.out != "" || was.run != now.run || was.marker != now.marker {
		n.conns.DropAll() // they lead to who was there before
	}
	switch {
	case was.run == "" && now.out == "": // at the start
	case now.out == was.out && (now.stuck == "") == (was.stuck == ""): // what it is stuck at may change with each look
	case now.out == "":
		g.notice(fmt.Sprintf("redis at %s votes", n.address))
	case now.until.IsZero():
		g.notice(fmt.Sprintf("redis at %s does not vote: %s", n.address, now.why()))
	default:
		g.notice(fmt.Sprintf("redis at %s does not vote before %s: %s", n.address, now.until.UTC().Format(time.RFC3339), now.why()))
	}
}

// longest is how long a lease stands on a node at most.
func (g *group) longest() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.identity.longest
}

// fitNodes are the nodes other than the one at but that may vote, as last looked at.
func (g *group) fitNodes(but int) (all []int) {
	for i, n := range g.nodes {
		if i != but && n.votes() {
			all = append(all, i)
		}
	}
	return all
}
