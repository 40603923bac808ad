package auth

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockd/lockd/internal/lease"
)

const norules = "rules: []\n"

// What a limit says wrongly is named by its line, and nothing is taken for what somebody may have meant.
func TestLimitsAreChecked(t *testing.T) {
	for text, want := range map[string]string{
		"limits: x":                                                                      "limits is no list",
		"limits:\n  - x":                                                                 "line 3: a limit is no mapping",
		"limits:\n  - {who: token:a}":                                                    "line 3: the limit is not whole",
		"limits:\n  - {leases: 1}":                                                       "line 3: the limit is not whole",
		"limits:\n  - {who: alice, leases: 1}":                                           "want cert:, token: or jwt:",
		"limits:\n  - {who: token:a, lease: 1}":                                          `a limit has no "lease"`,
		"limits:\n  - {who: token:a, leases: 1, leases: 2}":                              `"leases" is there twice`,
		"limits:\n  - {who: token:a, leases: 0}":                                         `leases is "0"; want a whole number, 1 to`,
		"limits:\n  - {who: token:a, waiters: -1}":                                       `waiters is "-1"`,
		"limits:\n  - {who: token:a, waiters-per-name: 1.5}":                             `waiters-per-name is "1.5"`,
		"limits:\n  - {who: token:a, streams: many}":                                     `streams is "many"`,
		"limits:\n  - {who: token:a, requests: }":                                        `requests is ""`,
		"limits:\n  - {who: token:a, requests: [1]}":                                     "requests is no single value",
		"limits:\n  - {who: token:a, metadata: 1025}":                                    `metadata is "1025"; want a whole number, 1 to 1024`,
		"limits:\n  - {who: token:a, leases: 99999999999999999999}":                      `leases is "99999999999999999999"`,
		"limits:\n  - {who: token:a, ttl: 5}":                                            `ttl is "5"; want 1ms to 24h`,
		"limits:\n  - {who: token:a, ttl: 25h}":                                          `ttl is "25h"`,
		"limits:\n  - {who: token:a, ttl: {}}":                                           "ttl is no single value",
		"limits:\n  - {who: 'token:*', leases: 1}\n  - {who: token:a, leases: 9}":        "line 4: what limits token:a is said for it in line 3 already",
		"limits:\n  - {who: token:a, leases: 1, ttl: 1m}\n  - {who: token:a, leases: 9}": "line 4: what limits token:a",
		"limits:\n  - {who: [token:a, token:a], leases: 1}":                              "line 3: what limits token:a",
		"limits:\n  - {who: token:a, leases: 1}\n  - {who: token:b, leases: 1}\n  - {who: token:a, leases: 1}": "line 5: what limits token:a",
	} {
		if _, err := parsePolicy([]byte(norules + text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	fine := "limits:\n  - {who: token:a, leases: 9}\n  - {who: 'token:*', leases: 1}\n  - {who: token:a, leases: 2, ttl: 1m}\n"
	if _, err := parsePolicy([]byte(norules + fine)); err != nil {
		t.Errorf("limits of which each says something: %v, want none", err)
	}
}

// Of each field the first limit counts that names who and says it; of who is named in none nothing is said, nor of who is
// nobody.
func TestTheFirstLimitCounts(t *testing.T) {
	g := open(t, Settings{
		Tokens: put(t, "tokens", line("ci", "secret1")+line("other", "secret2")+line("x", "secret3")),
		Policy: put(t, "policy", `
rules: []
limits:
  - {who: "token:c*", leases: 1, waiters: 2, waiters-per-name: 3, streams: 4}
  - {who: ["token:other", "token:ci"], leases: 9, requests: 5, metadata: 6, ttl: 1m30s}
`),
	})
	want := map[string]*Limits{
		"secret1": {Own: lease.Own{Share: lease.Share{Leases: 1, Waiters: 2, Line: 3}, MaxMetadata: 6, MaxTTL: 90 * time.Second}, Streams: 4, Rate: 5},
		"secret2": {Own: lease.Own{Share: lease.Share{Leases: 9}, MaxMetadata: 6, MaxTTL: 90 * time.Second}, Rate: 5},
		"secret3": {},
		"wrong":   {},
	}
	for token, limits := range want {
		if diff := cmp.Diff(limits, g.Caller(bearer(token)).Limits(time.Now())); diff != "" {
			t.Errorf("limits of who shows %s (-want +got):\n%s", token, diff)
		}
	}
	if got := (*Caller)(nil).Limits(time.Now()); *got != (Limits{}) {
		t.Errorf("limits of nobody in particular = %+v, want none", got)
	}
}

// Other limits count at the next question, for callers that stand; what is wrong leaves them as they were.
func TestLimitsThatAreReplacedCountAtTheNextQuestion(t *testing.T) {
	policy := put(t, "policy", norules+"limits:\n  - {who: token:ci, leases: 1}\n")
	g := open(t, Settings{Tokens: put(t, "tokens", line("ci", "secret1")), Policy: policy})
	c := g.Caller(bearer("secret1"))
	expect := func(want int) {
		t.Helper()
		if got := c.Limits(time.Now()).Leases; got != want {
			t.Errorf("%d leases, want %d", got, want)
		}
	}
	expect(1)
	if err := rewrite(t, g, policy, norules+"limits:\n  - {who: token:ci, leases: 2}\n"); err != nil {
		t.Fatal(err)
	}
	expect(2)
	if err := rewrite(t, g, policy, norules+"limits:\n  - {who: token:ci, leases: none}\n"); err == nil {
		t.Error("a limit that is no number was taken")
	}
	expect(2)
	if err := rewrite(t, g, policy, norules); err != nil {
		t.Fatal(err)
	}
	expect(0)
}
