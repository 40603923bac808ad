package model

import (
	"slices"
	"strings"
)

// shrink takes steps out of a run for as long as it still breaks the same kind of promise, so that what is
// left can be read. begin makes the world that the run starts from.
func shrink(begin func() *world, steps []step, finish func(*world), same func(string) bool) []step {
	breaks := func(steps []step) bool {
		w := begin()
		for _, s := range steps {
			w.apply(s)
		}
		if w.broken == "" {
			finish(w)
		}
		return w.broken != "" && same(w.broken)
	}
	for chunk := len(steps) / 2; chunk > 0; {
		smaller := false
		for at := 0; at+chunk <= len(steps); {
			if fewer := slices.Delete(slices.Clone(steps), at, at+chunk); breaks(fewer) {
				steps, smaller = fewer, true
			} else {
				at += chunk
			}
		}
		if !smaller || chunk > len(steps)/2 {
			chunk /= 2
		}
	}
	return steps
}

// tale tells a history that broke a promise with as few of its steps as break the same one.
func tale(h history) []string {
	return tell(h, (*world).peace, func() *world {
		w, _ := newRun(h.seed, h.variant)
		return w
	})
}

// tale tells a walk through a plan.
func (p plan) tale(h history) []string {
	return tell(h, func(*world) {}, func() *world { return p.begin(h.variant) })
}

func tell(h history, finish func(*world), begin func() *world) []string {
	sameKind := func(s string) bool {
		return strings.Fields(s)[0] == strings.Fields(h.broken)[0] || len(s) > 8 && s[1:8] == h.broken[1:8]
	}
	steps := shrink(begin, h.steps, finish, sameKind)
	w := begin()
	var story []string
	w.story = &story
	for n := range w.rules.nodes {
		w.tell("n%d begins with fence %d", n+1, w.nodes[n].fence)
	}
	for _, s := range steps {
		w.apply(s)
	}
	if w.broken == "" {
		w.tell("peace: everything arrives, everything is released")
		finish(w)
	}
	return append(story, "         "+strings.ToUpper(w.broken))
}
