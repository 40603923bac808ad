package model

// mayRejoin reports whether a lockd that connects to this node would begin to take it back now. A node that kept
// every write needs no wait; its uptime says how long any other has been out.
func (w *world) mayRejoin(n int) bool {
	nd := &w.nodes[n]
	if nd.down || nd.marker == nd.run {
		return false
	}
	if nd.keeps() || w.now-nd.since > w.guard() {
		return true
	}
	w.saw(waits)
	return w.is(rejoinAtOnce) || w.is(rejoinReadsEarly)
}

// keeps reports whether a node has come back with all that it ever answered.
func (nd *node) keeps() bool { return nd.always && nd.marker != 0 }

// rejoin begins to take a node back: the fences of a majority of the others are read.
func (w *world) rejoin(d, n, label int) {
	if !w.connect(d, n) {
		return
	}
	nd := &w.nodes[n]
	w.leases = append(w.leases, acquisition{state: over, orphan: true}) // a call has one
	ci := w.begin(call{label: label, kind: callRejoin, lockd: d, target: n, exec: nd.run, lease: len(w.leases) - 1})
	switch {
	case nd.keeps(), w.is(rejoinUnrepaired):
		w.admit(ci, 0)
	default:
		for other := range w.rules.nodes {
			if other != n {
				w.send(ci, other, 1, w.requestOf(ci, opRead))
			}
		}
	}
}

func (w *world) rejoining(ci int, m message) {
	c := &w.calls[ci]
	if c.ended {
		return
	}
	if m.round == 2 {
		c.ended = true
		w.saw(rejoined)
		return
	}
	var n int
	var fence int64
	for _, a := range c.first {
		if a.code == done {
			n++
			fence = max(fence, a.fence)
		}
	}
	if n >= w.rules.quorum() || w.is(rejoinAsksOne) && n > 0 {
		w.admit(ci, fence+w.gap)
	}
}

func (w *world) admit(ci int, fence int64) {
	c := &w.calls[ci]
	if c.round == 2 || w.nodes[c.target].run != c.exec {
		return
	}
	if w.is(rejoinReadsEarly) && w.now-w.nodes[c.target].since <= w.guard() {
		return // what was read is kept until then, see timeUp
	}
	q := w.requestOf(ci, opAdmit)
	q.fence = fence
	c.round, c.until = 2, w.now+w.callTimeout
	w.send(ci, c.target, 2, q)
}
