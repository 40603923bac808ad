package model

import "github.com/lockd/lockd/internal/redlock/ballot"

// extend begins a renewal.
func (w *world) extend(d, li, label int) {
	l := &w.leases[li]
	ci := w.begin(call{label: label, kind: callRenew, lockd: d, lease: li, attempt: l.attempt, token: l.told})
	w.each(ci, 1, w.requestOf(ci, opRenew))
	w.renewing(ci, message{node: -1})
}

// renewing looks at the answers that a renewal has got.
func (w *world) renewing(ci int, m message) {
	c := &w.calls[ci]
	l := &w.leases[c.lease]
	if m.round == 1 && m.answer.code == free {
		w.vacant(ci, m)
	}
	if c.ended || l.state != holding {
		return
	}
	answers := c.first
	for n, a := range c.second { // a node that has committed, and in a wrong variant planted
		if a.code == mine {
			answers[n] = a
		}
	}
	said := w.said(&answers)
	if w.is(renewByID) {
		for n := range said {
			said[n].Token = l.told
		}
	}
	verdict, token := ballot.Renewed(said, 0)
	if w.is(commitDownwards) {
		verdict, token = renewedDownwards(said)
	}
	switch verdict {
	case ballot.Decided:
		c.ended = true
		w.wasConfirmed(ci, token)
	case ballot.Commit2:
		if c.round == 1 {
			c.round, c.token = 2, token
		}
		for n, a := range answers {
			if a.code == mine && w.mayRaise(a.token, c.token) && !a.committed && c.second[n].code == nothing && !c.sure[n] {
				c.sure[n] = true
				w.sendCommit(ci, n, a.token)
			}
		}
	case ballot.Failed:
		c.ended = true
		w.lose(ci)
	}
}

// wasConfirmed is a renewal that a quorum has confirmed.
func (w *world) wasConfirmed(ci int, token int64) {
	c := &w.calls[ci]
	l := &w.leases[c.lease]
	if token != l.told {
		w.saw(changedTokens)
		w.lose(ci)
		return
	}
	valid := w.validUntil(c.began)
	if valid <= w.now {
		w.saw(tooLate)
		return
	}
	w.saw(renewed)
	w.tell("%s IS RENEWED, for %d ms", l.id, valid-w.now)
	l.valid = max(l.valid, valid)
	w.wasRenewed(c.lease, c.order)
	w.mend(ci)
}

// lose ends a lease that its caller has been told is lost; it releases what may be left.
func (w *world) lose(ci int) {
	c := &w.calls[ci]
	l := &w.leases[c.lease]
	w.saw(losses)
	w.tell("%s is lost to its caller", l.id)
	c.ended = true
	l.state = over
	w.endHold(c.lease)
	w.freeEverywhere(call{label: c.label + 1, kind: callRelease, lockd: c.lockd, lease: c.lease})
}

// vacant notes F4's first step. A fence that has not moved was read when it was first heard of.
func (w *world) vacant(ci int, m message) {
	c := &w.calls[ci]
	l := &w.leases[c.lease]
	seen := &l.free[m.node]
	if seen.run != m.run || seen.lockd != c.lockd || seen.fence != m.answer.fence {
		*seen = vacancy{lockd: c.lockd, run: m.run, fence: m.answer.fence, heard: w.order}
	}
	if w.is(repairCountsAtOnce) && !c.ended && l.state == holding {
		w.sendPlant(ci, m.node, seen.fence)
	}
}

// mend is F4's third step: the name was seen free at a node, then a quorum confirmed the lease in a renewal
// that began after that. Now the lease is planted there, if the node has granted nothing in between.
func (w *world) mend(ci int) {
	c := &w.calls[ci]
	l := &w.leases[c.lease]
	for n := range w.rules.nodes {
		seen := &l.free[n]
		if seen.run == 0 || seen.lockd != c.lockd || seen.run != w.lockds[c.lockd].nodes[n].run {
			continue
		}
		if w.is(repairReadsLate) {
			seen.fence = w.nodes[n].fence
		} else if seen.heard >= c.order {
			if w.saw(heardAmid); !w.is(repairSameRound) {
				continue
			}
		}
		w.sendPlant(ci, n, seen.fence)
		*seen = vacancy{}
	}
}

func (w *world) sendPlant(ci, n int, fence int64) {
	q := w.requestOf(ci, opPlant)
	q.token, q.fence = w.leases[w.calls[ci].lease].told, fence
	w.send(ci, n, 2, q)
}

// renewedDownwards is the ballot's verdict as it would be if nodes with larger tokens were to be committed, too.
func renewedDownwards(said []ballot.Answer) (ballot.Verdict, int64) {
	verdict, token := ballot.Renewed(said, 0)
	if verdict != ballot.Failed {
		return verdict, token
	}
	var stand, has int
	for _, a := range said {
		if a.Kind == ballot.Stands {
			stand++
			if a.Token == token {
				has++
			}
		}
	}
	if has > 0 && stand >= ballot.Quorum(len(said)) {
		return ballot.Commit2, token
	}
	return verdict, token
}
