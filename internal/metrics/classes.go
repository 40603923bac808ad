package metrics

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/lockd/lockd/internal/lease"
)

// What a table of classes may have. Each class is a time series more of a dozen metrics.
const (
	maxClasses  = 20
	maxPrefixes = 200
)

// Other is the class of names that no prefix of the table is for.
const Other = "other"

// classForm is how a class may be called: it becomes the value of a label.
var classForm = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,31}$`)

// Classes sort names into few classes, by their prefixes. The zero value has them all in Other.
type Classes struct {
	names []string // of the classes but Other
	rules []classRule
}

type classRule struct {
	prefix string
	class  int // in names, from 1; 0 is Other
}

// ParseClasses reads rules of the form PREFIX=CLASS, without regard to their order: for a name the longest prefix counts
// that it is under, segment by segment.
func ParseClasses(rules []string) (Classes, error) {
	var c Classes
	if len(rules) > maxPrefixes {
		return c, fmt.Errorf("has %d prefixes; want at most %d", len(rules), maxPrefixes)
	}
	for _, rule := range rules {
		i := strings.LastIndexByte(rule, '=')
		if i < 0 {
			return c, fmt.Errorf("has %q; want PREFIX=CLASS, such as orders=shop", rule)
		}
		prefix, class := rule[:i], rule[i+1:]
		if !classForm.MatchString(class) {
			return c, fmt.Errorf("has the class %q; want 1 to 32 of a-z, 0-9, - and _", class)
		}
		var invalid *lease.InvalidError
		if err := lease.CheckPrefix(prefix); prefix == "" || errors.As(err, &invalid) {
			return c, fmt.Errorf("has the prefix %q, which no name begins with; want whole segments, such as orders or team-a/batch", prefix)
		}
		if slices.ContainsFunc(c.rules, func(r classRule) bool { return r.prefix == prefix }) {
			return c, fmt.Errorf("has the prefix %q twice; want it once", prefix)
		}
		c.rules = append(c.rules, classRule{prefix, c.number(class)})
	}
	if len(c.names) > maxClasses {
		return c, fmt.Errorf("has %d classes; want at most %d", len(c.names), maxClasses)
	}
	slices.SortStableFunc(c.rules, func(a, b classRule) int { return cmp.Compare(len(b.prefix), len(a.prefix)) })
	return c, nil
}

// number answers the number of a class, which it adds if there is none that is called so.
func (c *Classes) number(class string) int {
	if class == Other {
		return 0
	}
	i := slices.Index(c.names, class)
	if i < 0 {
		i = len(c.names)
		c.names = append(c.names, class)
	}
	return i + 1
}

// all are the classes, by their numbers.
func (c *Classes) all() []string { return append([]string{Other}, c.names...) }

// of answers the number of name's class.
func (c *Classes) of(name string) int {
	for i := range c.rules {
		if r := &c.rules[i]; lease.Under(name, r.prefix) {
			return r.class
		}
	}
	return 0
}
