package redisstore

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/internal/redisconn"
	"github.com/lockd/lockd/test/redisproc"
)

// What is wrong with the sentinels is said at the start, with what would be right.
func TestSentinel(t *testing.T) {
	t.Parallel()
	g := redisproc.StartGroup(t, 1)
	addrs := strings.TrimSuffix(strings.TrimPrefix(g.URL(), "redis://"), "?master="+g.Name)
	for _, test := range []struct{ name, url, says string }{
		{"wrong master name", "redis://" + addrs + "?master=other", "want ?master= to be one of mymaster"},
		{"no sentinel", "redis://" + g.Servers[0].Addr() + "?master=" + g.Name, "is no sentinel"},
		{"a sentinel as Redis", "redis://" + g.Sentinels[0].Addr(), "is a sentinel; want ?master=NAME"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Open(t.Context(), Config{URL: test.url})
			if !errors.As(err, new(*redisconn.RefusedError)) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("Open = %v, want a *RefusedError with %q", err, test.says)
			}
		})
	}
	t.Run("the sentinels' password is replaced", func(t *testing.T) { testSentinelPassword(t, g) })
	t.Run("a failover loses nothing that was replicated", func(t *testing.T) { testFailover(t, g) })
	g.AwaitReplicas()
	t.Run("a failover loses nothing that was told when replicas confirm", func(t *testing.T) { testFailoverWithMinReplicas(t, g) })
}

func testFailover(t *testing.T, g *redisproc.Group) {
	s := open(t, g.URL())
	old := g.Primary()
	if got := s.Status().Nodes[0]; got.Address != old.Addr() || got.Role != "master" {
		t.Errorf("Status().Nodes[0] = %+v, want the primary at %s", got, old.Addr())
	}
	held := asking("held")
	last := acquire(t, s, held).Token
	direct := client(t, old)
	if n, err := direct.Do(t.Context(), "WAIT", 1, 5000).Int(); n != 1 || err != nil {
		t.Fatalf("WAIT = %d, %v, want the replica", n, err)
	}
	w := queued(t, s, "held")
	g.Failover()
	now := g.AwaitPrimary(old)
	up := time.Now()
	after := client(t, now)
	until(t, 2*time.Second, "a new lease on the new primary", func() bool {
		a := asking(string(newID()))
		l, err := s.Acquire(soon(t), a)
		switch {
		case err == nil && l.Token <= last:
			t.Errorf("token %d after %d, want more", l.Token, last)
		case err != nil && !errors.Is(err, lease.ErrUnavailable) && !errors.Is(err, lease.ErrUnknown) && !errors.Is(err, lease.ErrGrantsRefused):
			t.Fatalf("Acquire = %v, want it to be retryable", err)
		}
		return err == nil && after.Exists(t.Context(), s.keys.lock(a.Name)).Val() == 1
	})
	t.Logf("service again %s after the new primary was up", time.Since(up))
	if _, err := s.Renew(soon(t), lease.Renewal{Name: "held", ID: held.ID}); err != nil {
		t.Errorf("Renew of what was replicated = %v", err)
	}
	until(t, 5*time.Second, "the release", func() bool {
		_, err := s.Release(soon(t), lease.ReleaseRequest{Name: "held", ID: held.ID})
		return err == nil
	})
	w.within(t, 5*time.Second)
	until(t, 5*time.Second, "Status shows the new primary", func() bool { return s.Status().Nodes[0].Address == now.Addr() && s.Status().Refusal == "" })
}

// A Store goes on over a rotation as operations.md says, and a password that a sentinel refuses is refused.
func testSentinelPassword(t *testing.T, g *redisproc.Group) {
	var admins []*redis.Client
	for _, s := range g.Sentinels {
		admin := client(t, s)
		admins = append(admins, admin)
	}
	everywhere := func(command ...any) {
		t.Helper()
		for _, admin := range admins {
			if err := admin.Do(t.Context(), command...).Err(); err != nil {
				t.Fatalf("%v: %v", command, err)
			}
		}
	}
	file := filepath.Join(t.TempDir(), "password")
	put := func(password string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(password), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	refuses := func(secrets *redisconn.Secrets, says string) {
		t.Helper()
		if _, err := Open(t.Context(), Config{URL: g.URL(), Secrets: secrets}); !errors.As(err, new(*redisconn.RefusedError)) || !strings.Contains(err.Error(), says) {
			t.Errorf("Open = %v, want a *RefusedError with %q", err, says)
		}
	}
	put("first")
	current := secrets(t, redisconn.SecretFiles{SentinelPassword: file})
	primary := client(t, g.Primary())
	primary.Do(t.Context(), "ACL", "SETUSER", "default", "resetpass", ">redis's")
	refuses(nil, "--redis-password-file")
	everywhere("ACL", "SETUSER", "default", "resetpass", ">first")
	defer everywhere("ACL", "SETUSER", "default", "nopass")
	refuses(current, "--redis-password-file")
	primary.Do(t.Context(), "ACL", "SETUSER", "default", "nopass")
	refuses(nil, "--redis-sentinel-password-file")
	put("wrong")
	refuses(secrets(t, redisconn.SecretFiles{SentinelPassword: file}), "--redis-sentinel-password-file")

	s, err := Open(t.Context(), Config{URL: g.URL(), Secrets: current})
	if err != nil {
		t.Fatalf("Open = %v", err)
	}
	defer s.Close()
	last := acquire(t, s, asking("before"))

	put("second")
	if _, err := current.Prepare(t.Context()); !errors.As(err, new(*redisconn.RefusedError)) || !strings.Contains(err.Error(), "is a sentinel") {
		t.Errorf("Prepare with a password that no sentinel knows = %v, want a *RefusedError about a sentinel", err)
	}
	for _, admin := range admins[1:] {
		admin.Do(t.Context(), "ACL", "SETUSER", "default", ">second")
	}
	if _, err := current.Prepare(t.Context()); !errors.As(err, new(*redisconn.RefusedError)) || !strings.Contains(err.Error(), g.Sentinels[0].Addr()) {
		t.Errorf("Prepare with a password that one sentinel does not know = %v, want a *RefusedError that names it", err)
	}
	everywhere("ACL", "SETUSER", "default", ">second")
	commit, err := current.Prepare(t.Context())
	if err != nil {
		t.Fatalf("Prepare = %v", err)
	}
	commit()
	everywhere("ACL", "SETUSER", "default", "<first")
	for _, admin := range admins {
		killOthers(t, admin)
	}
	s.conns.DropAll() // whoever connects now has to ask a sentinel
	until(t, 5*time.Second, "a lease, by way of the sentinels", func() bool {
		l, err := s.Acquire(soon(t), asking("after"))
		return err == nil && l.Token > last.Token
	})
}

// killOthers cuts all connections to a sentinel but those of other sentinels and the caller's own.
func killOthers(t *testing.T, admin *redis.Client) {
	t.Helper()
	list, err := admin.ClientList(t.Context()).Result()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(list) {
		if strings.Contains(line, "name=sentinel-") || strings.Contains(line, "cmd=client") {
			continue
		}
		id, _, _ := strings.Cut(strings.TrimPrefix(line, "id="), " ")
		admin.Do(t.Context(), "CLIENT", "KILL", "ID", id) // it may have gone by itself
	}
}
