package auth

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/lockd/lockd/test/certs"
)

// Nobody but its owner writes a file that says who may do what, and others read no key; at the start and whenever it is
// read again, and what was in force stays.
func TestFilesOfOthersAreRefused(t *testing.T) {
	by := certs.New(t)
	pair := by.Sign(t, "lockd")
	key, _, _ := signers(t)
	s := Settings{
		Cert: pair.Cert, Key: pair.Key, ClientCA: by.CA, Tokens: put(t, "tokens", line("ci", "secret1")),
		JWTKeys: put(t, "jwks", jwks(t, key)), Issuer: "i", Audience: "a", Policy: put(t, "policy", everything),
	}
	g := open(t, s)
	for path, refused := range map[string][]os.FileMode{
		s.Key:      {0o644, 0o604, 0o660, 0o602},
		s.Tokens:   {0o644, 0o604, 0o660, 0o602},
		s.Cert:     {0o664, 0o646, 0o602},
		s.ClientCA: {0o664, 0o646, 0o602},
		s.JWTKeys:  {0o664, 0o646, 0o602},
		s.Policy:   {0o664, 0o646, 0o602},
	} {
		for _, mode := range refused {
			chmod(t, path, mode)
			for what, err := range map[string]error{"Open": second(Open(s, time.Second)), "Prepare": second(g.Prepare(time.Second))} {
				if err == nil || !strings.Contains(err.Error(), path+" may be ") || !strings.Contains(err.Error(), "chmod") {
					t.Errorf("%s with %s of mode %04o: %v, want what is wrong with it", what, path, mode, err)
				}
			}
		}
		for _, mode := range []os.FileMode{0o600, 0o400, 0o640} {
			chmod(t, path, mode)
			open(t, s)
		}
		wantWho(t, g, bearer("secret1"), "token:ci")
	}
}

func chmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func second[T any](_ T, err error) error { return err }
