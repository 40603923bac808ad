package redisstore

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/internal/redisconn"
	"github.com/lockd/lockd/test/certs"
	"github.com/lockd/lockd/test/freeport"
	"github.com/lockd/lockd/test/redisproc"
)

// secured starts a Redis that speaks TLS at address, and plain text on its socket.
func secured(t *testing.T, by *certs.Authority, args ...string) (r *redisproc.Server, address string) {
	t.Helper()
	address, err := freeport.Find()
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := strings.Cut(address, ":")
	pair := by.Sign(t, "redis")
	return redisproc.Start(t, redisproc.Args(append([]string{
		"--bind", "127.0.0.1", "--tls-port", port, "--tls-cert-file", pair.Cert, "--tls-key-file", pair.Key, "--tls-ca-cert-file", by.CA,
	}, args...)...)), address
}

func secrets(t *testing.T, files redisconn.SecretFiles) *redisconn.Secrets {
	t.Helper()
	s, err := redisconn.ReadSecrets(files)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// copyOf puts what is in the file from into another one, which may then change.
func copyOf(t *testing.T, to, from string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Over TLS all works as without it: grants, the line, and dead idle connections are noticed before they are used.
func TestTLS(t *testing.T) {
	by := certs.New(t)
	r, address := secured(t, by)
	pair := by.Sign(t, "lockd")
	config := Config{URL: "rediss://" + address, Secrets: secrets(t, redisconn.SecretFiles{CA: by.CA, Cert: pair.Cert, Key: pair.Key})}
	s, err := Open(t.Context(), config)
	if err != nil {
		t.Fatalf("Open = %v", err)
	}
	defer s.Close()
	a := asking("job")
	acquire(t, s, a)
	w := queued(t, s, "job")
	freed(t, s, "job", a.ID)
	w.within(t, 2*time.Second)
	r.Kill()
	r.Restart()
	acquire(t, s, asking("after"))
}

// Whoever is not who it should be is refused at the start, on either side, and the message says what would be right.
func TestTLSRefuses(t *testing.T) {
	by, other := certs.New(t), certs.New(t)
	r, address := secured(t, by)
	pair, foreign := by.Sign(t, "lockd"), other.Sign(t, "lockd")
	plain := redisproc.Start(t, redisproc.TCP())
	for _, test := range []struct {
		name, url string
		files     redisconn.SecretFiles
		says      string
	}{
		{"wrong CA", "rediss://" + address, redisconn.SecretFiles{CA: other.CA, Cert: pair.Cert, Key: pair.Key}, "want --redis-ca"},
		{"no CA", "rediss://" + address, redisconn.SecretFiles{Cert: pair.Cert, Key: pair.Key}, "want --redis-ca"},
		{"no certificate", "rediss://" + address, redisconn.SecretFiles{CA: by.CA}, "want --redis-cert and --redis-key"},
		{"wrong certificate", "rediss://" + address, redisconn.SecretFiles{CA: by.CA, Cert: foreign.Cert, Key: foreign.Key}, "want --redis-cert and --redis-key"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Open(t.Context(), Config{URL: test.url, Secrets: secrets(t, test.files)})
			if !errors.As(err, new(*redisconn.RefusedError)) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("Open = %v, want a *RefusedError with %q", err, test.says)
			}
		})
	}
	t.Run("the wrong port", func(t *testing.T) { // which is tried for 4 s
		for _, test := range []struct{ name, url, says string }{
			{"TLS to a plain one", "rediss://" + plain.Addr(), "want its TLS port"},
			{"plaintext to a TLS one", "redis://" + address, "want rediss://"},
		} {
			t.Run(test.name, func(t *testing.T) {
				t.Parallel()
				c := Config{URL: test.url}
				if strings.HasPrefix(test.url, "rediss") {
					c.Secrets = secrets(t, redisconn.SecretFiles{CA: by.CA})
				}
				if _, err := Open(t.Context(), c); !errors.Is(err, redisconn.ErrUnreachable) || !strings.Contains(err.Error(), test.says) {
					t.Errorf("Open = %v, want redisconn.ErrUnreachable and %q", err, test.says)
				}
			})
		}
	})
	if n, _ := client(t, r).DBSize(t.Context()).Result(); n != 0 {
		t.Errorf("%d keys were written, want none", n)
	}
}

func TestSecretFilesAreChecked(t *testing.T) {
	by := certs.New(t)
	pair, other := by.Sign(t, "a"), by.Sign(t, "b")
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		files redisconn.SecretFiles
		says  string
	}{
		{redisconn.SecretFiles{Password: empty}, "want the password"},
		{redisconn.SecretFiles{SentinelPassword: empty}, "want the password"},
		{redisconn.SecretFiles{CA: empty}, "want PEM"},
		{redisconn.SecretFiles{CA: empty + "x"}, "no such file"},
		{redisconn.SecretFiles{CA: empty + "x", Password: empty}, "want the password\nopen "},
		{redisconn.SecretFiles{Cert: pair.Cert}, "want both or neither"},
		{redisconn.SecretFiles{Key: pair.Key}, "want both or neither"},
		{redisconn.SecretFiles{Cert: pair.Cert, Key: other.Key}, "want a certificate and its key"},
	} {
		if _, err := redisconn.ReadSecrets(test.files); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("redisconn.ReadSecrets(%+v) = %v, want an error with %q", test.files, err, test.says)
		}
	}
	for url, says := range map[string]string{"redis://a": "want rediss://", "unix:///a": "want rediss://"} {
		err := Config{URL: url, Secrets: secrets(t, redisconn.SecretFiles{CA: by.CA})}.Check()
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("Check(%s with a CA) = %v, want an error with %q", url, err, says)
		}
	}
}

// A password and a certificate are replaced while leases are held: nothing of it is noticed, and no connection of
// before is used any more. What Redis would not take is refused, and nothing has changed.
func TestSecretsAreReplacedLive(t *testing.T) {
	by, next := certs.New(t), certs.New(t)
	dir := t.TempDir()
	both := filepath.Join(dir, "both.crt")
	copyOf(t, both, by.CA)
	more, _ := os.ReadFile(next.CA)
	old, _ := os.ReadFile(by.CA)
	if err := os.WriteFile(both, append(old, more...), 0o600); err != nil {
		t.Fatal(err)
	}
	r, address := secured(t, by, "--tls-ca-cert-file", both)
	c := client(t, r)
	rights := documentedUser(t)
	setUser := func(words ...any) {
		t.Helper()
		if err := c.Do(t.Context(), append(rights[:3:3], words...)...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	setUser(rights[3:]...)
	files := redisconn.SecretFiles{Password: filepath.Join(dir, "password"), CA: filepath.Join(dir, "ca"), Cert: filepath.Join(dir, "cert"), Key: filepath.Join(dir, "key")}
	put := func(password string, ca string, pair certs.Pair) {
		t.Helper()
		if err := os.WriteFile(files.Password, []byte(password), 0o600); err != nil {
			t.Fatal(err)
		}
		copyOf(t, files.CA, ca)
		copyOf(t, files.Cert, pair.Cert)
		copyOf(t, files.Key, pair.Key)
	}
	first, second := by.Sign(t, "lockd"), next.Sign(t, "lockd")
	put("secret", by.CA, first)
	current := secrets(t, files)
	s, err := Open(t.Context(), Config{URL: "rediss://lockd@" + address, Secrets: current})
	if err != nil {
		t.Fatalf("Open = %v", err)
	}
	defer s.Close()
	held := asking("held")
	acquire(t, s, held)

	refuses := func(what string) {
		t.Helper()
		if _, err := current.Prepare(t.Context()); !errors.As(err, new(*redisconn.RefusedError)) {
			t.Errorf("Prepare with %s = %v, want a *redisconn.RefusedError", what, err)
		}
		acquire(t, s, asking(what))
	}
	put("next", by.CA, second)
	refuses("a password that Redis does not know yet")
	put("secret", next.CA, first)
	refuses("a CA that has not signed Redis's certificate")

	setUser(">next") // beside the one before
	put("next", by.CA, second)
	commit, err := current.Prepare(t.Context())
	if err != nil {
		t.Fatalf("Prepare = %v", err)
	}
	before := slices.Max(lockdsConnections(t, c))
	commit()
	setUser("<secret")
	for range 50 {
		if _, err := s.Renew(soon(t), lease.Renewal{Name: "held", ID: held.ID}); err != nil {
			t.Fatalf("Renew with the new secrets = %v", err)
		}
	}
	// The subscription too is made anew.
	until(t, 10*time.Second, "no connection of before is left", func() bool {
		var all sync.WaitGroup
		for range poolSize { // so that each that is idle is about to be used
			all.Go(func() { _ = s.client.Ping(t.Context()).Err() })
		}
		all.Wait()
		return slices.Min(lockdsConnections(t, c)) > before
	})
}

// lockdsConnections are the ids of the connections that the user lockd has made.
func lockdsConnections(t *testing.T, c *redis.Client) (ids []int) {
	t.Helper()
	list, err := c.ClientList(t.Context()).Result()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(list) {
		if strings.Contains(line, "user=lockd") {
			text, _, _ := strings.Cut(strings.TrimPrefix(line, "id="), " ")
			id, _ := strconv.Atoi(text)
			ids = append(ids, id)
		}
	}
	return append(ids, 0)[:max(1, len(ids))]
}
