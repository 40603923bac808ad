package auth

import (
	"fmt"
	"slices"

	"github.com/lockd/lockd/internal/lease"
)

// maxLooks bounds how many pairs of rules are compared, so that a policy of any size is read in less than a second. Each
// rule is compared with those alone that can give what it gives, usually one or two: it takes thousands of patterns that
// begin alike, and thousands of identities that begin so too, to reach it. Then what is left goes unlooked at, and
// a rule that gives nothing may stand: it does no harm, but to whoever takes it for a restriction.
const maxLooks = 1 << 18

// overlaps adds rules that give nothing which another does not give already, and answers how many pairs it compared. Somebody
// who writes such a rule takes it for a restriction, and it is none.
func (in *reader) overlaps(grants []grant) (looks int) {
	return compare(grants, func(i, j int) (enough bool) {
		narrow, wide := grants[i], grants[j]
		given := i != j && wide.covers(narrow) && (i > j || !narrow.covers(wide)) // of two that are the same, the second is named
		if given {
			in.wrong = append(in.wrong, fmt.Errorf("line %d: what %s may do under %q, line %d gives already; rules add up and take nothing away: want one of the two",
				narrow.line, narrow.text, narrow.under, wide.line))
		}
		return given
	})
}

// compare calls look with each grant and those that may cover it, one after the other until it has seen enough, and answers how
// often it did.
func compare(grants []grant, look func(narrow, wide int) (enough bool)) (looks int) {
	among := indexOf(grants)
	for i, g := range grants {
		among.around(g, func(j int) (enough bool) {
			looks++
			return look(i, j) || looks >= maxLooks
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
	same     map[at][]int                // the first one for each set of verbs
	patterns map[string]map[string][]int // by prefix, then by what the pattern begins with
}

// at is for whom and where a grant is.
type at struct{ text, under string }

func indexOf(grants []grant) index {
	x := index{make(map[at][]int), make(map[string]map[string][]int)}
	for i, g := range grants {
		key := at{g.text, g.under}
		if slices.ContainsFunc(x.same[key], func(j int) bool { return grants[j].may == g.may }) {
			continue
		}
		x.same[key] = append(x.same[key], i)
		if g.who.exact() {
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
			if look(i) {
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
