package diagnosis

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// good is a set-up in which there is nothing to find: a Redis of a Sentinel group, and a lockd that others reach.
func good() Facts {
	certificate := Certificate{What: "it", From: now.AddDate(0, -2, 0), Until: now.AddDate(0, 10, 0)}
	return Facts{
		Store: Store{Kind: "redis"},
		Servers: []Redis{{
			Address: "a:1", At: now, Ping: time.Millisecond, Write: 5 * time.Millisecond, Skew: 3 * time.Millisecond, Follows: true, User: "lockd",
			Certificate: certificate,
			Info: map[string]string{
				"role": "master", "maxmemory_policy": "noeviction", "aof_enabled": "1", "aof_last_write_status": "ok", "aof_last_bgrewrite_status": "ok",
				"rdb_last_bgsave_status": "ok", "evicted_keys": "0", "used_memory": "79", "maxmemory": "100", "total_system_memory": "1000", "used_memory_rss": "90",
				"connected_clients": "79", "maxclients": "100", "rejected_connections": "0", "latest_fork_usec": "99999",
				"connected_slaves": "1", "slave0": "ip=10.0.0.2,port=6379,state=online,offset=7,lag=1",
			},
			Settings: map[string]string{
				"appendfsync": "always", "no-appendfsync-on-rewrite": "no", "save": "", "timeout": "0", "tcp-keepalive": "300",
				"maxclients": "100", "min-replicas-to-write": "1", "disable-thp": "yes",
			},
			Slow:   []Stall{{"EVALSHA", now.Add(-time.Minute), 99 * time.Millisecond}, {"KEYS", now.Add(-16 * time.Minute), time.Minute}},
			Stalls: []Stall{{"fork", now.Add(-16 * time.Minute), time.Second}},
		}},
		Lockd: Lockd{At: now, Reached: []string{"0.0.0.0:7420"}, TLS: true, Asks: true, MaxTTL: time.Hour, DefaultTTL: 30 * time.Second,
			Connections: 10_000, Descriptors: 1 << 20, Certificates: []Certificate{certificate}},
	}
}

// quorum is a good set-up with nodes.
func quorum(n int) Facts {
	f := good()
	f.Store.Kind = "redlock"
	f.Servers[0].Follows, f.Servers[0].Info["connected_slaves"] = false, "0"
	for i := range n {
		f.Store.Nodes = append(f.Store.Nodes, Node{Address: fmt.Sprintf("n%d:6379", i)})
	}
	return f
}

func TestNothingIsFoundOnAGoodSetUp(t *testing.T) {
	for name, f := range map[string]Facts{"sentinel": good(), "quorum": quorum(5)} {
		if r := Judge(f); len(r.Findings) > 0 || len(r.Unchecked) > 0 || r.Made < 40 {
			t.Errorf("%s: %d checks made, found %v, not made %v; want 40 or more, nothing and none", name, r.Made, r.Findings, r.Unchecked)
		}
	}
}

// info and set plant something at a server.
func info(pairs ...string) func(*Facts) {
	return func(f *Facts) {
		for i := 0; i < len(pairs); i += 2 {
			f.Servers[0].Info[pairs[i]] = pairs[i+1]
		}
	}
}

func set(key, value string) func(*Facts) {
	return func(f *Facts) { f.Servers[0].Settings[key] = value }
}

func server(change func(*Redis)) func(*Facts) { return func(f *Facts) { change(&f.Servers[0]) } }

func lockd(change func(*Lockd)) func(*Facts) { return func(f *Facts) { change(&f.Lockd) } }

// Each of these is found alone, and says what it is about.
var planted = []struct {
	check string
	from  func() Facts
	plant func(*Facts)
	says  string
}{
	{"version", good, server(func(r *Redis) { r.TooOld = `is of version "5.0.7"` }), "5.0.7"},
	{"role", good, info("role", "slave"), "is a slave"},
	{"eviction", good, info("maxmemory_policy", "volatile-lru"), "volatile-lru"},
	{"evicted", good, info("evicted_keys", "3"), "3 keys"},
	{"memory", good, info("used_memory", "81"), "81 % of its maxmemory"},
	{"machine-memory", good, info("maxmemory", "0", "used_memory_rss", "760"), "76 %"},
	{"persistence", good, info("aof_enabled", "0"), "nothing on disk"},
	{"snapshots", good, func(f *Facts) { info("aof_enabled", "0")(f); set("save", "3600 1")(f) }, "no AOF"},
	{"appendfsync", good, set("appendfsync", "everysec"), "everysec"},
	{"fsync-on-rewrite", good, set("no-appendfsync-on-rewrite", "yes"), "yes"},
	{"aof-write", good, info("aof_last_write_status", "err"), "AOF"},
	{"aof-rewrite", good, info("aof_last_bgrewrite_status", "err"), "rewrite"},
	{"last-save", good, info("rdb_last_bgsave_status", "err"), "snapshot"},
	{"restarted", good, server(func(r *Redis) { r.Restarted = now.Add(-59 * time.Minute) }), "59m0s ago"},
	{"clock", good, server(func(r *Redis) { r.Skew = -2001 * time.Millisecond }), "-2.001s"},
	{"clock-drift", good, server(func(r *Redis) { r.Skew = 501 * time.Millisecond }), "501ms"},
	{"round-trip", good, server(func(r *Redis) { r.Ping = 11 * time.Millisecond }), "11ms"},
	{"slow-disk", good, server(func(r *Redis) { r.Write = 26 * time.Millisecond }), "26ms"},
	{"slow-calls", good, server(func(r *Redis) { r.Slow[0].Took = 100 * time.Millisecond }), "EVALSHA for 100ms, 1m0s ago"},
	{"stalls", good, server(func(r *Redis) { r.Stalls[0].At = now.Add(-time.Second) }), "fork for 1s"},
	{"fork", good, info("latest_fork_usec", "100000"), "100ms"},
	{"huge-pages", good, set("disable-thp", "no"), "disable-thp"},
	{"clients", good, info("connected_clients", "81"), "81 %"},
	{"clients-refused", good, info("rejected_connections", "2"), "2 connections"},
	{"idle-timeout", good, set("timeout", "60"), "60 s"},
	{"tcp-keepalive", good, set("tcp-keepalive", "0"), "tcp-keepalive 0"},
	{"replicas", good, info("connected_slaves", "0"), "no replica"},
	{"replica-lag", good, info("connected_slaves", "2", "slave1", "ip=10.0.0.3,port=6379,state=online,offset=7,lag=11"), "10.0.0.3:6379 was last heard of 11 s ago"},
	{"min-replicas", good, set("min-replicas-to-write", "0"), "min-replicas-to-write 0"},
	{"unfollowed", good, server(func(r *Redis) { r.Follows = false }), "1 replicas"},
	{"all-rights", good, server(func(r *Redis) { r.MayAll, r.User = true, "default" }), `"default"`},
	{"redis-certificate", good, server(func(r *Redis) { r.Certificate.Until = now.Add(time.Hour) }), "in 1h0m0s"},
	{"grants", good, func(f *Facts) { f.Store.Refusal = "it is full" }, "it is full"},
	{"layout", good, func(f *Facts) { f.Store.Layout = "keeps leases in another layout" }, "another layout"},
	{"memory-store", good, func(f *Facts) { f.Store.Kind = "memory" }, "memory"},
	{"vote", func() Facts { return quorum(5) }, func(f *Facts) { f.Store.Nodes[1].Out, f.Store.Nodes[1].Until = "its fence is gone", now }, "1 of 5 nodes that do not vote: n1:6379: its fence is gone, until 2026"},
	{"same-host", func() Facts { return quorum(5) }, func(f *Facts) { f.Store.Nodes[4].Address = "n0:6380" }, "n0:6379, n0:6380 at n0"},
	{"desynchronised", good, func(f *Facts) { f.Store.Desynchronised = 1 }, "1 answers"},
	{"cleanups", good, func(f *Facts) { f.Store.Cleanups = 1001 }, "1001"},
	{"plaintext", good, lockd(func(l *Lockd) { l.TLS = false }), "0.0.0.0:7420 in plaintext"},
	{"nobody-asked", good, lockd(func(l *Lockd) { l.Asks = false }), "asks nobody"},
	{"wide-rule", good, lockd(func(l *Lockd) { l.WideRules = []string{"line 3: cert:** may force"} }), "line 3"},
	{"max-ttl", good, lockd(func(l *Lockd) { l.MaxTTL = 5 * time.Hour }), "5h"},
	{"default-ttl", good, lockd(func(l *Lockd) { l.DefaultTTL = 11 * time.Minute }), "11m"},
	{"descriptors", good, lockd(func(l *Lockd) { l.Descriptors = 10_199 }), "10199 files"},
	{"certificates", good, lockd(func(l *Lockd) { l.Certificates[0].Until = now.Add(-time.Hour) }), "it expired on 2026-11-21T11:00:00Z"},
	{"debug-log", good, lockd(func(l *Lockd) { l.DebugLog = true }), "every call"},
}

func TestEachPlantedFaultIsFoundAlone(t *testing.T) {
	for _, p := range planted {
		f := p.from()
		p.plant(&f)
		r := Judge(f)
		if len(r.Findings) != 1 || r.Findings[0].Check != p.check || !strings.Contains(r.Findings[0].Problem, p.says) {
			t.Errorf("%s: found %+v, want it alone, saying %q", p.check, r.Findings, p.says)
		}
	}
}

// Who does not answer is one finding, and all that could not be looked at is said.
func TestAServerThatDoesNotAnswerIsNotTakenForSound(t *testing.T) {
	f := good()
	f.Servers[0] = Redis{Address: "a:1", Error: "connection refused"}
	r := Judge(f)
	if len(r.Findings) != 1 || r.Findings[0].Check != "reachable" || len(r.Unchecked) != len(redisChecks) {
		t.Errorf("found %v and %d not made, want reachable alone and all %d not made", r.Findings, len(r.Unchecked), len(redisChecks))
	}
}

// What may not be asked is not known, and not taken for sound.
func TestWhatMayNotBeAskedIsNotTakenForSound(t *testing.T) {
	f := good()
	f.Servers[0].Settings, f.Servers[0].Denied = nil, map[string]string{"config": "NOPERM", "slowlog": "NOPERM", "latency": "NOPERM"}
	r := Judge(f)
	var unmade []string
	for _, u := range r.Unchecked {
		unmade = append(unmade, u.Check)
	}
	want := []string{"appendfsync", "fsync-on-rewrite", "slow-calls", "stalls", "huge-pages", "idle-timeout", "tcp-keepalive", "min-replicas"}
	if diff := cmp.Diff(want, unmade); diff != "" || len(r.Findings) != 1 || r.Findings[0].Check != "few-rights" {
		t.Errorf("found %v, not made (-want +got):\n%s", r.Findings, diff)
	}
}

// The last node that can be spared is grave, and the finding comes before that of the nodes that are out.
func TestABareQuorumIsCritical(t *testing.T) {
	f := quorum(3)
	f.Store.Nodes[0].Out = "it does not answer"
	r := Judge(f)
	if len(r.Findings) != 2 || r.Findings[0].Check != "bare-quorum" || r.Findings[0].Severity != Critical || r.Findings[1].Check != "vote" {
		t.Errorf("found %v, want bare-quorum, critical, and then vote", r.Findings)
	}
}

// Addresses of this machine are one host, sockets too.
func TestAddressesOfThisMachineAreOneHost(t *testing.T) {
	s := Store{Nodes: []Node{{Address: "127.0.0.1:1"}, {Address: "localhost:2"}, {Address: "[::1]:3"}, {Address: "/run/redis.sock"}, {Address: "10.0.0.1:1"}}}
	if got, want := sameHost(s), "has nodes that share a host: 127.0.0.1:1, localhost:2, [::1]:3, /run/redis.sock at this machine"; got != want {
		t.Errorf("sameHost = %q, want %q", got, want)
	}
}

// A certificate is said to end when a quarter of its life is left, and no earlier than 14 days before.
func TestACertificateIsNearItsEndInProportion(t *testing.T) {
	for _, c := range []struct {
		life, left time.Duration
		near       bool
	}{
		{24 * time.Hour, 7 * time.Hour, false},
		{24 * time.Hour, 5 * time.Hour, true},
		{365 * 24 * time.Hour, 15 * 24 * time.Hour, false},
		{365 * 24 * time.Hour, 13 * 24 * time.Hour, true},
	} {
		until := now.Add(c.left)
		if got := (Certificate{"it", until.Add(-c.life), until}).expires(now); (got != "") != c.near {
			t.Errorf("of %s, %s before its end: %q, want something: %t", c.life, c.left, got, c.near)
		}
	}
}

// Every check is planted above or in a test of its own.
func TestEveryCheckIsTested(t *testing.T) {
	tested := map[string]bool{"reachable": true, "few-rights": true, "bare-quorum": true}
	for _, p := range planted {
		tested[p.check] = true
	}
	var all []string
	for _, row := range rows() {
		all = append(all, row.name)
	}
	if want := slices.Sorted(maps.Keys(tested)); !slices.Equal(slices.Sorted(slices.Values(all)), want) {
		t.Errorf("checks (-tested +there):\n%s", cmp.Diff(want, slices.Sorted(slices.Values(all))))
	}
}

// row is a check as the page has it.
type row struct {
	name, of, finds, endangers, remedy string
	severity                           Severity
}

func rows() (all []row) {
	all = append(all, rowsOf("the store", storeChecks)...)
	all = append(all, rowsOf("each Redis", redisAway)...)
	all = append(all, rowsOf("each Redis", redisChecks)...)
	return append(all, rowsOf("lockd", lockdChecks)...)
}

func rowsOf[F any](of string, checks []check[F]) (all []row) {
	for _, c := range checks {
		all = append(all, row{c.name, of, c.finds, c.endangers, c.remedy, c.severity})
	}
	return all
}

// docs/doctor.md has every check as it is.
func TestThePageHasEveryCheck(t *testing.T) {
	page, err := os.ReadFile("../../docs/doctor.md")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Builder{}
	of := ""
	for _, r := range rows() {
		if r.of != of {
			fmt.Fprintf(&text, "\n### Of %s\n\n| check | | finds | endangers | mend |\n|---|---|---|---|---|\n", r.of)
			of = r.of
		}
		cells := []string{"`" + r.name + "`", r.severity.String(), r.finds, r.endangers, r.remedy}
		for i := range cells {
			cells[i] = strings.ReplaceAll(cells[i], "|", `\|`)
		}
		fmt.Fprintf(&text, "| %s |\n", strings.Join(cells, " | "))
	}
	if !strings.Contains(string(page), text.String()) {
		t.Errorf("docs/doctor.md does not have this:\n%s", text.String())
	}
}
