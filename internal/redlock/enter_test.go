package redlock

import (
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lockd/lockd/internal/redisconn"
	"github.com/lockd/lockd/test/redisproc"
)

// A list of nodes that is no group of different servers is refused before anybody is asked.
func TestListsAreChecked(t *testing.T) {
	for urls, says := range map[string]string{
		"redis://a":           "1 nodes are listed; want 3, 5 or 7",
		"redis://a redis://b": "2 nodes",
		"redis://a redis://b redis://c redis://d": "4 nodes",
		"redis://a redis://b redis://a:6379":      "node 3 is listed twice: a:6379",
		"redis://a redis://b redis://c?master=m":  "node 3 is a Sentinel group",
		"redis://a redis://b redis://c,d":         "node 3 is a Sentinel group or a Cluster",
		"redis://a http://b redis://c":            "node 2: redis URL has the scheme",
		"redis://a redis://b redis://c":           "",
	} {
		_, err := groupConfig{URLs: strings.Fields(urls)}.targets()
		if (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("targets(%s) = %v, want an error with %q", urls, err, says)
		}
	}
}

// What is no group, or another one, is refused at the start, and the message names the node and what would be right.
func TestRefusals(t *testing.T) {
	t.Parallel()
	made := func(t *testing.T, all []*redisproc.Server, ttl time.Duration) {
		t.Helper()
		c, _ := config(t, all, ttl)
		g, err := openGroup(t.Context(), c)
		must(t, err)
		must(t, g.close())
	}
	// Each makes servers, of which the one at wrong is named in the refusal; -1: any.
	for what, test := range map[string]struct {
		servers func(*testing.T) (all []*redisproc.Server, wrong int)
		maxTTL  time.Duration
		says    string
	}{
		"a replica": {func(t *testing.T) ([]*redisproc.Server, int) {
			all := servers(t, 3, redisproc.TCP())
			host, port, _ := net.SplitHostPort(all[1].Addr())
			on(t, all[2], "REPLICAOF", host, port)
			return all, 2
		}, time.Hour, "is a slave; want a primary"},
		"different settings": {func(t *testing.T) ([]*redisproc.Server, int) {
			return append(servers(t, 2, whole), redisproc.Start(t, partly)), 2
		}, time.Hour, "want the same settings on all nodes"},
		"eviction": {func(t *testing.T) ([]*redisproc.Server, int) {
			return append(servers(t, 2), redisproc.Start(t, redisproc.Args("--maxmemory-policy", "allkeys-lru"))), 2
		}, time.Hour, "want maxmemory-policy noeviction"},
		"one used with --redis": {func(t *testing.T) ([]*redisproc.Server, int) {
			all := servers(t, 3)
			on(t, all[1], "SET", "lockd:layout", "format=1 mode=single shards=1 hash=none")
			return all, 1
		}, time.Hour, "a lockd with --redis uses it"},
		"another key prefix": {func(t *testing.T) ([]*redisproc.Server, int) {
			all := servers(t, 3)
			on(t, all[1], "SET", "lockd:prefix", "other")
			return all, 1
		}, time.Hour, `the key prefix "other"`},
		"a lockd key": {func(t *testing.T) ([]*redisproc.Server, int) {
			all := servers(t, 3)
			on(t, all[1], "SET", "lockd:{0}:lock:job", "x")
			return all, 1
		}, time.Hour, "has keys of lockd"},
		"a fence without a marker": {func(t *testing.T) ([]*redisproc.Server, int) {
			all := servers(t, 3)
			on(t, all[1], "SET", "lockd:{0}:fence", "5")
			return all, 1
		}, time.Hour, "lockd redlock init"},
		"one of three is new": {func(t *testing.T) ([]*redisproc.Server, int) {
			all := servers(t, 3)
			made(t, all, time.Hour)
			return append(all[:2:2], redisproc.Start(t)), 2
		}, time.Hour, "lockd redlock replace"},
		"one was wiped": {func(t *testing.T) ([]*redisproc.Server, int) {
			all := servers(t, 3)
			made(t, all, time.Hour)
			on(t, all[1], "FLUSHALL")
			return all, 1
		}, time.Hour, "lockd redlock replace"},
		"a majority was wiped": {func(t *testing.T) ([]*redisproc.Server, int) {
			all := servers(t, 3)
			made(t, all, time.Hour)
			on(t, all[1], "FLUSHALL")
			on(t, all[2], "FLUSHALL")
			return all, -1
		}, time.Hour, "has no marker"},
		"two were added": {func(t *testing.T) ([]*redisproc.Server, int) {
			all := servers(t, 3)
			made(t, all, time.Hour)
			return append(all, servers(t, 2)...), -1
		}, time.Hour, "is of a group of 3 nodes, and 5 are listed"},
		"fewer are listed": {func(t *testing.T) ([]*redisproc.Server, int) {
			all := servers(t, 5)
			made(t, all, time.Hour)
			return all[:3], -1
		}, time.Hour, "is of a group of 5 nodes, and 3 are listed"},
		"a node of another group": {func(t *testing.T) ([]*redisproc.Server, int) {
			all, others := servers(t, 3), servers(t, 3)
			made(t, all, time.Hour)
			made(t, others, time.Hour)
			return append(all[:2:2], others[2]), 2
		}, time.Hour, "is of another group than redis at"},
		"a copy": {func(t *testing.T) ([]*redisproc.Server, int) {
			all := servers(t, 3)
			made(t, all, time.Hour)
			for _, key := range []string{"lockd:{0}:marker", "lockd:{0}:memory", "lockd:{0}:fence"} {
				on(t, all[2], "SET", key, on(t, all[1], "GET", key))
			}
			return all, 2
		}, time.Hour, "is a copy of redis at"},
		"leases that last longer": {func(t *testing.T) ([]*redisproc.Server, int) {
			all := servers(t, 3)
			made(t, all, time.Minute)
			return all, -1
		}, time.Hour, "want a lower --max-ttl"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			all, wrong := test.servers(t)
			c, _ := config(t, all, test.maxTTL)
			began := time.Now()
			g, err := openGroup(t.Context(), c)
			if err == nil {
				must(t, g.close())
			}
			var refused *redisconn.RefusedError
			if !errors.As(err, &refused) || !strings.Contains(err.Error(), test.says) || wrong >= 0 && refused.Address != all[wrong].Addr() {
				t.Errorf("openGroup = %v, want a *RefusedError with %q about node %d", err, test.says, wrong)
			}
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("it took %s to be refused", took)
			}
			for _, s := range all {
				if claim := on(t, s, "GET", "lockd:{0}:claim"); claim != "" {
					t.Errorf("a claim was left behind: %s", claim)
				}
			}
		})
	}
}

// One server under two addresses is one, also if it is found out later only.
func TestTheSameServerTwice(t *testing.T) {
	t.Parallel()
	all := servers(t, 3, redisproc.TCP())
	c, _ := config(t, all, time.Hour)
	_, port, _ := net.SplitHostPort(all[0].Addr())
	twice := c
	twice.URLs = []string{c.URLs[0], "redis://localhost:" + port, c.URLs[2]}
	_, err := openGroup(t.Context(), twice)
	if !errors.As(err, new(*redisconn.RefusedError)) || !strings.Contains(err.Error(), "is the same server as redis at "+all[0].Addr()) {
		t.Errorf("openGroup = %v, want a *RefusedError that names the other address", err)
	}
	g, err := openGroup(t.Context(), c)
	must(t, err)
	must(t, g.close())

	// A third address leads to nobody at first, and then to who is there already.
	away := redisproc.Start(t, redisproc.TCP())
	away.Kill()
	late := c
	late.URLs = []string{all[0].URL(), all[1].URL(), away.URL()}
	two := opened(t, late)
	listener, err := net.Listen("tcp", away.Addr())
	must(t, err)
	forwarding := forward(listener, all[0].Addr())
	defer forwarding()
	until(t, 3*time.Second, "it is found out", func() bool {
		return strings.Contains(two.nodes[2].standing.Load().out, "is the same server as "+all[0].Addr())
	})
	if !two.nodes[0].votes() || two.nodes[2].votes() {
		t.Error("want it to vote once")
	}
}

// forward leads whoever connects to address, until it is told to end.
func forward(l net.Listener, address string) (end func()) {
	var running sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	running.Go(func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			to, err := net.Dial("tcp", address)
			if err != nil {
				from.Close()
				continue
			}
			mu.Lock()
			open = append(open, from, to)
			mu.Unlock()
			running.Go(func() { _, _ = io.Copy(to, from); to.Close() })
			running.Go(func() { _, _ = io.Copy(from, to); from.Close() })
		}
	})
	return func() {
		l.Close()
		mu.Lock()
		for _, c := range open {
			c.Close()
		}
		mu.Unlock()
		running.Wait()
	}
}

// Without a majority there is nothing to join, and new nodes are no group until all are there.
func TestTooFewAnswer(t *testing.T) {
	t.Parallel()
	all := servers(t, 3)
	c, _ := config(t, all, time.Hour)
	all[0].Pause()
	_, err := openGroup(t.Context(), c)
	if !errors.Is(err, redisconn.ErrUnreachable) || !strings.Contains(err.Error(), all[0].Addr()) || !strings.Contains(err.Error(), "when all of them answer") {
		t.Errorf("openGroup of new nodes, one mute = %v, want ErrUnreachable that names it", err)
	}
	all[0].Resume()
	g, err := openGroup(t.Context(), c)
	must(t, err)
	must(t, g.close())
	all[0].Pause()
	all[1].Pause()
	began := time.Now()
	_, err = openGroup(t.Context(), c)
	if !errors.Is(err, redisconn.ErrUnreachable) || !strings.Contains(err.Error(), "1 of 3 nodes answer, want 2") {
		t.Errorf("openGroup of a group, two mute = %v, want ErrUnreachable", err)
	}
	if took := time.Since(began); took > 6*time.Second {
		t.Errorf("it took %s, want about %s", took, openFor)
	}
	all[0].Resume()
	all[1].Resume()
}
