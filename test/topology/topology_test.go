// Package topology does to Redis as people run it, with Sentinel and as a Cluster, what happens there, under working
// clients, and judges what they saw.
package topology

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
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

// patience bounds whatever must happen, on a machine that is busy with other things. How soon service is back on one that
// is not, test/promptness asserts.
const patience = 30 * time.Second

// work is what 8 workers of a client process do: short leases, so that some are held and many are waited for
// whenever something happens.
func work(target string, seed uint64, names ...string) fleet.Work {
	return fleet.Work{
		Target: target, Names: names, Workers: 8, TTL: 2 * time.Second,
		Hold: 300 * time.Millisecond, Between: 20 * time.Millisecond, Impatient: 20, Patience: 300 * time.Millisecond, Seed: seed,
	}
}

func names(n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf("jobs/%d", i))
	}
	return all
}

// grow waits until every one of so many clients has been granted n more leases.
func grow(t *testing.T, f *fleet.Fleet, clients, n int) {
	t.Helper()
	granted := func() map[string]int {
		count := make(map[string]int)
		for _, r := range f.History() {
			if r.Kind == history.Granted {
				count[r.Client]++
			}
		}
		return count
	}
	before := granted()
	await(t, fmt.Sprintf("%d more leases for each client", n), func() bool {
		now, enough := granted(), 0
		for client := range now {
			if now[client] >= before[client]+n {
				enough++
			}
		}
		return enough == clients
	})
}

func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for late := time.Now().Add(patience); !ok(); <-tick.C {
		if time.Now().After(late) {
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

// served answers how long after the moment up each client had to wait for a lease that it had asked for later, the
// longest of them.
func served(t *testing.T, f *fleet.Fleet, clients int, up int64) (longest time.Duration) {
	t.Helper()
	first := make(map[string]int64)
	await(t, "every client is served again", func() bool {
		clear(first)
		for _, r := range f.History() {
			if r.Kind == history.Granted && r.Return > up && (first[r.Client] == 0 || r.Return < first[r.Client]) {
				first[r.Client] = r.Return
			}
		}
		return len(first) == clients
	})
	for _, at := range first {
		longest = max(longest, time.Duration(at-up))
	}
	return longest
}

// judge holds what was seen to what is promised when writes may be lost: tokens never go back and are never given
// twice, and nobody believes in a lease after its deadline.
func judge(t *testing.T, records []history.Record) {
	t.Helper()
	holds := history.Holds(records)
	wrong := history.CheckTokens(holds)
	given := make(map[string]history.Hold)
	for _, h := range holds {
		key := fmt.Sprint(h.Name, " ", h.Token)
		if other, twice := given[key]; twice {
			wrong = append(wrong, fmt.Errorf("one token, two leases: %v; %v", other, h))
		}
		given[key] = h
	}
	for _, r := range records {
		if r.Kind == history.Holding && r.Call > r.Until {
			wrong = append(wrong, fmt.Errorf("%s: %s believed in token %d %s after its deadline", r.Name, r.Client, r.Token, time.Duration(r.Call-r.Until)))
		}
	}
	if len(wrong) > 0 {
		t.Errorf("%d things are wrong, such as %v", len(wrong), wrong[:min(3, len(wrong))])
	}
}

// tally says what happened, so that a run in which nothing did is seen.
func tally(t *testing.T, records []history.Record) map[history.Kind]int {
	t.Helper()
	count := make(map[history.Kind]int)
	for _, r := range records {
		count[r.Kind]++
	}
	t.Log("seen:", count)
	if count[history.Granted] < 100 || count[history.Holding] == 0 {
		t.Errorf("seen %v, want more to have happened", count)
	}
	return count
}

// overlaps answers for how long at most two held one name.
func overlaps(holds []history.Hold) (longest time.Duration) {
	slices.SortFunc(holds, func(a, b history.Hold) int { return cmp.Compare(a.From, b.From) })
	end := make(map[string]int64)
	for _, h := range holds {
		longest = max(longest, time.Duration(min(end[h.Name], h.To)-h.From))
		end[h.Name] = max(end[h.Name], h.To)
	}
	return longest
}

// unretryable is what clients were told that they could not have tried again; there should be none.
func unretryable(records []history.Record) (all []error) {
	for _, r := range records {
		if r.Kind == history.Refused && r.Error != "" {
			all = append(all, errors.New(r.Error))
		}
	}
	return all
}
