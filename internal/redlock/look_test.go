package redlock

import (
	"context"
	"testing"
	"time"

	"github.com/lockd/lockd/internal/redisconn"
	"github.com/lockd/lockd/test/proxy"
	"github.com/lockd/lockd/test/redisproc"
)

// A server that is slow to say how it persists has not answered, which is no other setting than the others': who is started
// meanwhile tries again, and is not refused.
func TestALookThatWasCutShortSaysNothing(t *testing.T) {
	p := proxy.Redis(t, redisproc.Start(t, redisproc.TCP()).Addr())
	target, err := redisconn.Parse("redis://"+p.Addr(), nil)
	if err != nil {
		t.Fatal(err)
	}
	n := newNode(target, newKeys(""))
	defer n.close()
	if s, err := n.look(t.Context()); err != nil || s.node.Persistence != "none" {
		t.Fatalf("look = %q, %v, want a server without persistence", s.node.Persistence, err)
	}
	slow := p.DelayReply(proxy.Contains("config", "save"))
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if s, err := n.look(ctx); err == nil {
		t.Errorf("look = %q, want that it does not answer", s.node.Persistence)
	}
	<-slow.Bitten()
	slow.Release()
}
