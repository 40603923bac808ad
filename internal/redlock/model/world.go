package model

import "slices"

// The bounds of a world. Arrays instead of slices and maps, so that a world is copied by an assignment.
const (
	maxNodes   = 5
	maxClients = 3
	maxNames   = 2
)

// rules are the sizes of a world. Times are in ms.
type rules struct {
	nodes, clients, names int

	ttl, grace  int64
	callTimeout int64 // how long a node may take to answer
	maxSkew     int64 // between lockd's clock and a node's, for grants
	tick        int64 // of the clock that tokens are proposed from: a coarse one collides more often
	retryWithin int64 // how long lockd leaves an unknown outcome to the retry
	gap         int64 // added to a repaired fence
	steady      bool  // clocks step by less than the grace, or for good: exclusivity is promised
}

func (r rules) quorum() int { return r.nodes/2 + 1 }

// guard is how long a node without memory stays out: the longest lease is over by then.
func (r rules) guard() int64 { return (r.ttl + r.grace) * 101 / 100 }

// A world is all there is: nodes, lockds, what is under way between them, and what callers were told.
type world struct {
	rules
	variant
	order  int64 // of events: several may happen at one time
	now    int64 // true time, which nobody sees; lockd's monotonic clock runs with it
	nodes  [maxNodes]node
	lockds [maxClients]lockd
	leases []acquisition
	calls  []call
	msgs   []message
	grants []grant

	nextExec, nextRun int
	serial            int // of the last message
	tally             tally
	bit               uint64    // the rules that have made a difference since somebody looked
	broken            string    // the first property that did not hold
	story             *[]string // nil: nobody reads it
}

func (w *world) is(v variant) bool { return w.variant == v }

func (w *world) px() int64 {
	if w.is(noGrace) {
		return w.ttl
	}
	return w.ttl + w.grace
}

func (w *world) quorum() int {
	if w.is(minority) {
		return w.rules.nodes / 2
	}
	return w.rules.quorum()
}

// A lockd is stateless: what it knows can be lost at any time.
type lockd struct {
	shift   int64 // its wall clock minus the true one
	last    int64 // its last proposal
	largest int64 // the largest fence that it has seen
	nodes   [maxNodes]connection
}

// connection is what a lockd knows of a node since it connected.
type connection struct {
	run    int   // 0: not connected
	offset int64 // TIME minus lockd's monotonic clock
}

// message is a request or an answer under way. It may arrive at any time, twice, or never.
type message struct {
	call, node int
	round      int8
	reply      bool
	copy       int8
	run        int // of the process at the connection's other end; a restart loses what was under way
	sent       int64
	serial     int
	request    request
	answer     answer
}

func newWorld(r rules, v variant) *world {
	w := &world{rules: r, variant: v, now: 1000}
	for n := range r.nodes {
		w.nextRun++
		w.nodes[n] = node{run: w.nextRun, memory: memory{marker: w.nextRun}, since: -1 << 40}
	}
	return w
}

// connect answers whether a lockd has a connection to a node, making one if need be.
func (w *world) connect(c, n int) bool {
	nd, conn := &w.nodes[n], &w.lockds[c].nodes[n]
	if nd.down {
		conn.run = 0
		return false
	}
	if conn.run != nd.run {
		*conn = connection{run: nd.run, offset: w.clockOf(n) - w.now}
	}
	return true
}

// send gives a request of a call to the network. It answers whether there is a connection.
func (w *world) send(ci, n int, round int8, q request) bool {
	c := &w.calls[ci]
	if !w.connect(c.lockd, n) {
		return false
	}
	conn := w.lockds[c.lockd].nodes[n]
	l := &w.leases[c.lease]
	q.clock = w.now + w.lockds[c.lockd].shift
	q.notAfter = w.now + w.callTimeout + conn.offset
	if q.op == opAcquire || q.op == opPlant {
		l.notAfter[n] = max(l.notAfter[n], q.notAfter)
		c.notAfter[n] = q.notAfter
	}
	w.put(message{call: ci, node: n, round: round, run: conn.run, sent: w.now, request: q})
	return true
}

// arrive executes a request, or gives an answer to who waits for it. A message to or from a process
// that has ended is gone.
func (w *world) arrive(i int) {
	m := w.msgs[i]
	w.forget(i)
	nd := &w.nodes[m.node]
	if nd.down || nd.run != m.run {
		w.saw(messagesLost)
		return
	}
	if !m.reply {
		answer := w.execute(m.node, m.request)
		w.tellAnswer(m, answer)
		m.reply, m.answer = true, answer
		w.put(m)
		return
	}
	c := &w.calls[m.call]
	if c.orphan {
		return
	}
	d := &w.lockds[c.lockd]
	d.largest = max(d.largest, m.answer.fence)
	if w.now-m.sent <= w.callTimeout {
		d.nodes[m.node].offset = m.answer.time - m.sent
	}
	w.tell("lockd %d hears of n%d's %s", c.lockd+1, m.node+1, w.nameOf(m))
	w.answered(m.call, m)
}

// put gives a message to the network.
func (w *world) put(m message) {
	w.serial++
	m.serial = w.serial
	w.msgs = append(w.msgs, m)
}

// forget takes a message off the network.
func (w *world) forget(i int) { w.msgs = slices.Delete(w.msgs, i, i+1) }
