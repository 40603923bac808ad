package line

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/lockd/lockd/bench/figure"
	"github.com/lockd/lockd/bench/goal"
	"github.com/lockd/lockd/bench/line/contest"
	"github.com/lockd/lockd/bench/line/longline"
	"github.com/lockd/lockd/bench/line/parts"
)

// Result is everything that was measured. Durations are ns in JSON.
type Result struct {
	Figures map[string]contest.Figures
	Parts   parts.Parts // on a machine that does nothing else
	Loaded  parts.Parts // while the workers contend, which is when hand-overs were measured
	Line    longline.Figures
	Wrong   []string // what must never be
}

// Broken says what must never be, and was.
func (r Result) Broken() []string { return r.Wrong }

func (r *Result) wrong(where string, err error) {
	r.Wrong = append(r.Wrong, where+": "+err.Error())
}

// Print writes the table and what a hand-over is made of.
func (r Result) Print(to io.Writer) {
	t := tabwriter.NewWriter(to, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(to, "%d workers on one name, 1 ms as its holder and 1 ms after; medians\n\n", workers)
	fmt.Fprintln(t, "\tpossession\tfairness\tlongest wait\tgrants/s\tprocessors\tper grant\thand-over p50\tp99\tto another client p50\tp99\t")
	for _, c := range append(contestants[:len(contestants):len(contestants)], watched...) {
		f, ok := r.Figures[c.String()]
		if !ok {
			continue
		}
		fmt.Fprintf(t, "%s\t%.1f %%\t%.3f\t%s\t%.0f\t%.2f\t%s\t%s\t%s\t\n", c, 100*f.Possession, f.Fairness, figure.Short(f.LongestWait),
			f.Grants, f.CPU, figure.Short(time.Duration(f.CPU/f.Grants*float64(time.Second))), times(f.HandoverNear), times(f.HandoverFar))
	}
	t.Flush()
	fmt.Fprintf(to, "\nA hand-over's parts: a null round trip of a stream %s, one of the release script %s; with nothing else to do %s and %s.\n",
		figure.Short(r.Loaded.Null), figure.Short(r.Loaded.Script), figure.Short(r.Parts.Null), figure.Short(r.Parts.Script))
	fmt.Fprintf(to, "A hand-over with %d in line: %s, %s of it Redis's; with %d: %s and %s. Each waiter: %d bytes of lockd.\n",
		r.Line.Short.Waiters, figure.Short(r.Line.Short.Wall), figure.Short(r.Line.Short.Redis), r.Line.Long.Waiters, figure.Short(r.Line.Long.Wall), figure.Short(r.Line.Long.Redis), r.Line.PerWaiter)
}

// Goals holds the figures against what issue 3 promises.
func (r Result) Goals() (l goal.List) {
	one, two := r.Figures[oneLockd.String()], r.Figures[twoLockds.String()]
	l.AtLeast("possession, 1 lockd", one.Possession, 0.74)
	l.AtLeast("possession, 1 lockd, of rueidislock's", one.Possession/r.Figures[oneRueidislock.String()].Possession, 0.88)
	l.AtLeast("possession, 2 lockd", two.Possession, 0.68)
	l.AtLeast("fairness, 1 lockd", one.Fairness, 0.99)
	l.AtLeast("fairness, 2 lockd", two.Fairness, 0.99)
	l.Within("longest wait, 1 lockd", one.LongestWait, 250*time.Millisecond)
	l.Within("longest wait, 2 lockd", two.LongestWait, 250*time.Millisecond)
	within := r.Loaded.Null + r.Loaded.Script
	l.Within("hand-over p50, 1 lockd", one.HandoverNear.Median, within*14/10)
	l.Within("hand-over p99, 1 lockd", one.HandoverNear.Worst, 3*one.HandoverNear.Median)
	l.Within("hand-over p50, from lockd to lockd", two.HandoverFar.Median, (within+r.Loaded.Script)*14/10)
	l.Within("hand-over p99, from lockd to lockd", two.HandoverFar.Worst, 3*two.HandoverFar.Median)
	l.Add("memory of a waiter", fmt.Sprintf("%d B", r.Line.PerWaiter), "at most 4096 B", r.Line.PerWaiter <= 4096)
	l.Within(fmt.Sprintf("Redis's time for a hand-over, %d in line", r.Line.Long.Waiters), r.Line.Long.Redis, r.Line.Short.Redis*5/4)
	l.Within(fmt.Sprintf("hand-over, %d in line", r.Line.Long.Waiters), r.Line.Long.Wall, r.Line.Short.Wall*5/4)
	l.Add("two holders, tokens or grants out of order", fmt.Sprint(len(r.Wrong)), "never", r.Wrong == nil)
	return l
}

func times(t figure.Times) string {
	if t.N == 0 {
		return "\t"
	}
	return figure.Short(t.Median) + "\t" + figure.Short(t.Worst)
}
