package auth

import (
	"fmt"

	"github.com/lockd/lockd/internal/lease"
)

// maxLooks bounds how many pairs of rules are compared, so that a policy of any size is read in less than a second. Each
// rule is compared with those alone that can give what it gives, usually one or two: it takes thousands of patterns that
// begin alike, and thousands of identities that begin so too, to reach it. Then what is left goes unlooked at, and
// a rule that gives nothing may stand: it does no harm, but to whoever takes it for a restriction.
const maxLooks = 1 << 20

// overlaps adds rules that give nothing which another does not give already, and answers how many pairs it compared. Somebody
// who writes such a rule takes it for a restriction, and it is none.
func (in *reader) overlaps(grants []grant) (looks int) {
	wide := indexOf(grants)
	for i, narrow := range grants {
		wide.around(narrow, func(j int) (enough bool) {
			looks++
			other := grants[j]
			given := i != j && other.covers(narrow) && (i > j || !narrow.covers(other)) // of two that are the same, the second is named
			if given {
				in.wrong = append(in.wrong, fmt.Errorf("line %d: what %s may do under %q, line %d gives already; rules add up and take nothing away: want one of the two",
					narrow.line, narrow.text, narrow.under, other.line))
			}
			return given || looks >= maxLooks
		})
		if looks >= maxLooks {
			break
		}
	}
	return looks
}

func (g grant) covers(other grant) bool {
	return g.may&other.may == other.may && lease.Under(other.under, g.under) && (g.text == other.text || other.who.exact() && g.who.match(other.text))
}

// index finds the grants that can cover one, by their numbers.
type index struct {
	same     map[at][allVerbs + 1]int    // 1 + the first one with these verbs
	patterns map[string]map[string][]int // by prefix, then by what the pattern begins with
}

// at is for whom and where a grant is.
type at struct{ text, under string }

func indexOf(grants []grant) index {
	x := index{make(map[at][allVerbs + 1]int), make(map[string]map[string][]int)}
	for i, g := range grants {
		key := at{g.text, g.under}
		of := x.same[key]
		first := of[g.may] == 0
		if first {
			of[g.may] = i + 1
			x.same[key] = of
		}
		if !first || g.who.exact() {
			continue
		}
		if x.patterns[g.under] == nil {
			x.patterns[g.under] = make(map[string][]int)
		}
		begins := g.who.begins()
		x.patterns[g.under][begins] = append(x.patterns[g.under][begins], i)
	}
	return x
}

// around calls look with each grant that may cover g, until it has seen enough.
func (x index) around(g grant, look func(i int) (enough bool)) {
	each := func(prefix string) (enough bool) {
		for _, i := range x.same[at{g.text, prefix}] {
			if i > 0 && look(i-1) {
				return true
			}
		}
		here := x.patterns[prefix]
		if here == nil || !g.who.exact() {
			return false
		}
		for n := range len(g.text) + 1 {
			for _, i := range here[g.text[:n]] {
				if look(i) {
					return true
				}
			}
		}
		return false
	}
	if each("") {
		return
	}
	for i := range len(g.under) {
		if g.under[i] == '/' && each(g.under[:i]) {
			return
		}
	}
	if g.under != "" {
		each(g.under)
	}
}
