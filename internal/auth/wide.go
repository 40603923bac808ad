package auth

import (
	"fmt"
	"strings"
)

// WideRules names the rules of the policy, as it is now, by which everybody of a kind may force or administer everything: one of them
// is enough to end every lease. Nil Guards have none.
func (g *Guard) WideRules() (all []string) {
	if g == nil {
		return nil
	}
	for _, grant := range g.current.Load().policy.patterns {
		if may := grant.may & (Force | Admin); may != 0 && grant.under == "" && everybody(grant.text) {
			all = append(all, fmt.Sprintf("line %d: %s may %s", grant.line, grant.text, may))
		}
	}
	return all
}

// everybody reports whether a pattern says of those of its kind nothing but the scheme of a URI.
func everybody(pattern string) bool {
	_, rest, _ := strings.Cut(pattern, ":")
	if _, after, found := strings.Cut(rest, "://"); found {
		rest = after
	}
	return strings.Trim(rest, "*/") == ""
}
