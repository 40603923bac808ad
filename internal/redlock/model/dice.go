package model

import (
	"math/rand/v2"
	"slices"
)

// dice chooses the steps of one run. What it draws is everything that differs between runs of a world.
type dice struct {
	*rand.Rand
	labels int
	looked int            // the last message whose fate was drawn
	soon   []step         // messages that arrive soon
	muted  [maxNodes]bool // their messages stay where they are for now

	// What the run is like. The numbers are per cent.
	orderly  int    // steps that are taken from soon, as long as there are any
	prompt   int    // messages that arrive soon; others stay until they are drawn
	lossy    int    // messages that are lost
	copied   int    // requests that arrive twice
	mutes    int    // one of so many steps makes a node mute, or talk again
	renewing int    // wishes that are a renewal
	modest   int    // one ask of so many is for a name that somebody has
	longest  int    // of how many lengths time passes
	likely   [5]int // of the other steps, see next
	hints    int64  // proposals are drawn below this; 0: they are made of clock and fences
	faults   int    // how many more nodes may be hurt
	clocks   int    // how many more clocks may step
	deaths   int    // how many more lockds may die
	stepped  [maxNodes]bool
}

// newRun draws a world and what may go wrong in it.
func newRun(seed uint64, v variant) (*world, *dice) {
	d := &dice{Rand: rand.New(rand.NewPCG(seed, 0))}
	r := rules{
		nodes: 3 + 2*(d.IntN(3)/2), clients: 2 + d.IntN(2), names: 1 + d.IntN(4)/3,
		ttl: 2000 << d.IntN(3), callTimeout: 250, maxSkew: 2000,
		tick: []int64{1, 20, 300}[d.IntN(3)], retryWithin: 1000, gap: 1, steady: true,
	}
	d.orderly, d.prompt, d.lossy, d.copied = 85+d.IntN(15), 60+d.IntN(38), d.IntN(6), d.IntN(6)
	d.mutes, d.renewing, d.modest, d.longest = 50+d.IntN(400), 30, 2+d.IntN(8), 4+d.IntN(5)
	d.likely = [5]int{10 + d.IntN(30), 1 + d.IntN(15), 5 + d.IntN(15), 40, 3}
	weathers[seed%uint64(len(weathers))].draw(d, &r)
	r.grace = max(r.ttl/10, 500)
	w := newWorld(r, v)
	for n := range r.nodes {
		nd := &w.nodes[n]
		nd.rate = int64(d.IntN(9) - 4)
		nd.shift = int64(d.IntN(300) - 150)
		nd.always = d.IntN(2) == 0
		nd.fence = int64(d.IntN(5))
		nd.disk = nd.memory
	}
	return w, d
}

// A weather is a kind of run. Seeds take turns among them.
type weather struct {
	name string
	draw func(*dice, *rules)
}

// Proposals that are drawn, and not made of clocks and fences, make the nodes differ: then there is something to
// agree on. A time-out that is longer than the ttl leaves late copies the time to do harm. No promise depends on
// either.
var weathers = []weather{
	{"tokens that have to be agreed on", func(d *dice, r *rules) {
		d.hints = 1 + d.Int64N(8)
		r.callTimeout = []int64{250, r.ttl / 2, r.ttl * 2}[d.IntN(3)]
	}},
	{"nodes that forget", func(d *dice, r *rules) {
		d.faults, d.likely[4], d.longest, d.hints = 2+d.IntN(3), 20, 9, int64(d.IntN(3)*4)
		d.mutes = 30 + d.IntN(100)
	}},
	{"leases on few nodes", func(d *dice, r *rules) {
		d.renewing, d.mutes, d.lossy = 60, 20+d.IntN(50), 5+d.IntN(15)
		d.clocks, d.faults, d.hints = d.IntN(4), d.IntN(3), int64(d.IntN(2)*8)
	}},
	{"clocks that lie", func(d *dice, r *rules) {
		r.steady, r.ttl, d.clocks, d.hints = false, 2000, 3+d.IntN(15), int64(d.IntN(3)*4)
		r.callTimeout = []int64{250, 1000, 5000}[d.IntN(3)]
		d.longest, d.likely[4] = 4, 20
		if d.IntN(2) == 0 {
			d.renewing, d.mutes, d.lossy = 60, 20+d.IntN(50), 5+d.IntN(15)
		}
	}},
	{"anything", func(d *dice, r *rules) {
		d.faults, d.clocks, d.deaths, d.likely[4] = d.IntN(4), d.IntN(4), d.IntN(4), 10
	}},
}

// next proposes a step, which may turn out to be impossible.
func (d *dice) next(w *world) step {
	d.look(w)
	if d.IntN(d.mutes) == 0 {
		n := d.IntN(w.rules.nodes)
		d.muted[n] = !d.muted[n]
	}
	if len(d.soon) > 0 && d.IntN(100) < d.orderly {
		i := d.IntN(len(d.soon))
		s := d.soon[i]
		d.soon = slices.Delete(d.soon, i, i+1)
		return s
	}
	x := 0
	for _, weight := range d.likely {
		x += weight
	}
	x = d.IntN(x)
	for i, weight := range d.likely {
		if x -= weight; x < 0 {
			return [...]func(*world) step{d.old, d.time, d.overdue, d.caller, d.trouble}[i](w)
		}
	}
	panic("no step was likely")
}

// look draws the fates of messages that are new.
func (d *dice) look(w *world) {
	for i := range w.msgs {
		m := &w.msgs[i]
		if m.serial <= d.looked || d.muted[m.node] {
			continue
		}
		s := w.stepOf(m)
		switch {
		case d.IntN(100) < d.lossy:
			s.do = getsLost
			d.soon = append(d.soon, s)
		case d.IntN(100) < d.prompt:
			d.soon = append(d.soon, s)
		}
		if !m.reply && d.IntN(100) < d.copied {
			s.do, s.d = isCopied, int64(d.IntN(100))
			d.soon = append(d.soon, s)
		}
	}
	d.looked = w.serial
}

// old draws any message.
func (d *dice) old(w *world) step {
	if len(w.msgs) == 0 {
		return d.caller(w)
	}
	return w.stepOf(&w.msgs[d.IntN(len(w.msgs))])
}

// time passes, by some length or until shortly before a lease ends.
func (d *dice) time(w *world) step {
	if i := d.IntN(8); i < len(w.grants) {
		if left := w.grants[len(w.grants)-1-i].end - w.now; left > 100 {
			return step{do: passes, d: left - d.Int64N(100)}
		}
	}
	lengths := []int64{1, 5, 20, 100, 260, w.ttl / 3, w.ttl / 2, w.ttl + w.grace, w.guard()}
	return step{do: passes, d: lengths[d.IntN(min(d.longest, len(lengths)))]}
}

func (d *dice) label() int {
	d.labels++
	return d.labels * labelsPerCall
}

// overdue finds a call whose time is over.
func (d *dice) overdue(w *world) step {
	for i := len(w.calls) - 1; i >= 0; i-- {
		c := &w.calls[i]
		switch {
		case c.orphan || w.now < c.until || d.IntN(3) == 0:
		case !c.ended:
			return step{do: isOver, call: c.label}
		case c.doubt:
			return step{do: undoes, call: c.label}
		}
	}
	return d.caller(w)
}

// caller draws what somebody wants who has a lease, or would like one.
func (d *dice) caller(w *world) step {
	s := step{lockd: d.IntN(w.clients), call: d.label()}
	if d.hints > 0 {
		s.d = 1 + d.Int64N(d.hints)
	}
	var live []*acquisition
	for i := range w.leases {
		switch l := &w.leases[i]; {
		case l.busy != 0:
			if d.IntN(d.modest) > 0 {
				return d.goOn(w, &w.calls[l.busy-1])
			}
		case l.state == unknown || l.state == holding && w.now < l.valid:
			live = append(live, l)
		}
	}
	if len(live) == 0 || d.IntN(d.modest) == 0 {
		s.do, s.lease, s.name, s.patient = asks, s.call, d.IntN(w.names), d.IntN(4) > 0
		return s
	}
	l := live[d.IntN(len(live))]
	s.lease = l.label
	switch x := d.IntN(100); {
	case l.state == unknown:
		s.do = asksMore
	case d.IntN(100) < d.renewing:
		s.do = renews
	case x < 75:
		s.do = releases
	case x < 85:
		s.do = forces
	default:
		s.do = asksMore
	}
	return s
}

// goOn brings a call nearer to its end.
func (d *dice) goOn(w *world, c *call) step {
	for i := range w.msgs {
		if m := &w.msgs[i]; w.calls[m.call].label == c.label && !d.muted[m.node] && d.IntN(3) > 0 {
			return w.stepOf(m)
		}
	}
	if left := c.until - w.now; left > 0 {
		return step{do: passes, d: min(left, 1+d.Int64N(left+left/3))}
	}
	return step{do: isOver, call: c.label}
}

// trouble hurts nodes and clocks: of those at most a minority, where more would break what is promised.
func (d *dice) trouble(w *world) step {
	s := step{node: d.IntN(w.rules.nodes), lockd: d.IntN(w.clients), call: d.label()}
	nd := &w.nodes[s.node]
	for n := range w.rules.nodes { // who is hurt already comes first
		if hurt := &w.nodes[n]; hurt.down || hurt.marker != hurt.run {
			s.node, nd = n, hurt
		}
	}
	switch x := d.IntN(10); {
	case nd.down:
		s.do = starts
		if d.IntN(3) == 0 {
			s.do = wipes
		}
	case nd.marker != nd.run && x < 8:
		s.do = comesBack
	case x < 3:
		s.do = syncs
	case x < 6 && d.faults > 0 && d.mayHurt(w, s.node):
		d.faults--
		s.do = crashes
	case x < 9 && d.clocks > 0:
		return d.clock(w, s)
	case x == 9 && d.deaths > 0:
		d.deaths--
		s.do = dies
	default:
		s.do = syncs
	}
	return s
}

// mayHurt reports whether a node may crash: no more than a minority is out at a time.
func (d *dice) mayHurt(w *world, n int) bool {
	out := 1
	for i := range w.rules.nodes {
		if nd := &w.nodes[i]; i != n && (nd.down || nd.marker != nd.run) {
			out++
		}
	}
	return out <= w.rules.nodes/2
}

// clock steps a clock: where clocks are called steady by less than the grace, or far and for good.
func (d *dice) clock(w *world, s step) step {
	s.do = jumps
	if d.IntN(5) == 0 {
		s.do = lockdJumps
	}
	d.clocks--
	sign := int64(1 - 2*d.IntN(2))
	switch small := w.grace / 2; {
	case !w.steady:
		s.d = sign * []int64{small, w.maxSkew - 200, w.maxSkew - 200, w.maxSkew - 200, 3_600_000}[d.IntN(5)]
		if nd := &w.nodes[s.node]; nd.shift > w.maxSkew/2 || nd.shift < -w.maxSkew/2 {
			s.d = -nd.shift
		}
	case d.stepped[s.node]:
		return step{do: syncs, node: s.node}
	case d.IntN(2) == 0 && d.fewStepped(w):
		s.d = sign * 3_600_000
		d.stepped[s.node] = s.do == jumps
	default:
		s.d = sign * min(small, 200)
		d.stepped[s.node] = s.do == jumps
	}
	return s
}

// fewStepped: exclusivity is promised while the clocks of a minority step far.
func (d *dice) fewStepped(w *world) bool {
	n := 0
	for i := range w.rules.nodes {
		if shift := w.nodes[i].shift; shift > w.maxSkew || shift < -w.maxSkew {
			n++
		}
	}
	return n < w.rules.nodes/2
}
