package model

// action is what can happen next.
type action uint8

const (
	arrives action = iota // a message
	getsLost
	isCopied
	passes   // time
	isOver   // the time that a call gives its nodes
	undoes   // a call of unknown outcome that nobody has asked again for
	asks     // a caller, for a lease on a name
	asksMore // again, for a lease id of unknown outcome or one that it holds
	renews
	releases
	forces // an operator
	dies   // a lockd; the next one stands in its place at once
	lockdJumps
	crashes // a node
	starts
	syncs   // what a node keeps reaches its disk
	wipes   // a node that is down
	jumps   // a node's clock
	forgets // a node, a lease: its clock has stepped there and back
	comesBack
)

// A step names everything that it needs, so that a run without some of its steps is a run, too.
type step struct {
	do      action
	lockd   int
	node    int
	lease   int // label
	call    int // label
	round   int8
	reply   bool
	copy    int8
	name    int
	d       int64 // ms; asks, asksMore: the proposal, 0 for lockd's own
	patient bool  // asks: the caller asks again if the outcome is unknown
}

// apply does a step, and reports whether it could be done.
func (w *world) apply(s step) bool {
	w.order++
	switch s.do {
	case arrives, getsLost, isCopied:
		return w.move(s)
	case passes: // also by 0, which nobody notices
		w.now += s.d
	case isOver, undoes:
		return w.hurry(s)
	case asks:
		if w.leaseOf(s.lease) >= 0 {
			return false
		}
		w.tell("lockd %d is asked for %s on name %d", s.lockd+1, idOf(s.lease), s.name+1)
		w.leases = append(w.leases, acquisition{label: s.lease, id: idOf(s.lease), name: s.name})
		w.ask(s.lockd, len(w.leases)-1, s.call, s.d, s.patient)
	case asksMore, renews, releases, forces:
		return w.handle(s)
	case dies:
		w.die(s.lockd)
	case lockdJumps:
		w.tell("the clock of lockd %d steps by %d ms", s.lockd+1, s.d)
		w.lockds[s.lockd].shift += s.d
		w.saw(lockdClocks)
	default:
		return w.fault(s)
	}
	return true
}

// move does what the network does to one message.
func (w *world) move(s step) bool {
	i := w.find(s)
	if i < 0 {
		return false
	}
	switch s.do {
	case arrives:
		w.saw(delivered)
		w.arrive(i)
	case getsLost:
		w.saw(messagesLost)
		w.tellMessage("is lost", i)
		w.forget(i)
	case isCopied:
		w.saw(messagesCopied)
		w.tellMessage("will arrive once more", i)
		m := w.msgs[i]
		m.copy += 1 + int8(s.d)
		w.put(m)
	}
	return true
}

// stepOf is the arrival of a message.
func (w *world) stepOf(m *message) step {
	return step{do: arrives, node: m.node, call: w.calls[m.call].label, round: m.round, reply: m.reply, copy: m.copy}
}

func (w *world) find(s step) int {
	for i := range w.msgs {
		if m := &w.msgs[i]; m.node == s.node && m.round == s.round && m.reply == s.reply && m.copy == s.copy && w.calls[m.call].label == s.call {
			return i
		}
	}
	return -1
}

func (w *world) leaseOf(label int) int {
	for i := range w.leases {
		if w.leases[i].label == label {
			return i
		}
	}
	return -1
}

// hurry ends a call's patience.
func (w *world) hurry(s step) bool {
	for ci := range w.calls {
		c := &w.calls[ci]
		if c.label != s.call || c.orphan || w.now < c.until {
			continue
		}
		switch {
		case s.do == isOver && !c.ended:
			w.timeUp(ci)
			return true
		case s.do == undoes && c.doubt:
			w.undoes(ci)
			return true
		}
	}
	return false
}

// undoes takes back what was left to a retry. If that came, only the tag tells them apart.
func (w *world) undoes(ci int) {
	c := &w.calls[ci]
	l := &w.leases[c.lease]
	c.doubt = false
	if l.state == unknown {
		l.state = over
	}
	w.undo(ci)
}

// handle is what a caller, or an operator, does about a lease.
func (w *world) handle(s step) bool {
	li := w.leaseOf(s.lease)
	if li < 0 {
		return false
	}
	l := &w.leases[li]
	holds := l.state == holding && w.now < l.valid
	switch s.do {
	case asksMore:
		if l.busy != 0 || !holds && l.state != unknown {
			return false
		}
		w.tell("lockd %d is asked for %s again", s.lockd+1, l.id)
		w.ask(s.lockd, li, s.call, s.d, false)
	case renews:
		if !holds {
			return false
		}
		w.tell("lockd %d is to renew %s", s.lockd+1, l.id)
		w.extend(s.lockd, li, s.call)
	case releases:
		if l.state != holding || l.busy != 0 {
			return false
		}
		w.saw(released)
		w.tell("lockd %d is to release %s", s.lockd+1, l.id)
		w.release(s.lockd, li, s.call)
	case forces:
		if l.state != holding || l.busy != 0 {
			return false
		}
		w.tell("lockd %d is to end %s by force, token %d", s.lockd+1, l.id, l.told)
		w.force(s.lockd, li, s.call)
	}
	return true
}

// die ends a lockd with all that it was doing. The callers go on with the next one.
func (w *world) die(d int) {
	w.tell("lockd %d dies, and begins anew", d+1)
	w.saw(lockdDeaths)
	for ci := range w.calls {
		c := &w.calls[ci]
		if c.lockd != d || c.orphan {
			continue
		}
		l := &w.leases[c.lease]
		if !c.ended || c.doubt {
			l.orphan = true // nobody undoes it
			if l.busy == ci+1 {
				l.busy = 0
			}
			if c.kind == callAcquire && l.state == asking {
				l.state = unknown
			}
		}
		c.orphan, c.ended, c.doubt = true, true, false
	}
	w.lockds[d] = lockd{shift: w.lockds[d].shift}
}

// fault is what happens to a node.
func (w *world) fault(s step) bool {
	nd := &w.nodes[s.node]
	switch s.do {
	case crashes:
		if nd.down {
			return false
		}
		w.tell("n%d crashes", s.node+1)
		nd.down, nd.crashed = true, true
		w.saw(nodeCrashes)
		if !nd.always {
			w.saw(staleDisks)
			nd.memory = nd.disk
			w.tell("n%d has lost its last writes: fence %d", s.node+1, nd.fence)
		}
	case starts:
		if !nd.down {
			return false
		}
		w.nextRun++
		w.tell("n%d starts", s.node+1)
		nd.down, nd.run, nd.since = false, w.nextRun, w.now
	case wipes:
		if !nd.down {
			return false
		}
		w.tell("n%d is wiped", s.node+1)
		w.saw(nodeWipes)
		nd.memory, nd.disk = memory{}, memory{}
	case syncs:
		nd.disk = nd.memory
	case jumps:
		w.tell("the clock of n%d steps by %d ms", s.node+1, s.d)
		w.saw(nodeJumps)
		nd.shift += s.d
		nd.stepped = nd.stepped || s.d < 0
	case forgets:
		w.tell("n%d has lost what stood on name %d", s.node+1, s.name+1)
		nd.locks[s.name] = lock{}
	case comesBack:
		if !w.mayRejoin(s.node) {
			return false
		}
		w.tell("lockd %d begins to take n%d back", s.lockd+1, s.node+1)
		w.rejoin(s.lockd, s.node, s.call)
	}
	return true
}
