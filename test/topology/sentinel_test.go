package topology

import (
	"testing"
	"time"

	"github.com/lockd/lockd/test/fleet"
	"github.com/lockd/lockd/test/history"
	"github.com/lockd/lockd/test/redisproc"
)

// Sentinel makes the replica the primary while 16 workers take and give through two lockd: asked to, because the primary
// is mute, or because it is cut off from the sentinels and goes on serving one of the two lockd. Service comes
// back, and no token goes back.
func TestSentinelFailover(t *testing.T) {
	g := redisproc.StartGroup(t, 2)
	for _, test := range []struct {
		name string
		fail func(old *redisproc.Server)
		mend func(old *redisproc.Server)
	}{
		{"clean", func(*redisproc.Server) { g.Failover() }, func(*redisproc.Server) {}},
		{"stopped", (*redisproc.Server).Pause, (*redisproc.Server).Resume},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := fleet.StartAt(t, g.URL(), 2)
			workers := []*fleet.Client{f.Client(work(f.Target(0), 1, names(24)...)), f.Client(work(f.Target(1), 2, names(24)...))}
			grow(t, f, 2, 20)
			old := g.Primary()
			test.fail(old)
			g.AwaitPrimary(old)
			up := history.Now()
			longest := served(t, f, 2, up)
			grow(t, f, 2, 20)
			test.mend(old)
			grow(t, f, 2, 20)
			for _, w := range workers {
				w.Stop()
			}
			finish(t, f, longest)
			g.AwaitReplicas()
		})
	}
	t.Run("zombie", func(t *testing.T) { testZombie(t, g) })
}

func finish(t *testing.T, f *fleet.Fleet, longest time.Duration) {
	t.Helper()
	records := f.History()
	tally(t, records)
	judge(t, records)
	t.Logf("service was back %s after the new primary was up; two held one name for at most %s", longest, overlaps(history.Holds(records)))
	if wrong := unretryable(records); len(wrong) > 0 {
		t.Errorf("%d acquisitions failed for good, such as %v", len(wrong), wrong[0])
	}
}

// The old primary serves one lockd still, which knows nothing of sentinels, while the other goes on with the new one.
func testZombie(t *testing.T, g *redisproc.Group) {
	old := g.Primary()
	behind, ahead := fleet.StartAt(t, old.URL(), 1), fleet.StartAt(t, g.URL(), 1)
	all := names(24)
	clients := []*fleet.Client{behind.Client(work(behind.Target(0), 3, all...)), ahead.Client(work(ahead.Target(0), 4, all...))}
	grow(t, behind, 1, 20)
	grow(t, ahead, 1, 20)
	g.CutOff(old)
	g.AwaitPrimary(old)
	up := history.Now()
	longest := served(t, ahead, 1, up)
	grow(t, behind, 1, 20) // from whom nobody hears any more
	grow(t, ahead, 1, 20)
	g.Rejoin(old)
	g.AwaitReplicas()
	clients[1].Stop()
	clients[0].Kill() // its lockd has a replica now, and nothing else
	seen := append(behind.History(), ahead.History()...)
	tally(t, seen)
	judge(t, seen)
	both := overlaps(history.Holds(seen))
	t.Logf("service was back %s after the new primary was up; two held one name for at most %s", longest, both)
	if both <= 0 {
		t.Error("no two held one name: the old primary served nobody, and nothing was tested")
	}
}
