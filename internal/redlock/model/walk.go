package model

import "math/rand/v2"

// walk goes through a plan once, drawing what comes next: mostly messages, so that things get done, but for those that
// are held up until much else has happened.
func (p plan) walk(seed uint64, v variant) history {
	d := rand.New(rand.NewPCG(seed, 1))
	s := search{plan: p, variant: v, free: true}
	h := history{world: p.begin(v), seed: seed}
	at := position{}
	hurry, heldUp := 1+d.IntN(5), d.IntN(50)
	for range 60 + 30*len(p.script) {
		moves := s.moves(h.world, at)
		if len(moves) == 0 {
			break
		}
		m := moves[d.IntN(len(moves))]
		switch {
		case m.step.do == arrives && !m.step.reply && fate(seed, m.step) < heldUp && d.IntN(20) > 0:
			continue
		case m.step.do != arrives && d.IntN(hurry) > 0:
			continue
		}
		// A copy is of what has not arrived.
		if next := at.next; next < len(p.script) && p.script[next].do == isCopied && m.step.do == arrives {
			continue
		}
		// What cannot be done now is left out, or tried again later.
		if s.take(&h, m.step) || m.step.do == comesBack || d.IntN(30) == 0 {
			at = m.then
		}
		if h.broken != "" {
			break
		}
	}
	return h
}

// fate is a number below 100 that is the same for a message whenever it is drawn.
func fate(seed uint64, s step) int {
	h := mixer(seed)
	h.add(s.call, s.node, int(s.round), int(s.copy))
	return int(uint64(h) >> 32 % 100)
}
