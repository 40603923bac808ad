package redlock

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lockd/lockd/internal/redisconn"
	"github.com/lockd/lockd/test/redisproc"
)

// A new connection to a server that is not the one that was looked at runs nothing, however soon it comes.
func TestNoScriptRunsOnAServerThatWasNotLookedAt(t *testing.T) {
	t.Parallel()
	all := servers(t, 3, whole)
	c, _ := config(t, all, time.Hour)
	g, err := openGroup(t.Context(), c)
	must(t, err)
	g.stop() // nobody looks any more
	g.keeping.Wait()
	defer g.closeNodes()
	n := g.nodes[0]
	if !answers(t, n) {
		t.Fatal("it does not vote")
	}
	all[0].Kill()
	all[0].Restart()
	for range 3 {
		if answers(t, n) {
			t.Fatal("a script ran on a server that was started again, and that nobody has looked at")
		}
	}
	if got := on(t, all[0], "INFO", "commandstats"); strings.Contains(got, "cmdstat_evalsha") {
		t.Errorf("scripts were sent: %s", got)
	}
}

// Who does not answer has not forgotten anything: it votes when it is back, and nobody waits for it.
func TestAMuteServerKeepsNobodyOut(t *testing.T) {
	t.Parallel()
	all := servers(t, 3)
	c, _ := config(t, all, time.Hour)
	opened(t, c)
	all[2].Pause()
	defer all[2].Resume()
	began := time.Now()
	g := opened(t, c)
	if took := time.Since(began); took > 4*time.Second || len(g.fitNodes(-1)) != 2 {
		t.Errorf("with one mute it took %s to open, and %d vote", took, len(g.fitNodes(-1)))
	}
	nodes, refusal, _ := g.status()
	if nodes[2].Error == "" || refusal != "" {
		t.Errorf("status = %+v, %q, want to know of the error", nodes[2], refusal)
	}
	all[2].Resume()
	until(t, 2*time.Second, "it votes", func() bool { return g.nodes[2].votes() && answers(t, g.nodes[2]) })
	all[2].Pause() // while it is looked at, and voting
	until(t, 5*time.Second, "the error is seen", func() bool { nodes, _, _ := g.status(); return nodes[2].Error != "" })
	if !g.nodes[2].votes() {
		t.Error("it lost its vote by being mute")
	}
	all[2].Resume()
	until(t, 2*time.Second, "it answers", func() bool { return answers(t, g.nodes[2]) })
}

// Clocks: a node that differs by more than 2 s cannot grant; of a majority nothing is granted, and Status says so.
func TestAMajorityOfSkewedClocksIsARefusal(t *testing.T) {
	t.Parallel()
	c, _ := config(t, servers(t, 3), time.Hour)
	g, err := openGroup(t.Context(), c)
	must(t, err)
	g.stop()
	g.keeping.Wait()
	defer g.closeNodes()
	g.last[0].seen.node.ClockSkew = time.Hour
	if _, refusal, _ := g.status(); refusal != "" {
		t.Errorf("one clock of three: refused with %q", refusal)
	}
	g.last[1].seen.node.ClockSkew = -time.Hour
	if _, refusal, _ := g.status(); !strings.Contains(refusal, "its clock is") || !strings.Contains(refusal, g.nodes[1].address) {
		t.Errorf("two clocks of three: refused with %q, want which clocks", refusal)
	}
	for i, n := range g.nodes {
		if !n.votes() {
			t.Errorf("node %d lost its vote by its clock: releases and renewals go on", i)
		}
	}
}

// New secrets are tried at every node that has been reached, before they count.
func TestSecretsAreTriedAtEveryNode(t *testing.T) {
	t.Parallel()
	all := servers(t, 3, redisproc.Args("--requirepass", "old"))
	file := filepath.Join(t.TempDir(), "password")
	put := func(text string) { must(t, os.WriteFile(file, []byte(text), 0o600)) }
	put("old")
	secrets, err := redisconn.ReadSecrets(redisconn.SecretFiles{Password: file})
	must(t, err)
	c, _ := config(t, all, time.Hour)
	c.Secrets = secrets
	g := opened(t, c)
	for _, n := range g.nodes {
		if !answers(t, n) {
			t.Fatalf("redis at %s does not answer", n.address)
		}
	}
	put("new")
	if _, err := secrets.Prepare(t.Context()); err == nil || !strings.Contains(err.Error(), all[1].Addr()) {
		t.Errorf("Prepare with a password that no node knows = %v, want which nodes refuse it", err)
	}
	for _, s := range all {
		o := s.Options()
		o.Password = "old"
		direct := redis.NewClient(o)
		must(t, direct.ConfigSet(t.Context(), "requirepass", "new").Err())
		must(t, direct.Close())
	}
	commit, err := secrets.Prepare(t.Context())
	must(t, err)
	commit()
	for _, n := range g.nodes {
		until(t, time.Second, "it answers with the new password", func() bool { return answers(t, n) })
	}
}
