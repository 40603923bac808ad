package auth

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockd/lockd/internal/lease"
)

// Of what is said of names the longest prefix counts that fits by whole segments, for each of both by itself; 0 is none.
func TestTerms(t *testing.T) {
	g := open(t, Settings{Policy: put(t, "policy", `names:
  - {under: team-a/batch/long, max-hold: 0}
  - {under: team-a, max-hold: 1h, lock-delay: 15s}
  - {under: "", lock-delay: 1500ms}
  - {under: team-a/batch, max-hold: 10m}
  - {under: team-a/batch/long/open, lock-delay: 0s}
`)})
	for name, want := range map[string]lease.Terms{
		"x":                        {LockDelay: 1500 * time.Millisecond},
		"team-ab":                  {LockDelay: 1500 * time.Millisecond},
		"team":                     {LockDelay: 1500 * time.Millisecond},
		"team-a":                   {MaxHold: time.Hour, LockDelay: 15 * time.Second},
		"team-a/x/y":               {MaxHold: time.Hour, LockDelay: 15 * time.Second},
		"team-a/batch":             {MaxHold: 10 * time.Minute, LockDelay: 15 * time.Second},
		"team-a/batches/x":         {MaxHold: time.Hour, LockDelay: 15 * time.Second},
		"team-a/batch/long/x":      {LockDelay: 15 * time.Second},
		"team-a/batch/long/open/x": {},
	} {
		if diff := cmp.Diff(want, g.Terms(name)); diff != "" {
			t.Errorf("Terms(%q): -want +got\n%s", name, diff)
		}
	}
	var nobody *Guard
	if got := nobody.Terms("x"); got != (lease.Terms{}) {
		t.Errorf("Terms of a nil Guard: %+v, want none", got)
	}
}

// What is said wrongly of names is named by its line.
func TestNamesAreChecked(t *testing.T) {
	for text, want := range map[string]string{
		"names: x":      "line 1: names is no list",
		"names:\n  - x": "line 2: an item of names is no mapping",
		"names:\n  - {under: a, max-hold: 1h, hold: 2h}":                           `line 2: an item of names has no "hold"; want`,
		"names:\n  - {max-hold: 1h}":                                               "line 2: an item of names has no under",
		"names:\n  - {under: , max-hold: 1h}":                                      "line 2: under has no single value",
		"names:\n  - {under: a/, max-hold: 1h}":                                    "line 2: under: prefix",
		"names:\n  - under: a":                                                     "line 2: nothing is said",
		"names:\n  - under: a\n    max-hold: 1x":                                   `line 3: max-hold is "1x"; want a duration`,
		"names:\n  - under: a\n    max-hold: 60":                                   `line 3: max-hold is "60"; want a duration`,
		"names:\n  - under: a\n    max-hold: [1h]":                                 "line 3: max-hold is",
		"names:\n  - under: a\n    max-hold:":                                      "line 3: max-hold is",
		"names:\n  - under: a\n    max-hold: -1h":                                  "line 3: max-hold is -1h0m0s; want 0 for none, or up to 8760h",
		"names:\n  - under: a\n    max-hold: 8761h":                                "want 0 for none, or up to 8760h",
		"names:\n  - under: a\n    lock-delay: 25h":                                "line 3: lock-delay is 25h0m0s; want 0 for none, or up to 24h",
		"names:\n  - under: a\n    lock-delay: 1us":                                "line 3: lock-delay is 1µs; want whole milliseconds",
		"names:\n  - {under: a, max-hold: 1h, max-hold: 2h}":                       `line 2: "max-hold" is there twice`,
		"names:\n  - {under: a, max-hold: 1h}\n\n  - {under: a, lock-delay: 1h}":   `line 4: names under "a" are in line 2 already`,
		"names:\n  - {under: \"\", max-hold: 1h}\n  - {under: \"\", max-hold: 1h}": `line 3: names under "" are in line 2 already`,
		"names:\n  - under: a\n    lock-delay: 1s\n    max-hold: 999ms":            `line 4: max-hold under "a" is 999ms, and min-ttl is 1s`,
	} {
		path := put(t, "policy", text)
		_, err := Open(Settings{Policy: path}, time.Second)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "policy "+path) || strings.Contains(err.Error(), "\n") {
			t.Errorf("policy %q: %v, want %q alone", text, err, want)
		}
	}
}

// Names have terms without anybody having an identity; rules are in vain then, and names alone let nobody do anything once
// callers are known.
func TestWhatAPolicyNeeds(t *testing.T) {
	const names = "names:\n  - {under: a, max-hold: 1h}\n"
	tokens := put(t, "tokens", line("ci", "secret1"))
	for _, c := range []struct{ policy, tokens, want string }{
		{policy: names},
		{policy: everything + names, tokens: tokens},
		{policy: everything + names, want: "line 2: it speaks of identities, but nobody can be told apart"},
		{policy: names + "revoked: [token:ci]", want: "line 3: it speaks of identities"},
		{policy: names, tokens: tokens, want: "it has no rules, and nobody may do anything"},
	} {
		g, err := Open(Settings{Policy: put(t, "policy", c.policy), Tokens: c.tokens}, time.Second)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("policy %q: %v, want none", c.policy, err)
		case c.want == "" && g.Identifies() != (c.tokens != ""):
			t.Errorf("policy %q: callers are asked: %t", c.policy, g.Identifies())
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("policy %q: %v, want %q", c.policy, err, c.want)
		}
	}
}

// Terms change when the policy does, all or nothing, and by the smallest ttl of then.
func TestTermsAreReplaced(t *testing.T) {
	policy := put(t, "policy", "names:\n  - {under: a, max-hold: 1h}\n")
	g := open(t, Settings{Policy: policy})
	for _, c := range []struct {
		text string
		want time.Duration
	}{
		{"names:\n  - {under: a, max-hold: 2h}\n", 2 * time.Hour},
		{"names:\n  - {under: a, max-hold: 3x}\n", 2 * time.Hour},
		{"names:\n  - {under: a, max-hold: 10ms}\n", 2 * time.Hour},
		{"names: []\n", 0},
	} {
		_ = rewrite(t, g, policy, c.text)
		if got := g.Terms("a").MaxHold; got != c.want {
			t.Errorf("after %q max-hold is %s, want %s", c.text, got, c.want)
		}
	}
}
