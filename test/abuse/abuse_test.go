//go:build linux && !race

package abuse

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	client "github.com/lockd/lockd/clients/go"
	"github.com/lockd/lockd/test/proc"
	"github.com/lockd/lockd/test/redisproc"
)

var (
	long = flag.Duration("for", 4*time.Second, "how long the others are looked at, before, while and after lockd is abused")
	only = flag.String("abusers", "", "which of them, with commas; empty: all")
)

// Bounds on what lockd takes while it is abused and when that is over: it took 250 MiB of memory, and 100, where it had 40 before.
const (
	maxAbused = 384 << 20
	maxCalm   = 192 << 20
	// What a connection or two of the others, or a worker of a pool, come to.
	roomGoroutines, roomFiles = 40, 40

	crowded = 15_000 // two for each stream, and more
	crowdUp = 8 * time.Second
	// The others are looked at this often at most, and the best counts: whatever else the machine does makes them slower.
	windows = 3

	rampUp     = 4 * time.Second
	calmWithin = 20 * time.Second
)

func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		abuse(role)
		return
	}
	goleak.VerifyTestMain(redisproc.Main{M: m})
}

// others are tenants who take and give leases, and mind their own business.
type others struct {
	t       *testing.T
	end     context.CancelFunc
	working sync.WaitGroup
}

// startOthers has each take and give a name of its own, some thousand messages a second together.
func startOthers(t *testing.T, l *lockd) *others {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	o := &others{t: t, end: cancel}
	token := write(t, t.TempDir(), "token", othersToken)
	for i := range 16 {
		c, err := client.Dial(l.addr, client.WithTLS(client.TLSFiles{CA: l.ca}), client.WithTokenFile(token))
		if err != nil {
			t.Fatal(err)
		}
		o.working.Go(func() {
			defer c.Close()
			for ctx.Err() == nil {
				lease, err := c.Acquire(ctx, fmt.Sprint("others/", i))
				if err == nil {
					err = lease.Release(ctx)
				}
				if err != nil && ctx.Err() == nil {
					t.Errorf("what the others ask = %v, want it done", err)
					return
				}
				rest(ctx, 30*time.Millisecond)
			}
		})
	}
	return o
}

func (o *others) stop() { o.end(); o.working.Wait() }

// during answers what lockd was like for a time: what there was most of, and how long all messages took.
func (l *lockd) during(d time.Duration) (s state) {
	l.t.Helper()
	l.look()
	const often = 100 * time.Millisecond
	for range int(d / often) {
		<-time.After(often)
		is := l.look()
		s.Took = append(s.Took, is.Took...)
		s.Goroutines, s.files, s.resident = max(s.Goroutines, is.Goroutines), max(s.files, is.files), max(s.resident, is.resident)
	}
	slices.Sort(s.Took)
	return s
}

// baseline waits until lockd is as it was, within some room, and answers what it is like.
func (l *lockd) baseline(was state) (is state) {
	l.t.Helper()
	for end := time.Now().Add(calmWithin); time.Now().Before(end); <-time.After(200 * time.Millisecond) {
		if is = l.look(); is.Goroutines <= was.Goroutines+roomGoroutines && is.files <= was.files+roomFiles && is.resident <= maxCalm {
			return is
		}
	}
	l.t.Errorf("%s after the last abuser: %s, want what it was before: %s, and %d MiB at most", calmWithin, is, was, maxCalm>>20)
	return is
}

// While a tenant does all it can to lockd, what others ask is done, and takes lockd no more than twice as long as else, 99
// times of a hundred; lockd's memory has a bound; and when the tenant is gone nothing of it is left.
func TestOneTenantsAbuseSlowsNoOther(t *testing.T) {
	l := start(t)
	o := startOthers(t, l)
	defer o.stop()
	l.during(2 * time.Second) // scripts are loaded, sessions begun
	before := l.during(*long)
	t.Log("quiet: ", before)

	abusers := make(map[string]*proc.Process)
	begin := func(some ...string) {
		for _, role := range some {
			if abusers[role] == nil && (*only == "" || slices.Contains(strings.Split(*only, ","), role)) {
				abusers[role] = startAbuser(t, role, l.addr)
			}
		}
	}
	begin("streams", "waits")
	crowd := l.during(crowdUp)
	t.Log("crowd: ", crowd)
	if *only == "" && crowd.Goroutines < crowded {
		t.Errorf("%d goroutines in lockd, want %d: the streams are not there", crowd.Goroutines, crowded)
	}
	begin(slices.Sorted(maps.Keys(roles))...)
	ramp := l.during(rampUp)
	t.Log("begins:", ramp)
	var abused []state
	for range windows {
		is := l.during(*long)
		t.Log("abused:", is)
		if abused = append(abused, is); is.p99() <= 2*before.p99() {
			break
		}
	}
	for role, p := range abusers {
		p.Stop()
		if did := strings.TrimPrefix(strings.TrimSpace(p.Log()), "begun\ndid "); did == "0" {
			t.Errorf("%s did nothing, so that it proves nothing", role)
		} else {
			t.Logf("%s: %s times", role, did)
		}
	}
	l.baseline(before)
	after := l.during(*long)
	t.Log("quiet: ", after)

	quiet := state{Took: append(before.Took, after.Took...)}
	slices.Sort(quiet.Took)
	best := slices.MinFunc(abused, func(a, b state) int { return cmp.Compare(a.p99(), b.p99()) })
	if is, was := best.p99(), quiet.p99(); is > 2*was {
		t.Errorf("the others' messages took lockd %s while it was abused and %s while it was not (99 of 100), want at most twice as long", is, was)
	}
	for _, is := range append(abused, crowd, ramp) {
		if is.resident > maxAbused {
			t.Errorf("lockd took %d MiB, want at most %d", is.resident>>20, maxAbused>>20)
		}
	}
}
