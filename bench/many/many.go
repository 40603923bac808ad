// Package many measures lockd with a million leases held in one Redis: what an acquisition costs then, what
// each lease takes of Redis's memory, and how long Get and List take.
package many

import (
	"fmt"
	"io"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lockd/lockd/bench/child"
	"github.com/lockd/lockd/bench/figure"
	"github.com/lockd/lockd/bench/goal"
	"github.com/lockd/lockd/bench/machine"
	"github.com/lockd/lockd/bench/pairs"
	"github.com/lockd/lockd/bench/peer"
)

const (
	// workers is how many acquire and release beside the leases that are held.
	workers = 64
	// few is how many leases are held in the Redis that is compared with.
	few = 1000
	// mayGrow is by how many bytes lockd's memory may differ before it counts as growth.
	mayGrow = 8 << 20
)

// Settings is how thoroughly to measure.
type Settings struct {
	Leases   int
	Within   time.Duration // time to load them in; what is not held by then is done without
	Rounds   int
	Measure  time.Duration // of a turn
	Progress io.Writer
}

// Result is all that was measured.
type Result struct {
	Leases    int // that were held, of which lockd under measure had granted none
	Few, Many pairs.Figures
	Repeated  int   // acquisitions among them that the store did not answer in time at first
	PerLease  int64 // bytes of Redis beyond name and owner
	Grown     int64 // bytes of lockd
	// At half the rate that was reached with Many.
	Rate               float64
	Acquire, Get, List figure.Times
}

// Measure loads the leases through one lockd and measures another in front of the same Redis.
func Measure(m *machine.Machine, s Settings) (r Result, err error) {
	fewLockd, fewRedis, err := m.Pair()
	if err != nil {
		return r, err
	}
	defer fewRedis.Remove()
	defer fewLockd.Remove()
	manyLockd, manyRedis, err := m.Pair()
	if err != nil {
		return r, err
	}
	defer manyRedis.Remove()
	defer manyLockd.Remove()
	turns := [2]pairs.Turn{turn(fewLockd, fewRedis, s.Measure), turn(manyLockd, manyRedis, s.Measure)}
	// Used before it counts, so that it has the memory that it needs for its work.
	if _, err := turns[1].Run(); err != nil {
		return r, err
	}
	if _, _, err := load(fewLockd.Addr, few, s.Within); err != nil {
		return r, err
	}
	if err := r.hold(m, s, manyLockd, manyRedis); err != nil {
		return r, err
	}
	var all [2][]pairs.Figures
	for round := range s.Rounds {
		for i, held := range []int{few, r.Leases} {
			f, err := turns[i].Run()
			if err != nil {
				return r, err
			}
			all[i] = append(all[i], f)
			fmt.Fprintf(s.Progress, "many %d/%d  %7d held  %7.0f pairs/s  %s each\n", round+1, s.Rounds, held, f.PerSecond, figure.Short(f.CPU))
		}
	}
	r.Few, r.Many = figure.Medians(all[0]), figure.Medians(all[1])
	return r, r.read(turns[1])
}

func turn(lockd, redis *machine.Server, measure time.Duration) pairs.Turn {
	return pairs.Turn{Kind: peer.Lockd, Workers: workers, Server: lockd, Redis: redis, WarmUp: measure / 4, Measure: measure}
}

// hold has another lockd load the leases, and looks what that takes of Redis and of this lockd.
func (r *Result) hold(m *machine.Machine, s Settings, lockd, store *machine.Server) error {
	client := redis.NewClient(&redis.Options{Addr: store.Addr})
	defer client.Close()
	loader, err := m.Lockd(store)
	if err != nil {
		return err
	}
	defer loader.Remove()
	used, err := machine.UsedMemory(client)
	if err != nil {
		return err
	}
	resident, err := machine.Resident(lockd.PID())
	if err != nil {
		return err
	}
	began := time.Now()
	if r.Leases, r.Repeated, err = load(loader.Addr, s.Leases, s.Within); err != nil {
		return err
	}
	fmt.Fprintf(s.Progress, "many  %d leases loaded in %s, %d asked for again\n", r.Leases, figure.Short(time.Since(began)), r.Repeated)
	loader.Remove() // its connections have memory of Redis as well
	nowUsed, err := machine.UsedMemory(client)
	if err != nil {
		return err
	}
	nowResident, err := machine.Resident(lockd.PID())
	r.PerLease = perLease(nowUsed-used, r.Leases)
	r.Grown = nowResident - resident
	return err
}

// perLease is what each of so many leases takes beyond name and owner: keys, values, what Redis keeps of each
// key, its hash tables and its allocator's rounding.
func perLease(bytes int64, leases int) int64 {
	return bytes/int64(leases) - int64(len(name(0))+len(owner))
}

// read measures Get and List at half the rate.
func (r *Result) read(t pairs.Turn) error {
	r.Rate = r.Many.PerSecond / 2
	reads := reader{held: r.Leases}
	t.Rate = r.Rate
	t.Measure *= 2
	t.Beside = func(w child.Window) error { return reads.read(t.Server.Addr, w) }
	f, err := t.Run()
	r.Acquire, r.Get, r.List = f.Acquire, reads.get, reads.list
	return err
}

// Print writes the table.
func (r Result) Print(to io.Writer) {
	fmt.Fprintf(to, "Many leases in one Redis; %d workers acquire and release other names beside them\n", workers)
	row := func(held int, f pairs.Figures) {
		fmt.Fprintf(to, "  %7d held: %s of processor time per pair (client %s, lockd %s, Redis %s), %.0f pairs/s\n", held,
			figure.Short(f.CPU), figure.Short(f.ClientCPU), figure.Short(f.ServerCPU), figure.Short(f.RedisCPU), f.PerSecond)
	}
	row(few, r.Few)
	row(r.Leases, r.Many)
	if r.Repeated > 0 {
		fmt.Fprintf(to, "  While they were taken the store did not answer %d times in time; those were asked for again.\n", r.Repeated)
	}
	fmt.Fprintf(to, "  Each takes %d bytes of Redis (by used_memory) beyond name and owner; a lockd beside the one that granted them grew by %.1f MiB.\n",
		r.PerLease, float64(r.Grown)/(1<<20))
	fmt.Fprintf(to, "  At %.0f pairs/s, p50 and p99: acquire %s and %s, Get %s and %s, a page of List %s and %s.\n", r.Rate,
		figure.Short(r.Acquire.Median), figure.Short(r.Acquire.Worst), figure.Short(r.Get.Median), figure.Short(r.Get.Worst),
		figure.Short(r.List.Median), figure.Short(r.List.Worst))
}

// Goals holds the figures against what issue 4 promises.
func (r Result) Goals() (l goal.List) {
	l.AtMost(fmt.Sprintf("processor time per pair, %d leases held, of what it is with %d", r.Leases, few),
		float64(r.Many.CPU)/float64(max(r.Few.CPU, 1)), 1.2)
	l.Add("memory of Redis per lease, beyond name and owner", fmt.Sprintf("%d B", r.PerLease), "at most 250 B", r.PerLease > 0 && r.PerLease <= 250)
	l.Add(fmt.Sprintf("growth of a lockd by %d leases that it does not serve", r.Leases),
		fmt.Sprintf("%.1f MiB", float64(r.Grown)/(1<<20)), fmt.Sprintf("none (at most %d MiB, to tell it from chance)", mayGrow>>20), r.Grown <= mayGrow)
	l.Within("p99 of Get at half the top rate", r.Get.Worst, 2*r.Acquire.Worst)
	l.Within("p99 of a page of List at half the top rate", r.List.Worst, 2*r.Acquire.Worst)
	return l
}
