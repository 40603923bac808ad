//go:build !race

package promptness

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	lockd "github.com/lockd/lockd/clients/go"
	"github.com/lockd/lockd/test/fleet"
	"github.com/lockd/lockd/test/redisproc"
)

// serviceWithin is how soon every lockd grants again once there is another primary.
const serviceWithin = 2 * time.Second

// Every lockd grants again within 2 s of Sentinel's having made another server the primary, for 16 workers: it was asked
// to, the old one is mute, or it is cut off from the sentinels and goes on.
func TestServiceAfterASentinelFailover(t *testing.T) {
	g := redisproc.StartGroup(t, 2)
	w := work(t, fleet.StartAt(t, g.URL(), 2))
	for _, test := range []struct {
		name       string
		fail, mend func(old *redisproc.Server)
	}{
		{"stopped", (*redisproc.Server).Pause, func(s *redisproc.Server) { s.Resume(); g.AwaitReplicas() }},
		{"cut off", g.CutOff, func(s *redisproc.Server) { g.Rejoin(s); g.AwaitReplicas() }},
		{"clean", func(*redisproc.Server) { g.Failover() }, func(*redisproc.Server) {}}, // nothing comes after it
	} {
		t.Run(test.name, func(t *testing.T) {
			old := g.Primary()
			test.fail(old)
			g.AwaitPrimary(old)
			w.servedAgain(t)
			test.mend(old)
		})
	}
}

// So it does once the replica of a Cluster's primary has taken over.
func TestServiceAfterAClusterFailover(t *testing.T) {
	c := redisproc.StartCluster(t)
	w := work(t, fleet.StartAt(t, c.URL(), 2))
	c.Servers[2].Kill()
	c.AwaitPrimary(c.Servers[5])
	w.servedAgain(t)
}

// workers take and give names, 8 of them at each lockd.
type workers struct {
	mu      sync.Mutex
	since   time.Time
	granted map[int]time.Time // when a lockd first granted a lease that it was asked for since then
	lockds  int
}

// work returns when every lockd grants.
func work(t *testing.T, f *fleet.Fleet) *workers {
	t.Helper()
	w := &workers{granted: make(map[int]time.Time), lockds: len(f.Lockds)}
	ctx, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	t.Cleanup(func() { stop(); all.Wait() })
	for at := range f.Lockds {
		c := dial(t, f.Target(at))
		for range 8 {
			all.Go(func() { w.takeAndGive(ctx, c, at) })
		}
	}
	w.each(t)
	return w
}

func (w *workers) takeAndGive(ctx context.Context, c *lockd.Client, at int) {
	for i := 0; ctx.Err() == nil; i++ {
		asked := time.Now()
		l, err := c.Acquire(ctx, fmt.Sprint("job/", i%24), lockd.WithTTL(2*time.Second))
		if err != nil {
			continue // it has waited already
		}
		w.mu.Lock()
		if asked.After(w.since) && w.granted[at].IsZero() {
			w.granted[at] = time.Now()
		}
		w.mu.Unlock()
		_ = l.Release(ctx) // or it runs out
	}
}

// each waits until every lockd has granted a lease from now on, and answers when the last of them first did.
func (w *workers) each(t *testing.T) (last time.Time) {
	t.Helper()
	w.mu.Lock()
	clear(w.granted)
	w.since = time.Now()
	w.mu.Unlock()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for ctx := soon(t); ; {
		w.mu.Lock()
		all := len(w.granted) == w.lockds
		for _, at := range w.granted {
			if at.After(last) {
				last = at
			}
		}
		w.mu.Unlock()
		if all {
			return last
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("not every lockd grants leases")
		}
	}
}

// servedAgain holds the lockds to serviceWithin: from now on there is another primary.
func (w *workers) servedAgain(t *testing.T) {
	t.Helper()
	up := time.Now()
	took := w.each(t).Sub(up)
	t.Logf("service was back %s after the new primary was up", took)
	if took > serviceWithin {
		t.Errorf("service was back %s after the new primary was up, want at most %s", took, serviceWithin)
	}
}
