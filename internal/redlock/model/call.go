package model

import "github.com/lockd/lockd/internal/redlock/ballot"

// An acquisition is what a caller knows of its lease id.
type acquisition struct {
	id      string
	label   int
	name    int
	attempt int
	told    int64 // the token that the caller was told; 0: none
	asked   int64 // order: when the first attempt was sent
	valid   int64 // until when the caller counts on it
	state   state
	orphan  bool // a lockd died over it: what is left of it runs out by itself
	busy    int  // index + 1 of the acquire, release or force under way

	notAfter [maxNodes]int64 // no message under way plants it later than this
	free     [maxNodes]vacancy
}

type state uint8

const (
	asking state = iota
	holding
	unknown // the caller was told UNAVAILABLE and may ask again
	over    // released, lost, given up
)

// vacancy is F4's first step: a node has said that the name is free there, and its fence.
type vacancy struct {
	lockd int
	run   int
	fence int64
	heard int64 // order: when the answer had come
}

type kind uint8

const (
	callAcquire kind = iota
	callRenew
	callRelease
	callUndo
	callForce
	callRejoin
)

// A call is one thing that a lockd is doing at the nodes.
type call struct {
	label   int
	kind    kind
	lockd   int
	lease   int
	target  int // callRejoin: the node
	attempt int
	exec    int
	told    int64 // callAcquire: the token that the caller was told before
	token   int64 // T, once it is known
	patient bool  // callAcquire: its caller asks again if the outcome is unknown
	began   int64
	order   int64 // when it began
	until   int64 // when it stops waiting, in this round
	round   int8
	ended   bool
	orphan  bool // its lockd is dead
	doubt   bool // callAcquire: of unknown outcome, left to the retry until then; it is undone after that

	notAfter [maxNodes]int64
	first    [maxNodes]answer
	second   [maxNodes]answer
	sure     [maxNodes]bool // callRelease, callUndo: nothing more can happen there
}

// labels of calls that follow from another one: each call has room for some.
const labelsPerCall = 4

func (w *world) begin(c call) int {
	c.began, c.order, c.until, c.round = w.now, w.order, w.now+w.callTimeout, 1
	w.calls = append(w.calls, c)
	return len(w.calls) - 1
}

// each sends a round's request to every node that can be reached.
func (w *world) each(ci int, round int8, q request) {
	for n := range w.rules.nodes {
		if !w.send(ci, n, round, q) && round == 1 {
			w.calls[ci].first[n].code = refused
		}
	}
}

// requestOf is what every request of a call carries.
func (w *world) requestOf(ci int, o op) request {
	c := &w.calls[ci]
	l := &w.leases[c.lease]
	return request{op: o, name: l.name, id: l.id, attempt: c.attempt, exec: c.exec, told: c.told, token: c.token}
}

// ask begins an acquisition's next attempt. hint, if it is not 0, is what is proposed.
func (w *world) ask(d, li, label int, hint int64, patient bool) {
	l := &w.leases[li]
	l.attempt++
	if l.attempt == 1 {
		l.asked = w.order
	}
	if l.state != holding {
		l.state = asking
	}
	w.nextExec++
	ci := w.begin(call{label: label, kind: callAcquire, lockd: d, lease: li, attempt: l.attempt, exec: w.nextExec, told: l.told, patient: patient})
	l.busy = ci + 1
	q := w.requestOf(ci, opAcquire)
	if q.token = w.propose(d); hint != 0 {
		q.token = hint
	}
	w.each(ci, 1, q)
	w.decide(ci, false)
}

// propose is a token for all nodes to give.
func (w *world) propose(d int) int64 {
	lockd := &w.lockds[d]
	lockd.last = ballot.Propose((w.now+lockd.shift)/w.tick, lockd.last, lockd.largest)
	return lockd.last
}

// answered gives an answer to its call. Only the first one of a node counts in a round.
func (w *world) answered(ci int, m message) {
	c := &w.calls[ci]
	switch {
	case m.round == 1 && c.first[m.node].code == nothing:
		c.first[m.node] = m.answer
	case m.round == 2 && c.second[m.node].code == nothing:
		c.second[m.node] = m.answer
	case c.kind != callUndo && c.kind != callRelease:
		return
	}
	switch c.kind {
	case callAcquire:
		if c.ended {
			w.straggler(ci, m)
			return
		}
		w.decide(ci, false)
	case callRenew:
		w.renewing(ci, m)
	case callRelease, callUndo:
		w.freeing(ci, m)
	case callForce:
		w.forcing(ci)
	case callRejoin:
		w.rejoining(ci, m)
	}
}

// timeUp tells a call that its nodes have had their time.
func (w *world) timeUp(ci int) {
	switch c := &w.calls[ci]; c.kind {
	case callAcquire:
		w.decide(ci, true)
	case callRelease, callUndo:
		w.again(ci)
	case callForce:
		c.ended = true
		w.leases[c.lease].busy = 0
	case callRejoin:
		c.ended = true
		if w.is(rejoinReadsEarly) && c.round == 1 { // it goes on with what it read long ago
			c.ended, c.until = false, w.now+w.callTimeout
			w.rejoining(ci, message{round: 1})
		}
	default:
		c.ended = true
	}
}
