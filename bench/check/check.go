// Package check guards what a change must not make worse unnoticed: what can be counted exactly, and ratios
// to peers where they are much worse than they were. It is short, and does not say how fast lockd is.
package check

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/lockd/lockd/bench/figure"
	"github.com/lockd/lockd/bench/machine"
	"github.com/lockd/lockd/bench/pairs"
	"github.com/lockd/lockd/bench/peer"
)

const (
	workers = 64
	rounds  = 3
	measure = time.Second
)

// Run measures, prints every limit with what was measured, and returns how many are broken. What is not
// known counts as broken.
func Run(m *machine.Machine, to io.Writer) (broken int, err error) {
	lockd, redis, err := m.Pair()
	if err != nil {
		return 0, err
	}
	defer redis.Remove()
	defer lockd.Remove()
	var all measured
	turns := []struct {
		turn pairs.Turn
		into *pairs.Figures
	}{
		{pairs.Turn{Kind: peer.Lockd, Workers: 1, Server: lockd}, &all.One},
		{pairs.Turn{Kind: peer.Lockd, Workers: workers, Server: lockd}, &all.Many},
		{pairs.Turn{Kind: peer.GoRedis, Workers: workers}, &all.GoRedis},
		{pairs.Turn{Kind: peer.Rueidislock, Workers: workers}, &all.Rueidislock},
		{pairs.Turn{Kind: peer.Redsync, Workers: workers}, &all.Redsync},
	}
	figures := make([][]pairs.Figures, len(turns))
	for range rounds {
		for i, t := range turns {
			t.turn.Redis, t.turn.WarmUp, t.turn.Measure = redis, measure/4, measure
			f, err := t.turn.Run()
			if err != nil {
				return 0, err
			}
			figures[i] = append(figures[i], f)
		}
	}
	for i, t := range turns {
		*t.into = figure.Medians(figures[i])
	}
	return judge(all, to), nil
}

func judge(all measured, to io.Writer) (broken int) {
	t := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	for _, l := range limits {
		verdict, is := "ok", l.of(all)
		if !(is > 0 && is <= l.most) { // nor is NaN
			verdict, broken = "BROKEN", broken+1
		}
		fmt.Fprintf(t, "%s\t%s\t%.3g\tat most %.3g\t%s\n", verdict, l.what, is, l.most, l.why)
	}
	t.Flush()
	return broken
}
