package line

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/lockd/lockd/test/fleet"
	"github.com/lockd/lockd/test/history"
)

var (
	killFor  = flag.Duration("kill.for", 10*time.Second, "how long TestKillingAtRandom kills")
	killSeed = flag.Uint64("kill.seed", 0, "what it kills and when; 0: at random")
)

// Waits and holds at random, clients, lockd and Redis killed at random: never two holders, tokens in
// order, no line that stands still for longer than a dead holder's lease and a second, and nothing left at the end.
// Longer: go test ./test/line -run Random -args -kill.for 60s
func TestKillingAtRandom(t *testing.T) {
	const (
		ttl     = 2 * time.Second
		grace   = 500 * time.Millisecond
		bound   = ttl + grace + time.Second
		clients = 6
	)
	seed := *killSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("seed: -kill.seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	names := []string{"contended/0", "contended/1"}
	f := fleet.Start(t, 2)
	start := func(i int) *fleet.Client {
		return f.Client(fleet.Work{
			Target: f.Target(i%2, 1-i%2), Names: names, Workers: 6, TTL: ttl,
			Hold: 30 * time.Millisecond, Between: 10 * time.Millisecond, Impatient: 20, Patience: 300 * time.Millisecond, Seed: random.Uint64(),
		})
	}
	var fighting []*fleet.Client
	for i := range clients {
		fighting = append(fighting, start(i))
	}
	kills, told := map[string]int{}, timeline{}
	for began := time.Now(); time.Since(began) < *killFor; {
		<-time.After(time.Duration(random.Int64N(int64(300 * time.Millisecond))))
		switch n := random.IntN(10); {
		case n < 5:
			i := random.IntN(clients)
			told.add("client %d", i)
			fighting[i].Kill()
			fighting[i] = start(i)
			kills["client"]++
		case n < 8:
			i := random.IntN(2)
			told.add("lockd %d", i)
			f.Lockds[i].Restart()
			kills["lockd"]++
		default:
			told.add("redis")
			f.CrashRedis()
			kills["redis"]++
		}
	}
	for _, c := range fighting {
		c.Stop()
	}
	records := f.History()
	holds := right(t, records)
	for _, name := range names {
		if s := history.LongestStall(records, name); s.Length() > bound {
			t.Errorf("%s stood still for %s (the store being away not counted) while somebody waited, want at most %s; killed meanwhile: %s", name, s.Length(), bound, told.during(s))
		} else {
			t.Logf("%s stood still for %s at most", name, s.Length())
		}
	}
	t.Logf("%d grants; killed: %v", len(holds), kills)
	if len(holds) < 200 || kills["client"] < 3 || kills["lockd"] < 2 || kills["redis"] < 1 {
		t.Errorf("%d grants, killed: %v: too little happened for anything to be proven", len(holds), kills)
	}
	wantEmpty(t, f, names)
}

// timeline is what was killed, and when.
type timeline []struct {
	at   int64
	what string
}

func (l *timeline) add(format string, args ...any) {
	*l = append(*l, struct {
		at   int64
		what string
	}{history.Now(), fmt.Sprintf(format, args...)})
}

// during tells what was killed from shortly before a stall until its end, by the time after its beginning.
func (l timeline) during(s history.Stall) string {
	var some []string
	for _, one := range l {
		if s.From-one.at < int64(time.Second) && one.at <= s.To {
			some = append(some, fmt.Sprintf("%s %+d ms", one.what, (one.at-s.From)/int64(time.Millisecond)))
		}
	}
	return strings.Join(some, ", ")
}

// wantEmpty waits until nothing of names is left.
func wantEmpty(t *testing.T, f *fleet.Fleet, names []string) {
	t.Helper()
	redis := f.Redis.Client()
	defer redis.Close()
	lockd := connect(t, f.Lockds[0])
	until(t, "nobody waits and no key carries a name", func() bool {
		for _, name := range names {
			if lockd.get(t, name).GetWaiterCount() != 0 {
				return false
			}
		}
		keys, err := redis.Keys(t.Context(), "*contended*").Result()
		return err == nil && len(keys) == 0
	})
}
