package redisstore

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/internal/redisconn"
	"github.com/lockd/lockd/test/freeport"
	"github.com/lockd/lockd/test/redisproc"
)

// Leases are not kept in a Redis that would lose them, and the refusal says what would be right.
func TestOpenRefuses(t *testing.T) {
	primary := redisproc.Start(t, redisproc.TCP())
	host, port, _ := strings.Cut(primary.Addr(), ":")
	for _, test := range []struct {
		name string
		args []string
		says string
	}{
		{"evicting", []string{"--maxmemory-policy", "volatile-ttl"}, "want maxmemory-policy noeviction"},
		{"evicting everything", []string{"--maxmemory-policy", "allkeys-lru", "--maxmemory", "0"}, "want maxmemory-policy noeviction"},
		{"replica", []string{"--replicaof", host + " " + port}, "is a slave; want a primary"},
		{"password", []string{"--requirepass", "s3cret"}, "refuses us: NOAUTH"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := redisproc.Start(t, redisproc.Args(test.args...))
			var refused *redisconn.RefusedError
			_, err := Open(t.Context(), Config{URL: "unix://" + r.Addr()})
			if !errors.As(err, &refused) || !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), r.Addr()) {
				t.Errorf("Open = %v, want a *RefusedError with %q and the address", err, test.says)
			}
		})
	}
}

func TestOpenRefusesAnotherLayout(t *testing.T) {
	r := redisproc.Shared(t)
	c := client(t, r)
	c.Set(t.Context(), "lockd:layout", "format=1 mode=cluster shards=256 hash=fnv1a", 0)
	var refused *redisconn.RefusedError
	if _, err := Open(t.Context(), Config{URL: r.URL()}); !errors.As(err, &refused) || !strings.Contains(err.Error(), "another layout") {
		t.Errorf("Open = %v, want a *RefusedError about the layout", err)
	}
}

// Another key prefix is another service, and nearly always a mistake: it is said aloud, or refused.
func TestOpenRefusesAnotherPrefix(t *testing.T) {
	r := redisproc.Shared(t)
	open(t, r.URL())
	_, err := Open(t.Context(), Config{URL: r.URL(), KeyPrefix: "other"})
	if !errors.As(err, new(*redisconn.RefusedError)) || !strings.Contains(err.Error(), `key prefix "lockd"`) || !strings.Contains(err.Error(), "--redis-shared") ||
		!strings.Contains(err.Error(), "DEL lockd:prefix") {
		t.Errorf("Open with another prefix = %v, want a *RefusedError about the prefix", err)
	}
	s, err := Open(t.Context(), Config{URL: r.URL(), KeyPrefix: "other", Shared: true})
	if err != nil {
		t.Fatalf("Open with another prefix, shared = %v, want nil", err)
	}
	s.Close()
}

// A lockd that is refused claims nothing: one that was started once with a mistyped prefix must not keep out all others.
func TestARefusedStoreClaimsNoPrefix(t *testing.T) {
	r := redisproc.Start(t)
	direct := client(t, r)
	if err := direct.Do(t.Context(), documentedUser(t)...).Err(); err != nil {
		t.Fatal(err)
	}
	at := "unix://lockd:secret@" + r.Addr()
	for _, prefix := range []string{"team", "lockd:team"} { // the keys are denied it; then the channel's right alone is away
		if err := direct.Do(t.Context(), "ACL", "SETUSER", "lockd", "-subscribe").Err(); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(t.Context(), Config{URL: at, KeyPrefix: prefix}); !errors.As(err, new(*redisconn.RefusedError)) {
			t.Fatalf("Open with the prefix %q, without a right = %v, want a *redisconn.RefusedError", prefix, err)
		}
	}
	if got := direct.Exists(t.Context(), prefixKey).Val(); got != 0 {
		t.Errorf("the refused ones have left %s = %q, want none", prefixKey, direct.Get(t.Context(), prefixKey).Val())
	}
	if err := direct.Do(t.Context(), "ACL", "SETUSER", "lockd", "+subscribe").Err(); err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), Config{URL: at})
	if err != nil {
		t.Fatalf("Open with the right prefix = %v, want nil", err)
	}
	defer s.Close()
	if got := direct.Get(t.Context(), prefixKey).Val(); got != "lockd" {
		t.Errorf("%s = %q, want that of the first one to open", prefixKey, got)
	}
	// Whoever uses it has claimed it anew, should it be lost, by the next connection.
	direct.Del(t.Context(), prefixKey)
	s.conns.DropAll()
	until(t, 5*time.Second, "the prefix is claimed again", func() bool {
		return direct.Get(t.Context(), prefixKey).Val() == "lockd"
	})
}

// Of two that come at once with different prefixes, and both see none, the second to claim is refused.
func TestAClaimThatIsLostIsRefused(t *testing.T) {
	r := redisproc.Shared(t)
	s := open(t, r.URL())
	client(t, r).Set(t.Context(), prefixKey, "other", 0) // no new connection sees it: it was made before
	if err := s.claimPrefix(t.Context()); !errors.As(err, new(*redisconn.RefusedError)) {
		t.Errorf("claimPrefix = %v, want a *redisconn.RefusedError", err)
	}
}

// Who may not ask for appendfsync is not told to set what may be set.
func TestAPolicyThatCannotBeReadIsNotCalledWrong(t *testing.T) {
	_, warnings := new(Store).judge(lease.Node{Persistence: "aof", Eviction: redisconn.NoEviction})
	if len(warnings) != 1 || !strings.Contains(warnings[0], "CONFIG GET") || strings.Contains(warnings[0], "want appendonly") {
		t.Errorf("warnings = %q, want one that names the right", warnings)
	}
}

// The layout is compared on every new connection, not only at the start.
func TestEveryConnectionComparesTheLayout(t *testing.T) {
	r := redisproc.Shared(t)
	s, c := open(t, r.URL()), client(t, r)
	c.Set(t.Context(), s.keys.layout(), "format=2", 0)
	s.conns.DropAll()
	until(t, 5*time.Second, "acquire is refused", func() bool {
		_, err := s.Acquire(soon(t), asking("job"))
		return errors.Is(err, lease.ErrUnavailable) && strings.Contains(err.Error(), "another layout")
	})
}

func TestOpenOfNothingEndsWithin5SecondsNamingTheAddress(t *testing.T) {
	t.Parallel()
	address, err := freeport.Find()
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	_, err = Open(t.Context(), Config{URL: "redis://:pa55word@" + address})
	if !errors.Is(err, redisconn.ErrUnreachable) || !strings.Contains(err.Error(), address) || strings.Contains(err.Error(), "pa55word") {
		t.Errorf("Open = %v, want redisconn.ErrUnreachable with %s and without the password", err, address)
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("Open took %s, want at most 5 s", took)
	}
}

// A Redis that begins to evict while it is used gets no new leases; what is held goes on, and
// grants come back by themselves.
func TestARunningStoreStopsGrantingWhileItsRedisEvicts(t *testing.T) {
	t.Parallel()
	r := redisproc.Start(t)
	s, c := open(t, r.URL()), client(t, r)
	a := asking("held")
	acquire(t, s, a)
	c.ConfigSet(t.Context(), "maxmemory-policy", "allkeys-lru")
	until(t, 10*time.Second, "grants are refused", func() bool { return strings.Contains(s.Status().Refusal, "noeviction") })
	if _, err := s.Acquire(soon(t), asking("new")); !errors.Is(err, lease.ErrGrantsRefused) || !strings.Contains(err.Error(), "noeviction") {
		t.Errorf("Acquire = %v, want ErrGrantsRefused that says noeviction", err)
	}
	if _, err := s.Acquire(soon(t), retry(a)); err != nil {
		t.Errorf("Acquire of what is held = %v, want nil", err)
	}
	if _, err := s.Renew(soon(t), lease.Renewal{Name: "held", ID: a.ID}); err != nil {
		t.Errorf("Renew = %v, want nil", err)
	}
	if _, err := s.Release(soon(t), lease.ReleaseRequest{Name: "held", ID: a.ID}); err != nil {
		t.Errorf("Release = %v, want nil", err)
	}
	c.ConfigSet(t.Context(), "maxmemory-policy", "noeviction")
	until(t, 10*time.Second, "grants are back", func() bool { return s.Status().Refusal == "" })
	acquire(t, s, asking("new"))
}

// A Redis that goes away shows in Status, and so does its return.
func TestStatusFollowsTheRedis(t *testing.T) {
	t.Parallel()
	r := redisproc.Start(t)
	s := open(t, r.URL())
	before := s.Status().Nodes[0]
	if before.Error != "" || before.Version == "" || before.Role != "master" || before.Eviction != "noeviction" || before.Persistence != "none" {
		t.Errorf("Status().Nodes[0] = %+v, want a healthy one", before)
	}
	r.Kill()
	until(t, 10*time.Second, "the node's error", func() bool { return s.Status().Nodes[0].Error != "" })
	if got := s.Status().Refusal; !strings.Contains(got, "does not answer") {
		t.Errorf("Status().Refusal = %q, want that redis does not answer", got)
	}
	r.Restart()
	until(t, 10*time.Second, "the node is back, with another run id", func() bool {
		n := s.Status().Nodes[0]
		return n.Error == "" && n.RunID != before.RunID && s.Status().Refusal == ""
	})
}

func TestPersistenceIsReported(t *testing.T) {
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"--appendonly", "yes", "--appendfsync", "always"}, "aof always"},
		{[]string{"--appendonly", "yes", "--appendfsync", "everysec"}, "aof everysec"},
		{[]string{"--save", "60 1"}, "rdb"},
	} {
		t.Run(test.want, func(t *testing.T) {
			r := redisproc.Start(t, redisproc.Args(test.args...))
			status := open(t, r.URL()).Status()
			if got := status.Nodes[0].Persistence; got != test.want {
				t.Errorf("persistence = %q, want %q", got, test.want)
			}
			if warned := len(status.Warnings) > 0; warned != (test.want != "aof always") {
				t.Errorf("warnings = %q", status.Warnings)
			}
		})
	}
}

// A primary that becomes a replica is refused while running, also over connections made before.
func TestADemotedPrimaryGrantsNothing(t *testing.T) {
	t.Parallel()
	other := redisproc.Start(t, redisproc.TCP())
	r := redisproc.Start(t, redisproc.Args("--replica-read-only", "no"))
	s, c := open(t, r.URL()), client(t, r)
	host, port, _ := strings.Cut(other.Addr(), ":")
	if err := c.ReplicaOf(t.Context(), host, port).Err(); err != nil {
		t.Fatal(err)
	}
	until(t, 10*time.Second, "the refusal", func() bool { return strings.Contains(s.Status().Refusal, "want a primary") })
	if l, err := s.Acquire(soon(t), asking("job")); err == nil {
		t.Errorf("Acquire of a replica = token %d, want an error", l.Token)
	}
	if err := c.ReplicaOf(t.Context(), "NO", "ONE").Err(); err != nil {
		t.Fatal(err)
	}
	until(t, 10*time.Second, "grants are back", func() bool { return s.Status().Refusal == "" })
	acquire(t, s, asking("job"))
}

// A Redis that takes no writes, for whatever reason of its own, shows in Status; nothing is granted or
// released, and both come back by themselves.
func TestARedisThatTakesNoWrites(t *testing.T) {
	t.Parallel()
	r := redisproc.Start(t)
	s, c := open(t, r.URL()), client(t, r)
	a := asking("held")
	acquire(t, s, a)
	c.ConfigSet(t.Context(), "min-replicas-to-write", "1")
	until(t, 10*time.Second, "the refusal", func() bool { return strings.Contains(s.Status().Refusal, "NOREPLICAS") })
	if _, err := s.Acquire(soon(t), asking("new")); !errors.Is(err, lease.ErrUnavailable) {
		t.Errorf("Acquire = %v, want ErrUnavailable", err)
	}
	if _, err := s.Release(soon(t), lease.ReleaseRequest{Name: "held", ID: a.ID}); !errors.Is(err, lease.ErrUnavailable) {
		t.Errorf("Release = %v, want ErrUnavailable", err)
	}
	c.ConfigSet(t.Context(), "min-replicas-to-write", "0")
	acquire(t, s, asking("new")) // at once: Redis knows first
	until(t, 10*time.Second, "the refusal is over", func() bool { return s.Status().Refusal == "" })
}

func TestJudgeRefusesASkewedClock(t *testing.T) {
	s := &Store{address: "redis"}
	for skew, refused := range map[time.Duration]bool{0: false, maxSkew: false, maxSkew + time.Millisecond: true, -time.Hour: true} {
		if refusal, _ := s.judge(lease.Node{Eviction: redisconn.NoEviction, ClockSkew: skew}); (refusal != "") != refused {
			t.Errorf("judge(skew %s) = %q, want a refusal: %v", skew, refusal, refused)
		}
	}
}

// One Redis that was wiped is no different.
func TestOtherPrefixAfterWipe(t *testing.T) {
	r := redisproc.Start(t)
	direct := client(t, r)
	testOtherPrefixAfterWipe(t, r.URL(), func() { direct.FlushAll(t.Context()) })
}
