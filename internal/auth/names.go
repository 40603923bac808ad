package auth

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/lockd/lockd/internal/lease"
)

// What a policy may say of a name at most. More is rather a slip of the unit.
const (
	maxMaxHold   = 8760 * time.Hour // a year
	maxLockDelay = 24 * time.Hour
)

// names has what a policy says of names, by prefix: all of it, what it has from shorter prefixes included.
type names map[string]*entry

// entry is what a policy says of the names under a prefix.
type entry struct {
	under              string
	line, holdLine     int
	maxHold, lockDelay *time.Duration // as written; nil: nothing is said
	terms              lease.Terms    // in force
}

// terms answers what is said of name: what the longest prefix says that fits by whole segments.
func (n names) terms(name string) lease.Terms {
	if len(n) == 0 {
		return lease.Terms{}
	}
	if e := n[name]; e != nil {
		return e.terms
	}
	for i := len(name) - 1; i > 0; i-- {
		if name[i] != '/' {
			continue
		}
		if e := n[name[:i]]; e != nil {
			return e.terms
		}
	}
	if e := n[""]; e != nil {
		return e.terms
	}
	return lease.Terms{}
}

// fit reports which names may be held for less than the smallest ttl: nobody could have a lease on them.
func (n names) fit(minTTL time.Duration) error {
	var wrong []error
	for _, e := range slices.SortedFunc(maps.Values(n), func(a, b *entry) int { return cmp.Compare(a.line, b.line) }) {
		if e.maxHold != nil && *e.maxHold > 0 && *e.maxHold < minTTL {
			wrong = append(wrong, fmt.Errorf("line %d: max-hold under %q is %s, and min-ttl is %s; want no less than that", e.holdLine, e.under, *e.maxHold, minTTL))
		}
	}
	return errors.Join(wrong...)
}

func (in *reader) names(list *yaml.Node) names {
	all := make(names)
	for _, node := range in.items(list, "names") {
		e := in.name(node)
		if e == nil {
			continue
		}
		if first := all[e.under]; first != nil {
			in.add(node, "names under %q are in line %d already; want each prefix once", e.under, first.line)
			continue
		}
		all[e.under] = e
	}
	all.inherit()
	return all
}

// inherit gives each entry what shorter prefixes say and it does not.
func (n names) inherit() {
	for _, prefix := range slices.SortedFunc(maps.Keys(n), func(a, b string) int { return cmp.Compare(len(a), len(b)) }) {
		e := n[prefix]
		for i := range len(prefix) {
			if from := n[prefix[:i]]; from != nil && (i == 0 || prefix[i] == '/') {
				e.terms = from.terms // the longest comes last, and has what those before it say
			}
		}
		if e.maxHold != nil {
			e.terms.MaxHold = *e.maxHold
		}
		if e.lockDelay != nil {
			e.terms.LockDelay = *e.lockDelay
		}
	}
}

// name answers what is said of the names under a prefix, nil if it is wrong.
func (in *reader) name(node *yaml.Node) *entry {
	e := &entry{line: node.Line}
	var under *yaml.Node
	before := len(in.wrong)
	in.pairs(node, "an item of names", map[string]func(*yaml.Node){
		"under":      func(n *yaml.Node) { under = n },
		"max-hold":   func(n *yaml.Node) { e.maxHold, e.holdLine = in.duration(n, "max-hold", maxMaxHold), n.Line },
		"lock-delay": func(n *yaml.Node) { e.lockDelay = in.duration(n, "lock-delay", maxLockDelay) },
	})
	switch {
	case len(in.wrong) > before:
	case under == nil:
		in.add(node, `an item of names has no under; want a prefix of names, such as team-a, or "" for every name`)
	case e.maxHold == nil && e.lockDelay == nil:
		in.add(node, "nothing is said of these names; want max-hold, lock-delay, or both")
	default:
		e.under = in.prefix(under)
	}
	if len(in.wrong) > before {
		return nil
	}
	return e
}

// duration answers a duration in whole milliseconds, up to most; 0 is none.
func (in *reader) duration(n *yaml.Node, what string, most time.Duration) *time.Duration {
	d, err := time.ParseDuration(n.Value)
	switch {
	case n.Kind != yaml.ScalarNode || err != nil:
		in.add(n, "%s is %q; want a duration, such as 90s or 1h30m, or 0 for none", what, n.Value)
	case d < 0 || d > most:
		in.add(n, "%s is %s; want 0 for none, or up to %s", what, d, most)
	case d%time.Millisecond != 0:
		in.add(n, "%s is %s; want whole milliseconds", what, d)
	default:
		return &d
	}
	return nil
}
