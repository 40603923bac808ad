package auth

import (
	"cmp"
	"fmt"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/lockd/lockd/internal/lease"
)

// Limits are how much one identity may have at once through this lockd, and ask. A field that is 0 says nothing: what is set
// for each counts.
type Limits struct {
	lease.Own
	Streams int // calls that are open at once, streams and unary ones
	Rate    int // requests in any second
}

// limit is what a policy says of some.
//
//	limits:
//	  - who: cert:spiffe://acme/team-b/*
//	    leases: 100
//	    ttl: 5m
type limit struct {
	grant  // of the fields that are said, as fields answers them; its prefix is ""
	Limits // what is said
}

// countKeys are the keys of a limit that count something, in the order of Limits.counts.
var countKeys = []string{"leases", "waiters", "waiters-per-name", "streams", "requests", "metadata"}

const (
	maxCount = 1 << 30
	maxTTL   = 24 * time.Hour // beyond which no lockd allows a ttl
)

// counts are the fields of l that count something.
func (l *Limits) counts() []*int {
	return []*int{&l.Leases, &l.Waiters, &l.Line, &l.Streams, &l.Rate, &l.MaxMetadata}
}

// fill sets what is said in from and not in l.
func (l *Limits) fill(from Limits) {
	for i, to := range l.counts() {
		*to = cmp.Or(*to, *from.counts()[i])
	}
	l.MaxTTL = cmp.Or(l.MaxTTL, from.MaxTTL)
}

// fields are those that are said, a bit each.
func (l *Limits) fields() (said Verb) {
	for i, c := range l.counts() {
		if *c > 0 {
			said |= 1 << i
		}
	}
	if l.MaxTTL > 0 {
		said |= 1 << len(countKeys)
	}
	return said
}

// limitsOf answers what is said of who, nil if nothing is: of each field what the first limit says that names it.
func (p *policy) limitsOf(who string) (found *Limits) {
	for _, l := range p.limits {
		if !l.who.match(who) {
			continue
		}
		if found == nil {
			found = new(Limits)
		}
		found.fill(l.Limits)
	}
	return found
}

// limit answers what one says of each of those it names, none if it is wrong.
func (in *reader) limit(node *yaml.Node) (limits []limit) {
	var who []*yaml.Node
	var says Limits
	before := len(in.wrong)
	keys := map[string]func(*yaml.Node){
		"who": func(n *yaml.Node) { who = in.texts(n, "who") },
		"ttl": func(n *yaml.Node) { says.MaxTTL = in.ttl(n) },
	}
	for i, key := range countKeys {
		most := maxCount
		if key == "metadata" {
			most = lease.MaxMetadataBytes
		}
		keys[key] = func(n *yaml.Node) { *says.counts()[i] = in.count(n, key, most) }
	}
	in.pairs(node, "a limit", keys)
	switch {
	case len(in.wrong) > before:
		return nil
	case len(who) == 0 || says == Limits{}:
		in.add(node, "the limit is not whole; want who, and one or more of %q and ttl", countKeys)
		return nil
	}
	for _, n := range who {
		is, err := parsePattern(n.Value)
		if err != nil {
			in.add(n, "%s", err)
			continue
		}
		limits = append(limits, limit{grant{who: is, text: n.Value, may: says.fields(), line: n.Line}, says})
	}
	return limits
}

func (in *reader) count(n *yaml.Node, what string, most int) int {
	is, err := strconv.Atoi(n.Value)
	if n.Kind != yaml.ScalarNode || err != nil || is < 1 || is > most {
		in.add(n, "%s is %s; want a whole number, 1 to %d", what, quoted(n), most)
	}
	return is
}

func (in *reader) ttl(n *yaml.Node) time.Duration {
	is, err := time.ParseDuration(n.Value)
	if n.Kind != yaml.ScalarNode || err != nil || is < time.Millisecond || is > maxTTL {
		in.add(n, "ttl is %s; want 1ms to 24h, as in 5m", quoted(n))
	}
	return is
}

func quoted(n *yaml.Node) string {
	if n.Kind != yaml.ScalarNode {
		return "no single value"
	}
	return strconv.Quote(n.Value)
}

// unreached adds limits that never count, since one before them says it all. Somebody who writes such a limit takes it for one that
// goes before the other.
func (in *reader) unreached(limits []limit) {
	var of []grant
	for _, l := range limits {
		of = append(of, l.grant)
	}
	compare(of, func(narrow, wide int) (enough bool) {
		never := wide < narrow && of[wide].covers(of[narrow])
		if never {
			in.wrong = append(in.wrong, fmt.Errorf("line %d: what limits %s is said for it in line %d already, and the first one counts; want the narrower one first",
				of[narrow].line, of[narrow].text, of[wide].line))
		}
		return never
	})
}
