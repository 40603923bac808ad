package pairs

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/lockd/lockd/bench/figure"
	"github.com/lockd/lockd/bench/goal"
	"github.com/lockd/lockd/bench/peer"
)

// Print writes the tables.
func (r Result) Print(to io.Writer) {
	fmt.Fprintf(to, "Pairs: acquire and release, nobody else wanting the name; one client process, medians of %d\n", r.Rounds)
	if r.NoEtcd != "" {
		fmt.Fprintf(to, "%s: not measured\n", r.NoEtcd)
	}
	fmt.Fprintln(to)
	r.table(to, "pairs/s\tprocessor\tof client\tof server\tof Redis\tp50\tp99\tRedis's core\t", func(f Figures) string {
		return fmt.Sprintf("%.0f\t%s\t%s\t%s\t%s\t%s\t%s\t%.0f %%\t", f.PerSecond, figure.Short(f.CPU), figure.Short(f.ClientCPU),
			duration(f.ServerCPU), duration(f.RedisCPU), figure.Short(f.Pair.Median), figure.Short(f.Pair.Worst), 100*f.RedisCore)
	})
	fmt.Fprintln(to, "\nprocessor: time of all involved, per pair. Redis's core: how busy it was.\n\nPer pair:")
	r.table(to, "Redis calls\tscripts\tRedis's time\tallocations of client\tof server\treads+writes of client\tof server\t", func(f Figures) string {
		return fmt.Sprintf("%s\t%s\t%s\t%.1f\t%s\t%.2f\t%s\t", number(f.RedisCalls), number(f.RedisScripts), duration(f.RedisTime),
			f.ClientAllocs, number(f.ServerAllocs), f.ClientTransfers, number(f.ServerTransfers))
	})
	for _, row := range r.Rows {
		if row.Stuck > 0 {
			fmt.Fprintf(to, "%s: %d of %d workers stood still in the end\n", row.Kind, row.Stuck, row.Workers)
		}
	}
	fmt.Fprintln(to, "\nRedis calls: its commands, those in scripts included. Redis's time: on commands, by its own account.")
}

// table writes a line for each row, and an empty one where the number of workers changes.
func (r Result) table(to io.Writer, head string, line func(Figures) string) {
	t := tabwriter.NewWriter(to, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "workers\t\t"+head)
	for i, row := range r.Rows {
		if i > 0 && r.Rows[i-1].Workers != row.Workers {
			fmt.Fprintln(t, strings.Repeat("\t", 2+strings.Count(head, "\t")))
		}
		fmt.Fprintf(t, "%d\t%s\t%s\n", row.Workers, row.Kind, line(row.Figures))
	}
	t.Flush()
}

func number(x float64) string {
	if x == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", x)
}

func duration(d time.Duration) string {
	if d == 0 {
		return "-"
	}
	return figure.Short(d)
}

// Goals holds the figures against what issue 4 promises.
func (r Result) Goals() (l goal.List) {
	cost := func(workers int, of peer.Kind, most float64) {
		l.AtMost(fmt.Sprintf("processor time per pair, %d workers, of %s's", workers, of),
			ratio(r.Of(peer.Lockd, workers).CPU, r.Of(of, workers).CPU), most)
		l.Floor(ratio(r.Of(peer.Bare, workers).CPU, r.Of(of, workers).CPU))
	}
	cost(64, peer.Rueidislock, 0.75)
	cost(64, peer.Redsync, 0.5)
	cost(256, peer.Rueidislock, 0.65)
	cost(256, peer.Redsync, 0.35)
	for _, workers := range []int{64, 256} {
		ours, theirs := r.Of(peer.Lockd, workers), r.Of(peer.Rueidislock, workers)
		l.AtLeast(fmt.Sprintf("pairs per second, %d workers, of rueidislock's (Redis's core %.0f %% busy, %.0f %% with rueidislock)",
			workers, 100*ours.RedisCore, 100*theirs.RedisCore), ours.PerSecond/max(theirs.PerSecond, 1), 1.2)
		l.Floor(r.Of(peer.Bare, workers).PerSecond / max(theirs.PerSecond, 1))
	}
	one, bare := r.Of(peer.Lockd, 1).Pair.Median, r.Of(peer.Bare, 1).Pair.Median
	null := r.Of(peer.Floor, 1).Pair.Median
	l.AtMost("one worker, p50 of a pair, of two null unary calls + two PINGs of Redis", ratio(one, null), 1.3)
	l.Floor(ratio(bare, null))
	const ofEtcd = "one worker, p50 of a pair, of etcd's"
	if r.NoEtcd != "" {
		l.Absent(ofEtcd, r.NoEtcd)
	} else {
		etcd := r.Of(peer.Etcd, 1).Pair.Median
		l.AtMost(ofEtcd, ratio(one, etcd), 0.5)
		l.Floor(ratio(bare, etcd))
	}
	const allocs = "allocations per pair in lockd, 64 workers"
	if n := r.Of(peer.Lockd, 64).ServerAllocs; n > 0 {
		l.AtMost(allocs, n, 30)
	} else {
		l.Absent(allocs, "not known of a lockd given by -lockd")
	}
	return l
}

// ratio is 0 if there is nothing to compare with.
func ratio(a, b time.Duration) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}
