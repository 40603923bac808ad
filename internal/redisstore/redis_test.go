package redisstore

import (
	"errors"
	"testing"
	"time"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/test/redisproc"
)

// What Redis does, or others do to it: full, restarted, wiped, written to by hand.

// After SCRIPT FLUSH nothing fails; after FLUSHALL, or a restart without data, tokens go on growing.
func TestTokensGrowAcrossEveryLossOfData(t *testing.T) {
	t.Parallel()
	r := redisproc.Start(t)
	s, direct := open(t, r.URL()), client(t, r)
	last := lease.Token(0)
	grow := func(after string) {
		t.Helper()
		l := acquire(t, s, asking("job"))
		if l.Token <= last {
			t.Errorf("token after %s = %d, want more than %d", after, l.Token, last)
		}
		last = l.Token
	}
	grow("the start")
	direct.ScriptFlush(t.Context())
	direct.Del(t.Context(), s.keys.lock("job"))
	grow("SCRIPT FLUSH")
	direct.FlushAll(t.Context())
	grow("FLUSHALL")
	r.Kill()
	r.Restart()
	until(t, 5*time.Second, "the store reaches the restarted redis", func() bool {
		return s.client.Ping(t.Context()).Err() == nil
	})
	grow("a restart without its data")
}

// A full Redis takes no new lease but lets every standing one be renewed and released.
func TestAFullRedis(t *testing.T) {
	t.Parallel()
	r := redisproc.Start(t)
	s, direct := open(t, r.URL()), client(t, r)
	a, b := asking("a"), asking("b")
	acquire(t, s, a)
	acquire(t, s, b)
	if err := direct.ConfigSet(t.Context(), "maxmemory", "1").Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Acquire(soon(t), asking("c")); !errors.Is(err, lease.ErrStoreFull) {
		t.Errorf("Acquire = %v, want ErrStoreFull", err)
	}
	for _, ttl := range []time.Duration{0, 5 * time.Second, 10 * time.Second} {
		want := max(ttl, 0)
		if ttl == 0 {
			want = a.TTL
		}
		if l, err := s.Renew(soon(t), lease.Renewal{Name: "a", ID: a.ID, TTL: ttl}); err != nil || l.TTL != want {
			t.Errorf("Renew(ttl %s) = %s, %v, want %s", ttl, l.TTL, err, want)
		}
	}
	if l, err := s.Renew(soon(t), lease.Renewal{Name: "a", ID: a.ID, TTL: time.Minute}); err != nil || l.TTL != a.TTL {
		t.Errorf("Renew(a larger ttl than ever) = %s, %v, want the lease's own %s", l.TTL, err, a.TTL)
	}
	if got, err := s.Release(soon(t), lease.ReleaseRequest{Name: "a", ID: a.ID}); err != nil || got.Outcome != lease.Held {
		t.Errorf("Release = %v, %v, want Held", got.Outcome, err)
	}
	standing, _ := s.Get(soon(t), lease.GetRequest{Name: "b"})
	bl := standing.Lease
	if _, err := s.ForceRelease(soon(t), lease.ForceRequest{Name: "b", Token: bl.Token}); err != nil {
		t.Errorf("ForceRelease = %v", err)
	}
	direct.ConfigSet(t.Context(), "maxmemory", "0")
	if l := acquire(t, s, asking("b")); l.Token <= bl.Token+1 {
		t.Errorf("token after a force = %d, want one used up after %d", l.Token, bl.Token)
	}
}

// Connections killed over and over: errors are typed, nothing is half done, and it heals by itself.
func TestKilledConnections(t *testing.T) {
	r := redisproc.Shared(t)
	s, direct := open(t, r.URL()), client(t, r)
	a := asking("job")
	acquire(t, s, a)
	for range 20 {
		direct.Do(t.Context(), "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
		_, err := s.Renew(soon(t), lease.Renewal{Name: "job", ID: a.ID})
		if err != nil && !errors.Is(err, lease.ErrUnknown) && !errors.Is(err, lease.ErrUnavailable) {
			t.Fatalf("Renew = %v, want nil, ErrUnknown or ErrUnavailable", err)
		}
	}
	until(t, 5*time.Second, "renewals work again", func() bool {
		_, err := s.Renew(soon(t), lease.Renewal{Name: "job", ID: a.ID})
		return err == nil
	})
}

// A connection that the other side closed while it was idle is noticed before a command goes into it.
func TestARestartedRedisLeavesNoOutcomeUnknown(t *testing.T) {
	r := redisproc.Start(t)
	s := open(t, r.URL())
	acquire(t, s, asking("before"))
	r.Kill()
	r.Restart()
	acquire(t, s, asking("after"))
}

// What somebody else wrote where locks are is never overwritten, named when asked for, and no reason
// to hide the leases around it.
func TestForeignKeys(t *testing.T) {
	r := redisproc.Shared(t)
	s, direct := open(t, r.URL()), client(t, r)
	direct.Set(t.Context(), s.keys.lock("text"), "by hand", 0)
	direct.Set(t.Context(), s.keys.lock("future"), "0123|1|a|5|1000|1500|1|no json", 0)
	direct.RPush(t.Context(), s.keys.lock("list"), "by hand")
	direct.Set(t.Context(), s.keys.lock("no\xffname"), "by hand", 0)
	acquire(t, s, asking("lease"))
	for _, name := range []string{"text", "future", "list"} {
		if _, err := s.Get(soon(t), lease.GetRequest{Name: name}); !errors.Is(err, errForeign) {
			t.Errorf("Get(%q) = %v, want errForeign", name, err)
		}
		if _, err := s.Acquire(soon(t), asking(name)); err == nil {
			t.Errorf("Acquire(%q) = nil, want an error", name)
		}
		if _, err := s.Release(soon(t), lease.ReleaseRequest{Name: name, ID: newID()}); err != nil {
			t.Errorf("Release(%q) = %v, want nil: not ours", name, err)
		}
		if n, _ := direct.Exists(t.Context(), s.keys.lock(name)).Result(); n != 1 {
			t.Errorf("the foreign key of %q is gone", name)
		}
	}
	page, err := s.List(soon(t), lease.ListRequest{Size: 10})
	if err != nil || len(page.Leases) != 1 || page.Leases[0].Name != "lease" {
		t.Errorf("List = %v, %v, want the one lease", page.Leases, err)
	}
}

// A human's DEL ends a lease: its holder learns it at the next renewal, and the next token is larger.
func TestADeletedLockIsLost(t *testing.T) {
	r := redisproc.Shared(t)
	s, direct := open(t, r.URL()), client(t, r)
	a := asking("job")
	l := acquire(t, s, a)
	direct.Del(t.Context(), s.keys.lock("job"))
	if _, err := s.Renew(soon(t), lease.Renewal{Name: "job", ID: a.ID}); !errors.Is(err, lease.ErrLost) {
		t.Errorf("Renew = %v, want ErrLost", err)
	}
	if next := acquire(t, s, asking("job")); next.Token <= l.Token {
		t.Errorf("next token = %d, want more than %d", next.Token, l.Token)
	}
}
