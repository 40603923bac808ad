package fleet_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lockd/lockd/test/fleet"
	"github.com/lockd/lockd/test/history"
	"github.com/lockd/lockd/test/lockdproc"
	"github.com/lockd/lockd/test/redisproc"
)

func TestMain(m *testing.M) {
	if fleet.IsClient() {
		return
	}
	goleak.VerifyTestMain(lockdproc.Main{M: redisproc.Main{M: m}})
}

// Client processes take and give, a killed one leaves what it saw, and a Redis that crashed has forgotten
// nothing: the whole history is told, and right.
func TestTellsWhatHappened(t *testing.T) {
	f := fleet.Start(t, 1)
	work := fleet.Work{
		Target: f.Target(0), Names: []string{"a", "b"}, Workers: 4, TTL: time.Second,
		Hold: 5 * time.Millisecond, Between: time.Millisecond, Impatient: 30, Patience: 5 * time.Millisecond,
	}
	killed, stopped := f.Client(work), f.Client(work)
	grow(t, f, 100)
	killed.Kill()
	f.CrashRedis()
	grow(t, f, 100)
	stopped.Stop()

	kinds := make(map[history.Kind]int)
	records := f.History()
	for _, r := range records {
		kinds[r.Kind]++
	}
	if kinds[history.Killed] != 1 || kinds[history.Down] != 1 {
		t.Errorf("told of %d kills and %d crashes, want 1 of each", kinds[history.Killed], kinds[history.Down])
	}
	if kinds[history.Refused] == 0 || kinds[history.Released] == 0 || kinds[history.Holding] == 0 {
		t.Errorf("told %v, want some of everything", kinds)
	}
	holds := history.Holds(records)
	if wrong := append(history.CheckExclusive(holds), history.CheckTokens(holds)...); len(wrong) != 0 {
		t.Errorf("found %v, want nothing wrong", wrong)
	}
}

// grow waits until so many more leases have been granted.
func grow(t *testing.T, f *fleet.Fleet, n int) {
	t.Helper()
	enough := len(history.Holds(f.History())) + n
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for late := time.Now().Add(20 * time.Second); len(history.Holds(f.History())) < enough; <-tick.C {
		if time.Now().After(late) {
			t.Fatalf("fewer than %d leases were granted in 20 s", n)
		}
	}
}
