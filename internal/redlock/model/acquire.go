package model

import "github.com/lockd/lockd/internal/redlock/ballot"

// said turns answers into what the ballot decides by.
func (w *world) said(answers *[maxNodes]answer) []ballot.Answer {
	said := make([]ballot.Answer, w.rules.nodes)
	for n := range said {
		switch a := answers[n]; a.code {
		case nothing:
		case granted, mine:
			said[n] = ballot.Answer{Kind: ballot.Stands, Token: a.token, Committed: a.committed, Fresh: a.code == granted}
		default:
			said[n].Kind = ballot.Refused
		}
	}
	return said
}

// decide looks at the answers that an acquisition has got. final: no more of them are waited for.
func (w *world) decide(ci int, final bool) {
	c := &w.calls[ci]
	if c.round == 2 {
		w.decideSecond(ci, final)
		return
	}
	said := w.said(&c.first)
	verdict, token := w.verdict(said)
	switch verdict {
	case ballot.Decided:
		w.saw(oneRound)
		w.success(ci, token)
	case ballot.Commit2:
		c.round, c.token, c.until = 2, token, w.now+w.callTimeout
		w.tell("lockd %d takes %d for %s, and begins round 2", c.lockd+1, token, w.leases[c.lease].id)
		for n, a := range said {
			if a.Kind == ballot.Stands {
				w.sendCommit(ci, n, a.Token)
			}
		}
		w.decideSecond(ci, false)
	case ballot.Failed:
		w.fail(ci, isUnknown(said))
	default:
		if final {
			w.fail(ci, true)
		}
	}
}

// verdict is the ballot's, or a wrong one.
func (w *world) verdict(said []ballot.Answer) (ballot.Verdict, int64) {
	verdict, token := ballot.Granted(said)
	if verdict == ballot.Commit2 {
		w.saw(differ)
	}
	var stands int
	var largest int64
	for _, a := range said {
		if a.Kind == ballot.Stands {
			stands, largest = stands+1, max(largest, a.Token)
		}
	}
	switch {
	case w.is(noWriteBack) && verdict == ballot.Commit2, w.is(anyQuorum) && verdict == ballot.Commit2, w.is(minority) && stands >= w.quorum():
		return ballot.Decided, largest
	}
	return verdict, token
}

func isUnknown(said []ballot.Answer) bool {
	for _, a := range said {
		if a.Kind == ballot.Silent {
			return true
		}
	}
	return false
}

func (w *world) sendCommit(ci, n int, reported int64) {
	q := w.requestOf(ci, opCommit)
	q.token, q.want = reported, w.calls[ci].token
	if !w.send(ci, n, 2, q) {
		w.calls[ci].second[n].code = refused
	}
}

func (w *world) decideSecond(ci int, final bool) {
	c := &w.calls[ci]
	said := w.said(&c.second)
	for n := range said {
		switch a := &c.first[n]; a.code {
		case granted, mine, nothing:
		default:
			said[n].Kind = ballot.Refused // and was not asked again
		}
		if w.is(commitWithoutT) && said[n].Kind == ballot.Stands {
			said[n].Token = c.token
		}
	}
	switch verdict := ballot.Committed(said, c.token); {
	case verdict == ballot.Decided:
		w.saw(twoRounds)
		w.success(ci, c.token)
	case final, verdict == ballot.Failed:
		w.fail(ci, isUnknown(said))
	}
}

// validUntil is until when a lease that was sent for at sent may be counted on.
func (w *world) validUntil(sent int64) int64 {
	if w.is(validFromReply) {
		sent = w.now
	}
	return sent + w.ttl - w.ttl/100 - 5*min(1, w.ttl/1000)
}

func (w *world) success(ci int, token int64) {
	c := &w.calls[ci]
	l := &w.leases[c.lease]
	c.token = token
	valid := w.validUntil(c.began)
	if valid <= w.now {
		w.saw(tooLate)
		w.tell("too late to count")
		w.fail(ci, true)
		return
	}
	c.ended = true
	l.busy = 0
	for n := range w.rules.nodes {
		w.takeBack(ci, n, c.first[n])
		if a := c.first[n]; c.round == 1 && (a.code == granted || a.code == mine) && w.mayRaise(a.token, token) && !w.is(noWriteBack) {
			w.sendCommit(ci, n, a.token)
		}
	}
	if l.state == over {
		return // released meanwhile
	}
	if c.told != 0 && c.told != token {
		w.lose(ci) // LEASE_LOST
		return
	}
	first := l.told == 0
	l.told, l.state = token, holding
	l.valid = max(l.valid, valid)
	w.tell("%s IS HELD with %d, for %d ms", l.id, token, l.valid-w.now)
	if first {
		w.wasGranted(c.lease)
	} else {
		w.wasRenewed(c.lease, c.order)
	}
}

// fail ends an acquisition. What it may have left at nodes is undone, at once unless a retry may come.
func (w *world) fail(ci int, isUnknown bool) {
	c := &w.calls[ci]
	l := &w.leases[c.lease]
	c.ended = true
	l.busy = 0
	w.saw(failed)
	w.tell("lockd %d has not got %s", c.lockd+1, l.id)
	if c.told != 0 || l.state == over {
		return // the lease as it was told is left alone
	}
	if isUnknown && c.patient {
		l.state, c.doubt = unknown, true
		c.until = w.now + w.retryWithin
		return
	}
	l.state = over
	w.undo(ci)
}

// mayRaise reports whether a node that gave one token is to be brought to another one: a larger one shows that it has
// granted something since the token was agreed on, or that the lease was ended by force there.
func (w *world) mayRaise(given, token int64) bool {
	return given < token || given != token && w.is(commitDownwards)
}

// takeBack undoes what a node has granted that may not be brought to T.
func (w *world) takeBack(ci, n int, a answer) {
	if a.code == granted && a.token > w.calls[ci].token && !w.is(commitDownwards) && !w.is(noWriteBack) {
		w.send(ci, n, 3, w.requestOf(ci, opUndo))
	}
}

// straggler is an answer to an acquisition that has ended: granted, and then the node is brought to T.
func (w *world) straggler(ci int, m message) {
	c := &w.calls[ci]
	l := &w.leases[c.lease]
	if m.round == 1 && l.told == c.token && c.token != 0 {
		w.takeBack(ci, m.node, m.answer)
	}
	if m.round == 1 && l.told == c.token && l.state == holding && (m.answer.code == granted || m.answer.code == mine) && w.mayRaise(m.answer.token, c.token) {
		w.saw(lateAnswer)
		w.sendCommit(ci, m.node, m.answer.token)
	}
}
