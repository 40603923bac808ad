package redisproc

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// settledWithin bounds what servers agree on among themselves.
	settledWithin = 30 * time.Second
	// downAfter is how long a primary is mute until a sentinel takes it for down, in milliseconds.
	downAfter = 500
)

// Group is a primary and its replicas, watched over by three sentinels.
type Group struct {
	Name      string
	Servers   []*Server
	Sentinels []*Server
	t         testing.TB
}

// StartGroup runs a primary with so many replicas, and three sentinels that know of all of them. opts are for each.
func StartGroup(t testing.TB, replicas int, opts ...Option) *Group {
	t.Helper()
	g := &Group{Name: "mymaster", t: t}
	start := func(also ...Option) *Server { return Start(t, append(append([]Option{TCP()}, opts...), also...)...) }
	primary := start(Args("--repl-diskless-sync-delay", "0"))
	g.Servers = append(g.Servers, primary)
	for range replicas {
		g.Servers = append(g.Servers, start(Args("--repl-diskless-sync-delay", "0", "--replicaof", "127.0.0.1 "+primary.Port())))
	}
	for range 3 {
		g.Sentinels = append(g.Sentinels, start(func(s *Server) {
			s.conf = func(s *Server) string { return g.conf(s, primary) }
		}))
	}
	g.await("the sentinels know each other and the replicas", func(ctx context.Context) bool {
		for _, s := range g.Sentinels {
			m := g.ask(ctx, s)
			if m["num-other-sentinels"] != "2" || m["num-slaves"] != fmt.Sprint(replicas) || m["flags"] != "master" {
				return false
			}
		}
		return true
	})
	return g
}

// conf is what a sentinel is told.
func (g *Group) conf(s, primary *Server) string {
	lines := []string{
		"dir " + s.dir,
		"sentinel monitor " + g.Name + " 127.0.0.1 " + primary.Port() + " 2",
		fmt.Sprintf("sentinel down-after-milliseconds %s %d", g.Name, downAfter),
		"sentinel failover-timeout " + g.Name + " 3000",
	}
	for setting := range slices.Chunk(s.listening(), 2) {
		lines = append(lines, strings.Join(setting, " "))
	}
	return strings.Join(lines, "\n") + "\n"
}

// URL is what lockd --redis takes.
func (g *Group) URL() string {
	var addrs []string
	for _, s := range g.Sentinels {
		addrs = append(addrs, s.Addr())
	}
	return g.Servers[0].scheme() + strings.Join(addrs, ",") + "?master=" + g.Name
}

// Primary is the server that most sentinels take for the primary.
func (g *Group) Primary() *Server {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), settledWithin)
	defer cancel()
	votes := make(map[string]int)
	for _, s := range g.Sentinels {
		votes[g.ask(ctx, s)["port"]]++
	}
	for _, s := range g.Servers {
		if votes[s.Port()] > len(g.Sentinels)/2 {
			return s
		}
	}
	g.t.Fatalf("the sentinels do not agree: %v", votes)
	return nil
}

// Failover asks for a failover, as an operator does.
func (g *Group) Failover() {
	g.t.Helper()
	g.await("a failover begins", func(ctx context.Context) bool {
		c := sentinelClient(g.Sentinels[0])
		defer c.Close()
		return c.Failover(ctx, g.Name).Err() == nil // NOGOODSLAVE, for a while
	})
}

// AwaitPrimary waits until another server than old is the primary, and says so itself.
func (g *Group) AwaitPrimary(old *Server) (now *Server) {
	g.t.Helper()
	g.await("there is another primary", func(ctx context.Context) bool {
		i := slices.IndexFunc(g.Servers, func(s *Server) bool { return s != old && s.Running() && roleOf(ctx, s) == "master" })
		if i >= 0 {
			now = g.Servers[i]
		}
		return i >= 0
	})
	return now
}

// AwaitReplicas waits until the sentinels agree on a primary and all other servers follow it.
func (g *Group) AwaitReplicas() {
	g.t.Helper()
	g.await("all others follow the primary", func(ctx context.Context) bool {
		for _, s := range g.Sentinels {
			if m := g.ask(ctx, s); m["flags"] != "master" || m["port"] != g.ask(ctx, g.Sentinels[0])["port"] {
				return false
			}
		}
		primary := g.Primary()
		c := primary.Client()
		defer c.Close()
		info := c.Info(ctx, "replication").Val()
		return strings.Contains(info, "role:master") && strings.Count(info, "state=online") == len(g.Servers)-1
	})
}

// CutOff lets a server be mute to sentinels, and take no orders from them, while it serves its clients: they see no
// difference but that PING is refused. Rejoin ends that.
func (g *Group) CutOff(s *Server) { g.inner(s, "-") }

// Rejoin ends a CutOff.
func (g *Group) Rejoin(s *Server) { g.inner(s, "+") }

func (g *Group) inner(s *Server, sign string) {
	g.t.Helper()
	c := s.Client()
	defer c.Close()
	if err := c.Do(context.Background(), "ACL", "SETUSER", "default", sign+"ping", sign+"replicaof", sign+"slaveof").Err(); err != nil {
		g.t.Fatal(err)
	}
}

// ask answers what a sentinel knows of the primary; nothing if it does not answer.
func (g *Group) ask(ctx context.Context, s *Server) map[string]string {
	c := sentinelClient(s)
	defer c.Close()
	return c.Master(ctx, g.Name).Val()
}

func sentinelClient(s *Server) *redis.SentinelClient {
	return redis.NewSentinelClient(s.Options())
}

func roleOf(ctx context.Context, s *Server) string {
	ctx, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	c := s.Client()
	defer c.Close()
	reply, _ := c.Do(ctx, "ROLE").Slice()
	if len(reply) == 0 {
		return ""
	}
	role, _ := reply[0].(string)
	return role
}

func (g *Group) await(what string, ok func(context.Context) bool) {
	g.t.Helper()
	await(g.t, what, ok)
}

// await asks until ok, a few times a second.
func await(t testing.TB, what string, ok func(context.Context) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), settledWithin)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok(ctx) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("not within %s: %s", settledWithin, what)
		}
	}
}
