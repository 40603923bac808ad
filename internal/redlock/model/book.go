package model

import (
	"fmt"
)

// A grant is what a caller was told: a lease with a token.
type grant struct {
	lease int
	name  int
	token int64
	asked int64 // orders, as at
	at    int64
	end   int64 // until when its caller counts on it, less once it is released or forced
	// Orders, too: from when on a force was under way, and when it had happened.
	forced, forcedDone int64
}

const never = 1 << 60

// wasGranted writes a grant down and looks at it beside all others of its name.
func (w *world) wasGranted(li int) {
	l := &w.leases[li]
	g := grant{lease: li, name: l.name, token: l.told, asked: l.asked, at: w.order, end: l.valid, forced: never, forcedDone: never}
	w.saw(grants)
	for _, other := range w.grants {
		if other.name != g.name {
			continue
		}
		was := w.leases[other.lease].id
		switch {
		case other.token == g.token:
			w.breaks("a token twice: %d is %s's, and now %s's", g.token, was, l.id)
		case other.at < g.asked && other.token > g.token:
			w.breaks("tokens out of order: %s was asked for after %s had been granted %d, and has %d", l.id, was, other.token, g.token)
		case w.steady && other.forced == never && other.token > g.token:
			w.breaks("tokens out of order: %s was granted %d before, now %s has %d", was, other.token, l.id, g.token)
		case w.steady && other.end > w.now:
			w.breaks("two holders: %s may count on its lease for %d ms more, and %s is granted one", was, other.end-w.now, l.id)
		}
	}
	w.grants = append(w.grants, g)
}

// wasRenewed extends a hold by a renewal, or a replay, that was sent at sent.
func (w *world) wasRenewed(li int, sent int64) {
	l := &w.leases[li]
	mine := w.grantOf(li)
	for i := range w.grants {
		other := &w.grants[i]
		if other == mine || other.name != mine.name {
			continue
		}
		was := w.leases[other.lease].id
		switch {
		case other.token > mine.token && (other.at < sent || w.steady && mine.forced == never && other.at > mine.at):
			w.breaks("a renewal after another grant: %s has %d, and %s is renewed with %d", was, other.token, l.id, mine.token)
		case w.steady && other.end > w.now && mine.forced == never:
			w.breaks("two holders: %s is renewed, and %s may count on its lease for %d ms more", l.id, was, other.end-w.now)
		}
	}
	if sent > mine.forcedDone {
		w.breaks("%s was ended by force, and is renewed", l.id)
	}
	if mine.forced == never {
		mine.end = l.valid
	}
}

func (w *world) grantOf(li int) *grant {
	for i := range w.grants {
		if w.grants[i].lease == li {
			return &w.grants[i]
		}
	}
	panic("a lease without a grant is renewed")
}

// endHold is a caller's word that it counts on its lease no more.
func (w *world) endHold(li int) {
	for i := range w.grants {
		if g := &w.grants[i]; g.lease == li {
			g.end = min(g.end, w.now)
		}
	}
}

// wasForced ends a hold for the book: an operator has said that it is over.
func (w *world) wasForced(li int) {
	g := w.grantOf(li)
	g.end, g.forced = min(g.end, w.now), min(g.forced, w.order)
}

func (w *world) hasBeenForced(li int) {
	g := w.grantOf(li)
	g.forcedDone = min(g.forcedDone, w.order)
}

func (w *world) breaks(format string, args ...any) {
	if w.broken == "" {
		w.broken = fmt.Sprintf(format, args...)
	}
}

// leftBehind looks for locks of leases that nobody has, once everything has been undone and released.
func (w *world) leftBehind() {
	for n := range w.rules.nodes {
		nd := &w.nodes[n]
		if nd.crashed || nd.stepped {
			// It may have gone back to what it had, or do nothing now, not even free. And a clock that steps back lets
			// in what came too late: what that leaves stands for as long as its PX, and makes no second holder.
			continue
		}
		for _, l := range nd.locks[:w.names] {
			if l.ID == "" || l.until <= w.clockOf(n) || nd.down {
				continue
			}
			for i := range w.leases {
				if lease := &w.leases[i]; lease.id == l.ID && !lease.orphan {
					w.breaks("left behind: n%d still has %s, which nobody holds", n+1, l.ID)
				}
			}
		}
	}
}
