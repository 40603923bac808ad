package redisstore

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/test/redisproc"
)

// What is wrong with the sentinels is said at the start, with what would be right.
func TestSentinel(t *testing.T) {
	g := redisproc.StartGroup(t, 1)
	addrs := strings.TrimSuffix(strings.TrimPrefix(g.URL(), "redis://"), "?master="+g.Name)
	for _, test := range []struct{ name, url, says string }{
		{"wrong master name", "redis://" + addrs + "?master=other", "want ?master= to be one of mymaster"},
		{"no sentinel", "redis://" + g.Servers[0].Addr() + "?master=" + g.Name, "is no sentinel"},
		{"a sentinel as Redis", "redis://" + g.Sentinels[0].Addr(), "is a sentinel; want ?master=NAME"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Open(t.Context(), Config{URL: test.url})
			if !errors.As(err, new(*RefusedError)) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("Open = %v, want a *RefusedError with %q", err, test.says)
			}
		})
	}
	t.Run("a failover loses nothing that was replicated", func(t *testing.T) { testFailover(t, g) })
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
