package auth

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lockd/lockd/test/certs"
)

const everything = `rules:
  - who: ["token:ci", "cert:spiffe://acme/ci", "jwt:ci"]
    may: [acquire, read, watch, force, admin]
    under: ""
`

// put writes a file that only its owner reads.
func put(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// line is what the token file says of a token.
func line(name, token string) string {
	sum := sha256.Sum256([]byte(token))
	return name + " sha256:" + hex.EncodeToString(sum[:]) + "\n"
}

func open(t *testing.T, s Settings) *Guard {
	t.Helper()
	g, err := Open(s, 0)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func bearer(token string) Shown { return Shown{Authorization: []string{"Bearer " + token}} }

// who answers who has shown this.
func who(g *Guard, shown Shown) (string, error) { return g.Caller(shown).Check(time.Now()) }

// wantNobody fails the test unless who has shown this is nobody, because of that.
func wantNobody(t *testing.T, g *Guard, shown Shown, because string) {
	t.Helper()
	name, err := who(g, shown)
	if !errors.As(err, new(*UnauthenticatedError)) || !strings.Contains(err.Error(), because) || name != "" {
		t.Errorf("%q, %v, want nobody, because %q", name, err, because)
	}
}

func wantWho(t *testing.T, g *Guard, shown Shown, want string) {
	t.Helper()
	if name, err := who(g, shown); err != nil || name != want {
		t.Errorf("%q, %v, want %q", name, err, want)
	}
}

// rewrite replaces a file and has g read all of them again.
func rewrite(t *testing.T, g *Guard, path, text string) error {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	commit, err := g.Prepare(time.Second)
	if err == nil {
		commit()
	}
	return err
}

// What does not fit together is refused, with what would be right.
func TestSettingsFitTogether(t *testing.T) {
	for want, s := range map[string]Settings{
		"want both or neither":           {Cert: "a"},
		"clients show certificates over": {ClientCA: "a", Policy: "p"},
		"want all three or none":         {JWTKeys: "a", Issuer: "i", Policy: "p"},
		"what they may do; want policy":  {Tokens: "a"},
	} {
		if _, err := Open(s, 0); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Open(%+v) = %v, want %q", s, err, want)
		}
	}
}

// A nil Guard asks nobody, and lets everybody do everything as nobody in particular.
func TestNobodyIsAskedWithoutAWayToTell(t *testing.T) {
	var g *Guard
	c := g.Caller(bearer("x"))
	if who, err := c.May(Force, "a", time.Now()); who != "" || err != nil || g.Identifies() || c.Changes() != nil {
		t.Errorf("May = %q, %v, want nobody and no error", who, err)
	}
}

// Everybody who is known may do what the policy says and nothing else; who is not known, nothing.
func TestDeniedByDefault(t *testing.T) {
	g := open(t, Settings{
		Tokens: put(t, "tokens", line("ci", "secret1")+line("other", "secret2")),
		Policy: put(t, "policy", "rules:\n  - {who: token:ci, may: acquire, under: team-a}\n"),
	})
	now := time.Now()
	may := func(c *Caller, do Verb, name string) bool { _, err := c.May(do, name, now); return err == nil }
	ci, other := g.Caller(bearer("secret1")), g.Caller(bearer("secret2"))
	if !may(ci, Acquire, "team-a") || !may(ci, Acquire, "team-a/x/y") {
		t.Error("what the policy allows is denied")
	}
	for _, denied := range []string{"", "team-b", "team-ab", "team", "team-a2/x"} {
		if may(ci, Acquire, denied) {
			t.Errorf("ci may acquire %q, want denied", denied)
		}
	}
	for _, do := range []Verb{Read, Watch, Force, Admin} {
		if may(ci, do, "team-a") {
			t.Errorf("ci may %s, want denied", do)
		}
	}
	_, err := other.May(Acquire, "team-a", now)
	var denied *DeniedError
	if !errors.As(err, &denied) || denied.Principal != "token:other" {
		t.Errorf("other: %v, want denied, not unknown", err)
	}
	if _, err := ci.MayBelow(Acquire, "", now); err != nil {
		t.Errorf("MayBelow(all) = %v, want that there is something", err)
	}
	if _, err := ci.MayBelow(Acquire, "team-a/x", now); err != nil {
		t.Errorf("MayBelow(team-a/x) = %v, want that there is something", err)
	}
	if _, err := ci.MayBelow(Acquire, "team-b", now); err == nil {
		t.Error("MayBelow(team-b), want nothing there")
	}
	wantNobody(t, g, bearer("secret3"), "not known")
	wantNobody(t, g, Shown{}, "want a bearer token")
	wantNobody(t, g, Shown{Authorization: []string{"Basic secret1"}}, `want "Bearer "`)
	wantNobody(t, g, Shown{Authorization: []string{"Bearer secret1", "Bearer secret1"}}, "want one")
	wantNobody(t, g, bearer(""), "another kind")
	wantNobody(t, g, Shown{Certificates: leaf(t, certs.New(t).Sign(t, "x", certs.Named("ci")))}, "nothing says who calls")
}

// A removed identity is nobody at the next question, another policy counts at the next question, for callers that stand.
func TestWhatIsReplacedCountsAtTheNextQuestion(t *testing.T) {
	tokens, policy := put(t, "tokens", line("ci", "secret1")), put(t, "policy", everything)
	g := open(t, Settings{Tokens: tokens, Policy: policy})
	c, now := g.Caller(bearer("secret1")), time.Now()
	changed := c.Changes()
	if _, err := c.May(Force, "a", now); err != nil {
		t.Fatal(err)
	}
	if err := rewrite(t, g, policy, "rules:\n  - {who: token:ci, may: acquire, under: b}\n"); err != nil {
		t.Fatal(err)
	}
	select {
	case <-changed:
	default:
		t.Error("nobody was told of the change")
	}
	if _, err := c.May(Force, "a", now); !errors.As(err, new(*DeniedError)) {
		t.Errorf("after its rights were taken away: %v, want denied", err)
	}
	if err := rewrite(t, g, policy, "rules:\n  - {who: token:ci, may: acquire, under: b}\nrevoked: token:c*\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Check(now); err == nil || !strings.Contains(err.Error(), "revoked") {
		t.Errorf("revoked: %v, want nobody", err)
	}
	if err := rewrite(t, g, policy, everything); err != nil {
		t.Fatal(err)
	}
	if err := rewrite(t, g, tokens, line("ci", "secret1")+line("ci", "secret2")); err != nil {
		t.Fatal(err)
	}
	wantWho(t, g, bearer("secret1"), "token:ci") // while one replaces the other
	wantWho(t, g, bearer("secret2"), "token:ci")
	if err := rewrite(t, g, tokens, line("ci", "secret2")); err != nil {
		t.Fatal(err)
	}
	if who, err := c.May(Acquire, "b", now); !errors.As(err, new(*UnauthenticatedError)) || who != "" {
		t.Errorf("a token that was removed: %q, %v, want nobody", who, err)
	}
}

// A fault in one file leaves everything as it was, what is right in the others included.
func TestAllOrNothing(t *testing.T) {
	tokens, policy := put(t, "tokens", line("ci", "secret1")), put(t, "policy", everything)
	g := open(t, Settings{Tokens: tokens, Policy: policy})
	if err := os.WriteFile(tokens, []byte(line("ci", "secret2")), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := rewrite(t, g, policy, "rules: what"); err == nil {
		t.Fatal("a malformed policy was taken")
	}
	wantWho(t, g, bearer("secret1"), "token:ci")
	wantNobody(t, g, bearer("secret2"), "not known")
	print, stale := g.Stale()
	if again, _ := g.Stale(); !stale || again != print {
		t.Error("files that hold something else are not stale")
	}
	if err := rewrite(t, g, policy, everything); err != nil {
		t.Fatal(err)
	}
	if _, stale := g.Stale(); stale {
		t.Error("what is in force is stale")
	}
	wantWho(t, g, bearer("secret2"), "token:ci")
}

// A token file that was refused since others may read it is looked at again once that is put right, though it says the same.
func TestAFileIsAnotherWhenOthersMayReadIt(t *testing.T) {
	tokens := put(t, "tokens", line("ci", "secret1"))
	g := open(t, Settings{Tokens: tokens, Policy: put(t, "policy", everything)})
	if err := os.WriteFile(tokens, []byte(line("ci", "secret2")), 0o600); err != nil {
		t.Fatal(err)
	}
	put, _ := g.Stale()
	if err := os.Chmod(tokens, 0o644); err != nil {
		t.Fatal(err)
	}
	if open, stale := g.Stale(); !stale || open == put {
		t.Error("who may read a file makes no difference")
	}
}

// A token file is refused that others may read, or that is none; what stands in it is not shown.
func TestTokenFilesAreChecked(t *testing.T) {
	policy := put(t, "policy", everything)
	for _, mode := range []os.FileMode{0o644, 0o604, 0o660, 0o622, 0o606} {
		path := put(t, "tokens", line("ci", "secret1"))
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(Settings{Tokens: path, Policy: policy}, 0); err == nil || !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("mode %04o: %v, want that it is refused", mode, err)
		}
	}
	for _, mode := range []os.FileMode{0o600, 0o400, 0o640} {
		path := put(t, "tokens", line("ci", "secret1"))
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		open(t, Settings{Tokens: path, Policy: policy})
	}
	windows := "# a comment\r\n\r\n  \t\r\n" + strings.TrimSpace(strings.ToUpper(line("", "secret1"))) + "\r\n"
	windows = strings.Replace(windows, "SHA256", "ci sha256", 1)
	wantWho(t, open(t, Settings{Tokens: put(t, "tokens", windows), Policy: policy}), bearer("secret1"), "token:ci")
	for text, want := range map[string]string{
		"ci canary-secret":                           "no hash",
		"canary-secret":                              "there are 1 words",
		"ci sha256:canary-secret":                    "no hash",
		"ci sha256:00ff":                             "no hash",
		line("ci", "a") + line("other", "a"):         "token:ci has this token already",
		line("c\x1bi", "a"):                          "can be printed",
		"# fine\n\n" + line("ci", "a") + "one two 3": ":4:",
	} {
		_, err := Open(Settings{Tokens: put(t, "tokens", text), Policy: policy}, 0)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%q: %v, want %q and no secret", text, err, want)
		}
	}
}

// What was found out is remembered within bounds.
func TestSeenIsBounded(t *testing.T) {
	var s seen[int, int]
	for i := range maxSeen + 100 {
		s.put(i, i)
	}
	if got, ok := s.get(maxSeen + 99); len(s.known) != maxSeen || !ok || got != maxSeen+99 {
		t.Errorf("%d are known, the last as %d, %t, want %d and itself", len(s.known), got, ok, maxSeen)
	}
}
