//go:build !race

package quorum

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
	"github.com/lockd/lockd/test/lockdproc"
	"github.com/lockd/lockd/test/proxy"
	"github.com/lockd/lockd/test/redisproc"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(lockdproc.Main{M: redisproc.Main{M: m}})
}

const (
	// nodeDeadline is what a node has to answer.
	nodeDeadline = 250 * time.Millisecond
	// littleMore is what a call may take beyond that.
	littleMore = 50 * time.Millisecond
	// ttl is of every lease, and the longest: who has lost its memory is out for ttl, grace and 1 %.
	ttl = time.Second
)

// group is five Redis, each behind a proxy, and a lockd.
type group struct {
	lockdv1.LeaseServiceClient
	admin lockdv1.AdminServiceClient
	redis []*redisproc.Server
	proxy []*proxy.Proxy
	lockd *lockdproc.Server
}

// remembers is a Redis that has on disk what it has answered.
var remembers = redisproc.Args("--appendonly", "yes", "--appendfsync", "always")

// start runs a group until the test ends, each Redis with all of opts, and one of its own.
func start(t *testing.T, own []redisproc.Option, opts ...redisproc.Option) *group {
	t.Helper()
	g := &group{}
	var urls []string
	for i := range 5 {
		its := opts
		if i < len(own) {
			its = append(slices.Clone(opts), own[i])
		}
		s := redisproc.Start(t, its...)
		p := proxy.Redis(t, s.Addr())
		g.redis, g.proxy, urls = append(g.redis, s), append(g.proxy, p), append(urls, "redis://"+p.Addr())
	}
	g.lockd = lockdproc.Start(t, "--redlock", strings.Join(urls, ","), "--redlock-node-timeout", nodeDeadline.String(),
		"--max-ttl", ttl.String(), "--default-ttl", ttl.String())
	conn := lockdproc.Conn(t, g.lockd.Addr())
	g.LeaseServiceClient, g.admin = lockdv1.NewLeaseServiceClient(conn), lockdv1.NewAdminServiceClient(conn)
	return g
}

func newID() string {
	var bits [16]byte
	_, _ = rand.Read(bits[:]) // it never fails
	return hex.EncodeToString(bits[:])
}

// trouble says what keeps the group from being whole, or "": a new lease, and those of names, stand on all nodes.
func (g *group) trouble(t *testing.T, names ...string) string {
	t.Helper()
	status, err := g.admin.Status(t.Context(), &lockdv1.StatusRequest{})
	if err != nil {
		return err.Error()
	}
	var all []string
	probe, id := "probe", newID()
	if _, err := g.Acquire(t.Context(), &lockdv1.AcquireRequest{Name: probe, LeaseId: id, Attempt: 1}); err != nil {
		return err.Error()
	}
	for _, name := range append(names, probe) {
		got, err := g.Get(t.Context(), &lockdv1.GetRequest{Name: name})
		if err != nil || got.GetNodes() != 5 {
			all = append(all, fmt.Sprintf("%s stands on %d nodes, %v", name, got.GetNodes(), err))
		}
	}
	if _, err := g.Release(t.Context(), &lockdv1.ReleaseRequest{Name: probe, LeaseId: id}); err != nil {
		return err.Error()
	}
	for _, n := range status.GetStore().GetNodes() {
		if n.GetError() != "" || n.GetOut() != "" {
			all = append(all, fmt.Sprintf("%s: %s %s", n.GetAddress(), n.GetError(), n.GetOut()))
		}
	}
	return strings.Join(all, "; ")
}

// until polls what time changes, for at most limit.
func until(t *testing.T, limit time.Duration, what func() string) {
	t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for end := time.Now().Add(limit); ; <-ticker.C {
		left := what()
		if left == "" {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("after %s still: %s", limit, left)
		}
	}
}
