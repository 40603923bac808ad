package auth

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/lockd/lockd/internal/lease"
)

// Verb is what can be done.
type Verb uint8

// The verbs. A rule with Watch or Force has Read as well: both show who holds a name.
const (
	Acquire Verb = 1 << iota // acquire and renew, and be told why a lease was lost
	Read                     // get, list, check a token; see who is in the way
	Watch                    // be told what happens
	Force                    // end another's lease
	Admin                    // see the server and its store; about no name, so under "" only
)

var verbs = map[string]Verb{"acquire": Acquire, "read": Read, "watch": Watch, "force": Force, "admin": Admin}

// VerbNames are the verbs in words.
var VerbNames = []string{"acquire", "read", "watch", "force", "admin"}

// ParseVerb answers the verb of that name.
func ParseVerb(text string) (Verb, bool) {
	v, ok := verbs[text]
	return v, ok
}

func (v Verb) String() string {
	var words []string
	for _, name := range VerbNames {
		if v&verbs[name] != 0 {
			words = append(words, name)
		}
	}
	return strings.Join(words, ", ")
}

// policy is who may do what: rules that add up, none of which takes away what another gives; how much of it; who may do
// nothing; and what is said of names, whoever asks for them.
//
//	rules:
//	  - who: cert:spiffe://acme/team-a/*
//	    may: [acquire, read, watch]
//	    under: team-a
//	limits:
//	  - who: cert:spiffe://acme/team-a/*
//	    leases: 100
//	revoked: [cert:spiffe://acme/team-a/old]
//	names:
//	  - under: team-a/batch
//	    max-hold: 1h
//	    lock-delay: 15s
type policy struct {
	exact    map[string][]grant // by identity
	patterns []grant
	limits   []limit
	revoked  pattern
	names    names

	// Where the policy speaks of identities first, and whether it has rules at all.
	identities int // a line; 0: nowhere
	rules      bool
}

// grant is what a rule gives to one of those that it names.
type grant struct {
	who   pattern
	text  string // of who
	may   Verb
	under string
	line  int
}

// rights are what one identity may do under each prefix that a rule gives it.
type rights map[string]Verb

// cover reports whether r has the verb for name. It looks at each prefix of name by whole segments: a few, however
// many rules there are.
func (r rights) cover(do Verb, name string) bool {
	if (r[""]|r[name])&do != 0 {
		return true
	}
	for i := range len(name) {
		if name[i] == '/' && r[name[:i]]&do != 0 {
			return true
		}
	}
	return false
}

// reach reports whether r has the verb for any name under prefix.
func (r rights) reach(do Verb, prefix string) bool {
	for under, may := range r {
		if may&do != 0 && (lease.Under(prefix, under) || lease.Under(under, prefix)) {
			return true
		}
	}
	return false
}

func (p *policy) rightsOf(who string) rights {
	r := make(rights)
	for _, g := range p.exact[who] {
		r[g.under] |= g.may
	}
	for _, g := range p.patterns {
		if g.who.match(who) {
			r[g.under] |= g.may
		}
	}
	return r
}

func readPolicy(s Settings, minTTL time.Duration) (*policy, error) {
	path := s.Policy
	if path == "" {
		return new(policy), nil
	}
	text, err := readFile(path, trusted)
	if err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	p, err := parsePolicy(text)
	if err == nil {
		err = errors.Join(p.fits(s.Identifies()), p.names.fit(minTTL))
	}
	if err != nil {
		var wrong []error
		for line := range strings.SplitSeq(err.Error(), "\n") {
			wrong = append(wrong, fmt.Errorf("policy %s: %s", path, line))
		}
		return nil, errors.Join(wrong...)
	}
	return p, nil
}

// fits reports what is missing, or in vain, where callers are known, or are not.
func (p *policy) fits(known bool) error {
	switch {
	case known && !p.rules:
		return errors.New("it has no rules, and nobody may do anything; want the key rules")
	case !known && p.identities > 0:
		return fmt.Errorf("line %d: it speaks of identities, but nobody can be told apart; want tls-client-ca, token-file or jwt-keys, or names alone", p.identities)
	}
	return nil
}

// parsePolicy reads a policy. Its errors, a line each, begin with the line that is wrong.
func parsePolicy(text []byte) (*policy, error) {
	var document, another yaml.Node
	stream := yaml.NewDecoder(bytes.NewReader(text))
	if err := stream.Decode(&document); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("it is not valid YAML: %s; want the keys rules, limits, revoked and names", strings.TrimPrefix(err.Error(), "yaml: "))
	} else if err != nil || len(document.Content) == 0 {
		return nil, errors.New("it is empty, and nobody may do anything; want the key rules")
	}
	if err := stream.Decode(&another); !errors.Is(err, io.EOF) {
		return nil, errors.New("it has more than one document; want one")
	}
	in := reader{}
	p := &policy{exact: make(map[string][]grant)}
	var grants []grant
	of := func(n *yaml.Node) {
		if p.identities == 0 {
			p.identities = n.Line
		}
	}
	in.pairs(document.Content[0], "the policy", map[string]func(*yaml.Node){
		"rules": func(list *yaml.Node) {
			of(list)
			p.rules = true
			for _, rule := range in.items(list, "rules") {
				grants = append(grants, in.rule(rule)...)
			}
		},
		"limits": func(list *yaml.Node) {
			of(list)
			for _, one := range in.items(list, "limits") {
				p.limits = append(p.limits, in.limit(one)...)
			}
		},
		"revoked": func(list *yaml.Node) { of(list); p.revoked = in.revoked(list) },
		"names":   func(list *yaml.Node) { p.names = in.names(list) },
	})
	in.overlaps(grants)
	in.unreached(p.limits)
	for _, g := range grants {
		if g.who.exact() {
			p.exact[g.text] = append(p.exact[g.text], g)
		} else {
			p.patterns = append(p.patterns, g)
		}
	}
	return p, errors.Join(in.wrong...)
}

// rule answers what a rule gives, none if it is wrong.
func (in *reader) rule(node *yaml.Node) (grants []grant) {
	var who, may []*yaml.Node
	var under *yaml.Node
	before := len(in.wrong)
	in.pairs(node, "a rule", map[string]func(*yaml.Node){
		"who":   func(n *yaml.Node) { who = in.texts(n, "who") },
		"may":   func(n *yaml.Node) { may = in.texts(n, "may") },
		"under": func(n *yaml.Node) { under = n },
	})
	switch {
	case len(in.wrong) > before:
		return nil
	case len(who) == 0 || len(may) == 0 || under == nil:
		in.add(node, `the rule is not whole; want who, may and under ("" for every name)`)
		return nil
	}
	verbs := in.verbs(may)
	prefix := in.prefix(under)
	if verbs&Admin != 0 && prefix != "" {
		in.add(under, "admin is about the whole server, not about names; want it in a rule with under: \"\"")
	}
	for _, n := range who {
		if is, err := parsePattern(n.Value); err != nil {
			in.add(n, "%s", err)
		} else {
			grants = append(grants, grant{who: is, text: n.Value, may: verbs, under: prefix, line: n.Line})
		}
	}
	return grants
}

func (in *reader) verbs(may []*yaml.Node) (sum Verb) {
	for _, n := range may {
		verb, ok := ParseVerb(n.Value)
		switch {
		case !ok:
			in.add(n, "there is no verb %q; want one of %s", n.Value, strings.Join(VerbNames, ", "))
		case sum&verb != 0:
			in.add(n, "%s is there twice; want it once", n.Value)
		}
		sum |= verb
	}
	if sum&(Watch|Force) != 0 && sum&Read == 0 {
		in.add(may[0], "watch and force show who holds a name; want read with them")
	}
	return sum
}

func (in *reader) prefix(n *yaml.Node) string {
	if n.Kind != yaml.ScalarNode || n.ShortTag() == "!!null" {
		in.add(n, `under has no single value; want a prefix of names, such as team-a, or "" for every name`)
		return ""
	}
	if err := lease.CheckPrefix(n.Value); err != nil {
		in.add(n, "under: %s", err)
	}
	return n.Value
}

func (in *reader) revoked(list *yaml.Node) (all pattern) {
	for _, n := range in.texts(list, "revoked") {
		is, err := parsePattern(n.Value)
		if err != nil {
			in.add(n, "%s", err)
		}
		all = append(all, is...)
	}
	return all
}
