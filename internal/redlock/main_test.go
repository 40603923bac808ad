package redlock

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/lockd/lockd/test/redisproc"
)

func TestMain(m *testing.M) {
	// A pool that could not connect tries again once a second, and looks only then whether it was closed.
	goleak.VerifyTestMain(redisproc.Main{M: m}, goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9/internal/pool.(*ConnPool).tryDial"))
}

// whole are options of a server that remembers everything over a restart, partly of one that may have forgotten.
var (
	whole  = redisproc.Args("--appendonly", "yes", "--appendfsync", "always")
	partly = redisproc.Args("--appendonly", "yes", "--appendfsync", "everysec")
)

// shortTTL is a longest ttl for which a test can wait: with its grace and a hundredth, 1.01 s.
const shortTTL = 500 * time.Millisecond

// servers starts n.
func servers(t *testing.T, n int, opts ...redisproc.Option) []*redisproc.Server {
	t.Helper()
	all := make([]*redisproc.Server, n)
	for i := range all {
		all[i] = redisproc.Start(t, opts...)
	}
	return all
}

// notices are what an operator was told.
type notices struct {
	mu  sync.Mutex
	all []string
}

func (n *notices) add(msg string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all = append(n.all, msg)
}

func (n *notices) have(part string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return strings.Contains(strings.Join(n.all, "\n"), part)
}

// config is of a group of the servers.
func config(t *testing.T, all []*redisproc.Server, maxTTL time.Duration) (groupConfig, *notices) {
	told := new(notices)
	c := groupConfig{MaxTTL: maxTTL, Notice: func(msg string) {
		told.add(msg)
		t.Log("notice:", msg)
	}}
	for _, s := range all {
		c.URLs = append(c.URLs, s.URL())
	}
	return c, told
}

// opened is a group that the test closes.
func opened(t *testing.T, c groupConfig) *group {
	t.Helper()
	g, err := openGroup(t.Context(), c)
	if err != nil {
		t.Fatalf("openGroup = %v", err)
	}
	t.Cleanup(func() {
		if err := g.close(); err != nil {
			t.Errorf("close = %v", err)
		}
	})
	return g
}

// on runs a command at a server and answers its text.
func on(t *testing.T, s *redisproc.Server, command ...any) string {
	t.Helper()
	c := s.Client()
	defer c.Close()
	reply, err := c.Do(t.Context(), command...).Result()
	if err != nil && err != redis.Nil {
		t.Fatalf("%v = %v", command, err)
	}
	if reply == nil {
		return ""
	}
	return fmt.Sprint(reply)
}

// until polls what time changes, for at most limit.
func until(t *testing.T, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for end := time.Now().Add(limit); !ok(); <-ticker.C {
		if time.Now().After(end) {
			t.Fatalf("not within %s: %s", limit, what)
		}
	}
}

// askScript is the least that a script may be.
var askScript = redis.NewScript(`
local t = redis.call('TIME')
if redis.call('GET', KEYS[1]) ~= ARGV[2] then return {ARGV[1], t[1] .. '000000', {'AMNESIA', 'marker'}} end
return {ARGV[1], string.format('%.0f', t[1] * 1000000 + t[2]), {'YES'}}`)

// answers reports whether a node's script is run and finds the marker.
func answers(t *testing.T, n *node) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	key, value := n.marker()
	_, body, err := n.call(ctx, askScript, []any{key}, []any{value})
	return err == nil && fmt.Sprint(body) == "[YES]"
}
