package auth

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/lockd/lockd/internal/lease"
)

// pattern says which identities are meant: those that one of its parts matches whole. In a part * stands for any
// characters but "/", ** for any at all.
type pattern []part

type part struct {
	text string         // if there is no * in it; else what stands before the first
	re   *regexp.Regexp // if there is; it takes time in proportion to the identity
}

// kinds are what identities begin with.
var kinds = []string{"cert:", "token:", "jwt:"}

// parsePattern reads a pattern of one part.
func parsePattern(text string) (pattern, error) {
	switch {
	case !slices.ContainsFunc(kinds, func(kind string) bool { return strings.HasPrefix(text, kind) && len(text) > len(kind) }):
		return nil, fmt.Errorf("who is %q; want cert:, token: or jwt: and a name or pattern", text)
	case len(text) > lease.MaxPrincipalBytes || strings.ContainsFunc(text, odd):
		return nil, fmt.Errorf("who is %q; want up to %d bytes that can be printed, without spaces", text, lease.MaxPrincipalBytes)
	case !strings.Contains(text, "*"):
		return pattern{{text: text}}, nil
	}
	expr := regexp.QuoteMeta(text)
	expr = strings.ReplaceAll(expr, `\*\*`, `.*`)
	expr = strings.ReplaceAll(expr, `\*`, `[^/]*`)
	re, err := regexp.Compile("^(?s:" + expr + ")$")
	if err != nil {
		return nil, fmt.Errorf("who is %q; want a name or pattern", text)
	}
	begins, _, _ := strings.Cut(text, "*")
	return pattern{{begins, re}}, nil
}

func (p pattern) match(who string) bool {
	return slices.ContainsFunc(p, func(part part) bool {
		if part.re == nil {
			return part.text == who
		}
		return strings.HasPrefix(who, part.text) && part.re.MatchString(who) // usually the beginning says no
	})
}

// exact reports whether p is one identity.
func (p pattern) exact() bool { return len(p) == 1 && p[0].re == nil }

// begins answers what every identity begins with that p, of one part, matches.
func (p pattern) begins() string { return p[0].text }
