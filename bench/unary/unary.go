// Package unary measures lockd's unary calls, which other languages use: beside as many calls that do nothing.
package unary

import (
	"fmt"
	"io"
	"time"

	"github.com/lockd/lockd/bench/figure"
	"github.com/lockd/lockd/bench/goal"
	"github.com/lockd/lockd/bench/machine"
	"github.com/lockd/lockd/bench/pairs"
	"github.com/lockd/lockd/bench/peer"
)

// workers is how many call at a time, over one connection.
const workers = 64

// Result is all that was measured.
type Result struct {
	Leases pairs.Figures // Acquire and Release
	Null   pairs.Figures // Check of grpc.health.v1, twice
}

// Measure gives both a turn in every round, each measured for so long.
func Measure(m *machine.Machine, rounds int, measure time.Duration, progress io.Writer) (r Result, err error) {
	lockd, redis, err := m.Pair()
	if err != nil {
		return r, err
	}
	defer redis.Remove()
	defer lockd.Remove()
	all := make(map[peer.Kind][]pairs.Figures)
	for round := range rounds {
		for _, kind := range []peer.Kind{peer.Unary, peer.NullUnary} {
			f, err := pairs.Turn{Kind: kind, Workers: workers, Server: lockd, Redis: redis, WarmUp: measure / 4, Measure: measure}.Run()
			if err != nil {
				return r, err
			}
			all[kind] = append(all[kind], f)
			fmt.Fprintf(progress, "unary %d/%d  %-20s %7.0f pairs/s  %s each\n", round+1, rounds, kind, f.PerSecond, figure.Short(f.CPU))
		}
	}
	return Result{figure.Medians(all[peer.Unary]), figure.Medians(all[peer.NullUnary])}, nil
}

// Print writes the table.
func (r Result) Print(to io.Writer) {
	fmt.Fprintf(to, "Unary calls: %d workers on one connection, two calls a pair; processor time per pair\n", workers)
	row := func(who string, f pairs.Figures) {
		fmt.Fprintf(to, "  %-20s %7s  client %s, lockd %s, Redis %s; %.0f pairs/s, p50 %s, %.1f allocations in lockd\n", who, figure.Short(f.CPU),
			figure.Short(f.ClientCPU), figure.Short(f.ServerCPU), figure.Short(f.RedisCPU), f.PerSecond, figure.Short(f.Pair.Median), f.ServerAllocs)
	}
	row("Acquire and Release", r.Leases)
	row("health Check, twice", r.Null)
}

// Goals holds the figures against what issue 4 promises: what Redis uses is not counted, and of what is left
// the calls that do nothing may be four fifths.
func (r Result) Goals() (l goal.List) {
	l.AtMost("unary calls: processor time of client and lockd, of null unary calls'",
		float64(r.Leases.ClientCPU+r.Leases.ServerCPU)/float64(max(r.Null.ClientCPU+r.Null.ServerCPU, 1)), 1.25)
	return l
}
