package redisstore

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/lockd/lockd/internal/diagnosis"
	"github.com/lockd/lockd/internal/redisconn"
	"github.com/lockd/lockd/test/certs"
	"github.com/lockd/lockd/test/redisproc"
)

// goodArgs are of a Redis of which there is nothing to say.
var goodArgs = []string{"--appendonly", "yes", "--appendfsync", "always", "--maxmemory", "64mb", "--latency-monitor-threshold", "100", "--enable-debug-command", "yes", "--repl-diskless-sync-delay", "0"}

// patient is a Redis in which faults are planted, and a store on it.
type patient struct {
	*testing.T
	*redisproc.Server
	direct *redis.Client
	store  *Store
}

// admitted opens a store with the rights of docs/operations.md, and the two more that docs/doctor.md speaks of.
func admitted(t *testing.T) *patient {
	t.Helper()
	args := append(slices.Clone(goodArgs), "--user") // here it outlives a restart
	for _, word := range append(documentedUser(t)[2:], "+slowlog|get", "+latency|latest") {
		args = append(args, fmt.Sprint(word))
	}
	p := &patient{T: t, Server: redisproc.Start(t, redisproc.TCP(), redisproc.Args(args...))}
	p.direct = client(t, p.Server)
	p.store = open(t, "redis://lockd:secret@"+p.Addr())
	return p
}

func (p *patient) do(command ...any) {
	p.T.Helper()
	if err := p.direct.Do(p.Context(), command...).Err(); err != nil {
		p.T.Fatalf("%v: %v", command, err)
	}
}

func (p *patient) config(setting string, value any) {
	p.T.Helper()
	p.do("config", "set", setting, value)
}

// info reads a whole number.
func (p *patient) info(key string) int64 {
	p.T.Helper()
	n, err := strconv.ParseInt(redisconn.Info(p.direct.Info(p.Context()).Val())[key], 10, 64)
	if err != nil {
		p.T.Fatalf("INFO has no number %s: %v", key, err)
	}
	return n
}

// ofTheMachine are checks that may find what is slow where the tests run, so they count only where it was planted.
var ofTheMachine = []string{"fork", "round-trip", "slow-calls", "slow-disk", "stalls"}

// found are the names of the checks that find something, of those of the machine only the wanted ones.
func found(t *testing.T, s *Store, want []string) (names []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	var facts diagnosis.Facts
	facts.Store, facts.Servers = s.Examine(ctx)
	for _, f := range diagnosis.Judge(facts).Findings {
		if !slices.Contains(ofTheMachine, f.Check) || slices.Contains(want, f.Check) {
			names = append(names, f.Check)
		}
	}
	slices.Sort(names)
	return names
}

// finds wants these checks, and no others, to find something before long: what the store refuses for it knows it by its own looks.
func (p *patient) finds(s *Store, want ...string) {
	p.T.Helper()
	var got []string
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
		if got = found(p.T, s, want); slices.Equal(got, want) {
			return
		}
	}
	p.T.Fatalf("found (-want +got):\n%s", cmp.Diff(want, got))
}

// Each fault that is planted in a real Redis is found, and nothing else; and once it is mended nothing is.
func TestPlantedFaultsAreFound(t *testing.T) {
	t.Parallel()
	p := admitted(t)
	p.finds(p.store)
	for _, f := range p.faults() {
		t.Run(f.want[0], func(t *testing.T) {
			p := &patient{t, p.Server, p.direct, p.store}
			defer p.finds(p.store)
			defer f.mend(p)
			f.plant(p)
			p.finds(p.store, f.want...)
		})
	}
	p.Restart()
	p.finds(p.store, "restarted")
	p.Kill()
	p.finds(p.store, "grants", "reachable")
}

type plantedFault struct {
	plant, mend func(p *patient)
	want        []string
}

func (p *patient) faults() []plantedFault {
	setting := func(name, wrong, right string, want ...string) plantedFault {
		return plantedFault{func(p *patient) { p.config(name, wrong) }, func(p *patient) { p.config(name, right) }, want}
	}
	all := []plantedFault{
		setting("maxmemory-policy", "volatile-lru", "noeviction", "eviction", "grants"),
		setting("appendfsync", "everysec", "always", "appendfsync"),
		setting("no-appendfsync-on-rewrite", "yes", "no", "fsync-on-rewrite"),
		setting("appendonly", "no", "yes", "persistence"),
		setting("timeout", "3600", "0", "idle-timeout"),
		setting("tcp-keepalive", "0", "300", "tcp-keepalive"),
		{func(p *patient) { p.config("appendonly", "no"); p.config("save", "3600 1") }, func(p *patient) { p.config("appendonly", "yes"); p.config("save", "") }, []string{"snapshots"}},
		{func(p *patient) { p.config("maxmemory", p.info("used_memory")*11/10) }, func(p *patient) { p.config("maxmemory", "64mb") }, []string{"memory"}},
		{func(p *patient) { p.do("replicaof", "127.0.0.1", "1") }, func(p *patient) { p.do("replicaof", "no", "one") }, []string{"grants", "role"}},
		{func(p *patient) { p.do("debug", "sleep", "0.15") }, func(p *patient) { p.do("slowlog", "reset"); p.do("latency", "reset") }, []string{"slow-calls", "stalls"}},
		{func(p *patient) { p.do("acl", "setuser", "lockd", "-config|get") }, func(p *patient) { p.do("acl", "setuser", "lockd", "+config|get") }, []string{"few-rights"}},
		{func(p *patient) { p.do("acl", "setuser", "lockd", "+@all") }, func(p *patient) { p.do("acl", "setuser", "lockd", "-acl|getuser") }, []string{"all-rights"}},
		{func(p *patient) { p.do("set", "lockd:layout", "format=0") }, func(p *patient) { p.do("set", "lockd:layout", layout) }, []string{"grants", "layout"}},
	}
	return append(all, p.clientFaults(), p.snapshotFault(), p.evictionFault(), p.replicaFault())
}

// clientFaults opens many connections.
func (p *patient) clientFaults() plantedFault {
	var open []net.Conn
	return plantedFault{func(p *patient) {
		for range 40 {
			conn, err := net.Dial("tcp", p.Addr())
			if err != nil {
				p.T.Fatal(err)
			}
			open = append(open, conn)
		}
		until(p.T, 5*time.Second, "40 connections are there", func() bool { return p.info("connected_clients") > 40 })
		p.config("maxclients", p.info("connected_clients")*100/85)
	}, func(p *patient) {
		for _, conn := range open {
			conn.Close()
		}
		p.config("maxclients", 10_000)
	}, []string{"clients"}}
}

// snapshotFault has a directory be where the snapshot should go.
func (p *patient) snapshotFault() plantedFault {
	path := filepath.Join(p.Dir(), "dump.rdb")
	save := func(p *patient, want string) {
		until(p.T, 10*time.Second, "a snapshot ends with "+want, func() bool {
			_ = p.direct.BgSave(p.Context()).Err() // one may be under way
			return redisconn.Info(p.direct.Info(p.Context()).Val())["rdb_last_bgsave_status"] == want
		})
	}
	return plantedFault{func(p *patient) {
		if err := os.Mkdir(path, 0o700); err != nil {
			p.T.Fatal(err)
		}
		save(p, "err")
	}, func(p *patient) {
		if err := os.Remove(path); err != nil {
			p.T.Fatal(err)
		}
		save(p, "ok")
	}, []string{"last-save"}}
}

// evictionFault has keys evicted that are of nobody, and forgotten that they were.
func (p *patient) evictionFault() plantedFault {
	return plantedFault{func(p *patient) {
		for i := range 500 {
			p.do("set", fmt.Sprint("filler", i), string(make([]byte, 4096)), "ex", "600")
		}
		p.config("maxmemory-policy", "volatile-ttl")
		p.config("maxmemory", p.info("used_memory")-1<<20)
		p.do("ping")
		until(p.T, 5*time.Second, "keys are evicted", func() bool { return p.info("evicted_keys") > 0 })
		p.config("maxmemory", "64mb")
		p.config("maxmemory-policy", "noeviction")
	}, func(p *patient) { p.do("config", "resetstat") }, []string{"evicted"}}
}

// replicaFault has a replica follow.
func (p *patient) replicaFault() plantedFault {
	var replica *redisproc.Server
	return plantedFault{func(p *patient) {
		replica = redisproc.Start(p.T, redisproc.TCP(), redisproc.Args("--replicaof", "127.0.0.1 "+p.Port()))
	}, func(p *patient) { replica.Kill() }, []string{"unfollowed"}}
}

// Who needs no password and may do everything is found, and what could not be looked at with few rights is said.
func TestRightsAreLookedAt(t *testing.T) {
	t.Parallel()
	p := admitted(t)
	s := open(t, p.URL())
	p.finds(s, "all-rights")
	p.do("acl", "setuser", "lockd", "-slowlog|get", "-latency|latest")
	_, servers := p.store.Examine(t.Context())
	var unmade []string
	for _, u := range diagnosis.Judge(diagnosis.Facts{Servers: servers}).Unchecked {
		unmade = append(unmade, u.Check)
	}
	if diff := cmp.Diff([]string{"slow-calls", "stalls"}, unmade); diff != "" {
		t.Errorf("not made (-want +got):\n%s", diff)
	}
}

// The certificate that Redis shows is looked at before it ends.
func TestTheCertificateOfRedisIsLookedAt(t *testing.T) {
	t.Parallel()
	by := certs.New(t)
	ending := by.Sign(t, "redis", certs.Between(time.Now().Add(-time.Hour), time.Now().Add(10*time.Minute)))
	r := redisproc.Start(t, redisproc.TLS(t, by), redisproc.Args(append(slices.Clone(goodArgs), "--tls-cert-file", ending.Cert, "--tls-key-file", ending.Key)...))
	own := by.Sign(t, "lockd")
	s, err := Open(t.Context(), Config{URL: r.URL(), Secrets: secrets(t, redisconn.SecretFiles{CA: by.CA, Cert: own.Cert, Key: own.Key})})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	(&patient{T: t}).finds(s, "all-rights", "redis-certificate")
}
