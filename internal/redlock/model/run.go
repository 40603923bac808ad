package model

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// A history is a run that has come to its end, or has broken a promise.
type history struct {
	*world
	seed  uint64
	steps []step
}

const (
	runLength    = 200
	branchLength = 60
	branches     = 3 // of each rule that made a difference, in one run
)

// explore draws a history, and others that begin like it and go on otherwise from where a rule made a difference:
// what matters is mostly what comes next. It answers the first one that breaks a promise, or the first one, and
// what happened in all.
func explore(seed uint64, v variant) (history, tally) {
	w, d := newRun(seed, v)
	main := history{world: w, seed: seed}
	var forks []fork
	var taken [events]int
	for range runLength {
		if !main.step(d) {
			return main, w.tally
		}
		for e := firstRule; e < events; e++ {
			if w.bit&(1<<(e-firstRule)) != 0 && taken[e] < branches {
				taken[e]++
				forks = append(forks, fork{main.clone(), d.clone(uint64(len(forks) + 1))})
			}
		}
		w.bit = 0
	}
	w.peace()
	sum := w.tally
	for _, f := range forks {
		if main.broken != "" {
			break
		}
		sum.add(f.finish())
		if f.broken != "" {
			return f.history, sum
		}
	}
	return main, sum
}

// step takes one, and reports whether all promises still hold.
func (h *history) step(d *dice) bool {
	s := d.next(h.world)
	if h.apply(s) {
		h.steps = append(h.steps, s)
	}
	return h.broken == ""
}

type fork struct {
	history
	dice *dice
}

// finish goes on from where the fork was taken, and answers what happened since.
func (f *fork) finish() tally {
	before := f.tally
	for range branchLength {
		if !f.step(f.dice) {
			break
		}
	}
	f.peace()
	since := f.tally
	for e := range since {
		since[e] -= before[e]
	}
	return since
}

func (h *history) clone() history {
	w := *h.world
	w.leases, w.calls, w.msgs, w.grants = slices.Clone(w.leases), slices.Clone(w.calls), slices.Clone(w.msgs), slices.Clone(w.grants)
	return history{&w, h.seed, slices.Clone(h.steps)}
}

// clone is dice that fall otherwise from here on.
func (d *dice) clone(branch uint64) *dice {
	e := *d
	e.Rand = rand.New(rand.NewPCG(d.Uint64(), branch))
	e.soon = slices.Clone(d.soon)
	return &e
}

// peace ends every fault and lets all that was begun come to its end.
func (w *world) peace() {
	if w.broken != "" {
		return
	}
	for range 12 {
		for li := range w.leases {
			if l := &w.leases[li]; l.state == holding {
				w.release(0, li, 0)
			}
		}
		for len(w.msgs) > 0 {
			w.arrive(0)
		}
		w.now += w.callTimeout + 1
		for ci := range w.calls {
			c := &w.calls[ci]
			switch {
			case c.orphan || w.now < c.until:
			case !c.ended:
				w.timeUp(ci)
			case c.doubt:
				w.undoes(ci)
			}
		}
	}
	w.leftBehind()
}

// idOf is a lease id that people can tell from others.
func idOf(label int) string {
	i := label / labelsPerCall
	s := string(rune('A' + i%26))
	if i >= 26 {
		s += fmt.Sprint(i / 26)
	}
	return s
}
