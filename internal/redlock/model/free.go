package model

// release begins to give a lease back. From here on its caller counts on nothing.
func (w *world) release(d, li, label int) {
	l := &w.leases[li]
	l.state = over
	w.endHold(li)
	w.freeEverywhere(call{label: label, kind: callRelease, lockd: d, lease: li})
}

// undo begins to take back an attempt, by its tag.
func (w *world) undo(ci int) {
	c := w.calls[ci]
	w.freeEverywhere(call{
		label: c.label + 1, kind: callUndo, lockd: c.lockd, lease: c.lease,
		attempt: c.attempt, exec: c.exec, notAfter: c.notAfter,
	})
}

func (w *world) freeEverywhere(c call) {
	ci := w.begin(c)
	w.calls[ci].until += w.callTimeout // once more, when nothing of it can arrive any more
	o := opRelease
	if c.kind == callUndo {
		o = opUndo
	}
	w.each(ci, 1, w.requestOf(ci, o))
}

// again repeats a release or an undo at the nodes where its effect is not sure yet.
func (w *world) again(ci int) {
	c := &w.calls[ci]
	o := opRelease
	if c.kind == callUndo {
		o = opUndo
	}
	w.tell("lockd %d repeats the %s of %s", c.lockd+1, callNames[c.kind], w.leases[c.lease].id)
	c.until = w.now + w.callTimeout
	if c.round++; c.round > 100 {
		c.ended = true // by then all has run out
		return
	}
	for n := range w.rules.nodes {
		if !w.calls[ci].sure[n] {
			w.send(ci, n, c.round, w.requestOf(ci, o))
		}
	}
}

// freeing takes a node's answer: it is sure once nothing under way can come into effect there any more.
func (w *world) freeing(ci int, m message) {
	c := &w.calls[ci]
	notAfter := c.notAfter[m.node]
	if c.kind == callRelease {
		notAfter = w.leases[c.lease].notAfter[m.node]
	}
	if m.answer.code == noMemory { // it does nothing, and what it has is for nobody
		m.answer.time = never
	} else if m.answer.code != done {
		return
	}
	if m.answer.time <= notAfter {
		if w.saw(undoUnsure); !w.is(undoOnce) {
			return
		}
	}
	c.sure[m.node] = true
	for n := range w.rules.nodes {
		if !c.sure[n] {
			return
		}
	}
	c.ended = true
}

// force begins to end whatever lease has a token, on an operator's word. It has happened once a quorum says so.
func (w *world) force(d, li, label int) {
	l := &w.leases[li]
	ci := w.begin(call{label: label, kind: callForce, lockd: d, lease: li, token: w.propose(d)})
	if c := &w.calls[ci]; !w.is(forceLow) {
		c.token = max(c.token, l.told+1)
	}
	l.busy = ci + 1
	w.wasForced(li)
	q := w.requestOf(ci, opForce)
	q.want = l.told
	w.each(ci, 1, q)
}

func (w *world) forcing(ci int) {
	c := &w.calls[ci]
	var n int
	for _, a := range c.first {
		if a.code == done {
			n++
		}
	}
	if n >= w.quorum() && !c.ended {
		c.ended = true
		w.leases[c.lease].busy = 0
		w.saw(forced)
		w.hasBeenForced(c.lease)
	}
}
