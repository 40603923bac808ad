package auth

import (
	"fmt"
	"strings"
	"testing"
)

// What a policy says wrongly is named by its line, all of it at once.
func TestPoliciesAreChecked(t *testing.T) {
	rule := func(who, may, under string) string {
		return fmt.Sprintf("  - {who: %s, may: %s, under: %s}\n", who, may, under)
	}
	for text, want := range map[string]string{
		"":                                       "it is empty",
		"rules: {":                               "not valid YAML",
		"rules: []\n---\nrules: []":              "more than one document",
		"a: b":                                   `line 1: the policy has no "a"`,
		"- a":                                    "is no mapping",
		"rules: x":                               "line 1: rules is no list",
		"rules:\n  - x":                          "line 2: a rule is no mapping",
		"rules:\n" + rule("token:a", "fly", "x"): `line 2: there is no verb "fly"; want one of acquire, read, watch, force, admin`,
		"rules:\n" + rule("token:a", "[read, read]", "x"):                                    "read is there twice",
		"rules:\n" + rule("token:a", "[]", "x"):                                              "not whole",
		"rules:\n  - {who: token:a, may: read}\n":                                            "not whole",
		"rules:\n  - {who: token:a, may: read, under: }\n":                                   "under has no single value",
		"rules:\n  - {who: token:a, may: read, under: x, undr: y}\n":                         `a rule has no "undr"`,
		"rules:\n" + rule("token:a", "read", "x/"):                                           "under: prefix",
		"rules:\n" + rule("token:a", "read", "../x"):                                         "under: prefix",
		"rules:\n" + rule("alice", "read", "x"):                                              "want cert:, token: or jwt:",
		"rules:\n" + rule(`"*"`, "read", "x"):                                                "want cert:, token: or jwt:",
		"rules:\n" + rule(`"token:a b"`, "read", "x"):                                        "without spaces",
		"rules:\n" + rule("token:a", "force", "x"):                                           "want read with them",
		"rules:\n" + rule("token:a", "watch", "x"):                                           "want read with them",
		"rules:\n" + rule("token:a", "admin", "x"):                                           "admin is about the whole server",
		"rules: []\nrules: []":                                                               `"rules" is there twice`,
		"rules: []\nrevoked: [alice]":                                                        "line 2: who is",
		"rules:\n" + rule("token:a", "read", "x") + rule("token:a", "read", "x"):             "line 3: what token:a may do under \"x\", line 2 gives already",
		"rules:\n" + rule("token:a", "[read, watch]", "x") + rule("token:a", "read", "x/y"):  "line 3: what token:a may do",
		"rules:\n" + rule("token:a", "read", "x/y") + rule("token:a", "[read, watch]", `""`): "line 2: what token:a may do",
		"rules:\n" + rule(`"token:*"`, "read", "x") + rule("token:a", "read", "x"):           "line 3: what token:a may do",
		"rules:\n" + rule("[token:a, token:a]", "read", "x"):                                 "gives already",
	} {
		if _, err := parsePolicy([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("policy %q: %v, want %q", text, err, want)
		}
	}
	both := "rules:\n" + rule("alice", "read", "x") + rule("token:a", "fly", "x")
	if _, err := parsePolicy([]byte(both)); err == nil || !strings.Contains(err.Error(), "line 2") || !strings.Contains(err.Error(), "line 3") {
		t.Errorf("of two faults: %v, want both", err)
	}
	same := "rules:\n" + rule("token:a", "read", "x") + rule("token:a", "read", "x")
	if _, err := parsePolicy([]byte(same)); err == nil || strings.Contains(err.Error(), "\n") || !strings.HasPrefix(err.Error(), "line 3") {
		t.Errorf("of two rules that are the same: %v, want the second alone", err)
	}
	fine := "rules:\n" + rule("token:a", "read", "x") + rule("token:a", "[read, watch]", "x/y") + rule("token:b", "read", "x") + rule("token:a", "acquire", "x")
	if _, err := parsePolicy([]byte(fine)); err != nil {
		t.Errorf("rules that add up: %v, want none", err)
	}
}

func TestPatterns(t *testing.T) {
	for _, c := range []struct {
		pattern, who string
		want         bool
	}{
		{"cert:a", "cert:a", true},
		{"cert:a", "cert:ab", false},
		{"cert:a", "jwt:a", false},
		{"cert:spiffe://acme/team-a/*", "cert:spiffe://acme/team-a/x", true},
		{"cert:spiffe://acme/team-a/*", "cert:spiffe://acme/team-a/x/y", false},
		{"cert:spiffe://acme/team-a/*", "cert:spiffe://acme/team-ab/x", false},
		{"cert:spiffe://acme/team-a/**", "cert:spiffe://acme/team-a/x/y", true},
		{"cert:spiffe://acme/*/worker", "cert:spiffe://acme/team-a/worker", true},
		{"cert:spiffe://acme/*/worker", "cert:spiffe://acme/team-a/x/worker", false},
		{"cert:*.internal", "cert:a.internal", true},
		{"cert:*.internal", "cert:aXinternal", false},
		{"cert:*.internal", "cert:a.internal.evil", false},
		{"cert:a.b", "cert:aXb", false},
		{"jwt:**", "jwt:any/thing", true},
		{"jwt:**", "token:any", false},
		{"jwt:[a-z]*", "jwt:abc", false},
	} {
		p, err := parsePattern(c.pattern)
		if err != nil {
			t.Errorf("%q: %v", c.pattern, err)
		} else if got := p.match(c.who); got != c.want {
			t.Errorf("%q matches %q: %t, want %t", c.pattern, c.who, got, c.want)
		}
	}
}

// However many rules there are, each is compared with a few: of teams with four rules of their own; and it ends, of names and
// patterns of which each may fit each.
func TestOverlapsTakeFewComparisons(t *testing.T) {
	const teams = 600
	var b strings.Builder
	b.WriteString("rules:\n")
	for i := range teams {
		fmt.Fprintf(&b, "  - {who: 'cert:spiffe://acme/team-%d/*', may: [acquire, read], under: team-%d}\n", i, i)
		fmt.Fprintf(&b, "  - {who: 'cert:spiffe://acme/team-%d/chief', may: [read, watch], under: team-%d/a/b}\n", i, i)
		fmt.Fprintf(&b, "  - {who: 'token:team-%d', may: [read, force], under: shared}\n", i)
		fmt.Fprintf(&b, "  - {who: 'token:**', may: read, under: team-%d}\n", i)
	}
	if looks, wrong := lookAt(t, b.String()); looks > 4*4*teams || wrong != nil {
		t.Errorf("%d comparisons of %d rules, %v, want at most 4 a rule, and nothing wrong", looks, 4*teams, wrong)
	}
	b.Reset()
	b.WriteString("rules:\n")
	for i := range teams {
		fmt.Fprintf(&b, "  - {who: 'cert:spiffe://acme/*/x/%d', may: read, under: ''}\n", i)
		fmt.Fprintf(&b, "  - {who: 'cert:spiffe://acme/a/y/%d', may: read, under: ''}\n", i)
	}
	if looks, wrong := lookAt(t, b.String()); looks != maxLooks || wrong != nil {
		t.Errorf("%d comparisons, %v, want that it ends after %d", looks, wrong, maxLooks)
	}
}

// lookAt reads a policy's rules, and answers how many pairs of them were compared.
func lookAt(t *testing.T, text string) (looks int, wrong []error) {
	t.Helper()
	p, err := parsePolicy([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	grants := p.patterns
	for _, g := range p.exact {
		grants = append(grants, g...)
	}
	in := new(reader)
	looks = in.overlaps(grants)
	return looks, in.wrong
}
