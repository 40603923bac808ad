package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/lockd/lockd/bench/contest"
	"github.com/lockd/lockd/bench/longline"
	"github.com/lockd/lockd/bench/parts"
)

// report is everything that was measured. Durations are ns in JSON.
type report struct {
	Figures map[string]contest.Figures
	Parts   parts.Parts // on a machine that does nothing else
	Loaded  parts.Parts // while the workers contend, which is when hand-overs were measured
	Line    longline.Figures
	Goals   []goal
	Wrong   []string // what must never be
}

// goal is a promise and what became of it.
type goal struct {
	What     string
	Measured string
	Want     string
	Met      bool
}

// maxWrong is how much of what went wrong is worth printing of each contestant.
const maxWrong = 5

func (r *report) wrong(where string, err error) {
	r.Wrong = append(r.Wrong, where+": "+err.Error())
}

// print judges the goals and prints everything.
func (r *report) print(to io.Writer) {
	r.judge()
	t := tabwriter.NewWriter(to, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(to, "%d workers on one name, 1 ms as its holder and 1 ms after; medians\n\n", workers)
	fmt.Fprintln(t, "\tpossession\tfairness\tlongest wait\tgrants/s\tprocessors\tper grant\thand-over p50\tp99\tto another client p50\tp99\t")
	for _, c := range append(contestants[:len(contestants):len(contestants)], watched...) {
		f, ok := r.Figures[c.String()]
		if !ok {
			continue
		}
		fmt.Fprintf(t, "%s\t%.1f %%\t%.3f\t%s\t%.0f\t%.2f\t%s\t%s\t%s\t\n", c, 100*f.Possession, f.Fairness, short(f.LongestWait),
			f.Grants, f.CPU, short(time.Duration(f.CPU/f.Grants*float64(time.Second))), times(f.HandoverNear), times(f.HandoverFar))
	}
	t.Flush()
	fmt.Fprintf(to, "\nA hand-over's parts: a null round trip of a stream %s, one of the release script %s; with nothing else to do %s and %s.\n",
		short(r.Loaded.Null), short(r.Loaded.Script), short(r.Parts.Null), short(r.Parts.Script))
	fmt.Fprintf(to, "A hand-over with %d in line: %s, %s of it Redis's; with %d: %s and %s. Each waiter: %d bytes of lockd.\n\n",
		r.Line.Short.Waiters, short(r.Line.Short.Wall), short(r.Line.Short.Redis), r.Line.Long.Waiters, short(r.Line.Long.Wall), short(r.Line.Long.Redis), r.Line.PerWaiter)
	t = tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	for _, g := range r.Goals {
		verdict := "ok"
		if !g.Met {
			verdict = "MISSED"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", verdict, g.What, g.Measured, g.Want)
	}
	t.Flush()
	for i, wrong := range r.Wrong {
		if i == maxWrong {
			fmt.Fprintf(to, "... and %d more\n", len(r.Wrong)-i)
			break
		}
		fmt.Fprintln(to, "BROKEN:", wrong)
	}
}

// judge holds the figures against what is promised.
func (r *report) judge() {
	r.Goals = nil
	one, two := r.Figures[oneLockd.String()], r.Figures[twoLockds.String()]
	r.atLeast("possession, 1 lockd", one.Possession, 0.74)
	r.atLeast("possession, 1 lockd, of rueidislock's", one.Possession/r.Figures[oneRueidislock.String()].Possession, 0.88)
	r.atLeast("possession, 2 lockd", two.Possession, 0.68)
	r.atLeast("fairness, 1 lockd", one.Fairness, 0.99)
	r.atLeast("fairness, 2 lockd", two.Fairness, 0.99)
	r.atMost("longest wait, 1 lockd", one.LongestWait, 250*time.Millisecond)
	r.atMost("longest wait, 2 lockd", two.LongestWait, 250*time.Millisecond)
	within := r.Loaded.Null + r.Loaded.Script
	r.atMost("hand-over p50, 1 lockd", one.HandoverNear.Median, within*14/10)
	r.atMost("hand-over p99, 1 lockd", one.HandoverNear.Worst, 3*one.HandoverNear.Median)
	r.atMost("hand-over p50, from lockd to lockd", two.HandoverFar.Median, (within+r.Loaded.Script)*14/10)
	r.atMost("hand-over p99, from lockd to lockd", two.HandoverFar.Worst, 3*two.HandoverFar.Median)
	r.goal("memory of a waiter", fmt.Sprintf("%d B", r.Line.PerWaiter), "at most 4096 B", r.Line.PerWaiter <= 4096)
	r.atMost(fmt.Sprintf("Redis's time for a hand-over, %d in line", r.Line.Long.Waiters), r.Line.Long.Redis, r.Line.Short.Redis*5/4)
	r.atMost(fmt.Sprintf("hand-over, %d in line", r.Line.Long.Waiters), r.Line.Long.Wall, r.Line.Short.Wall*5/4)
	r.goal("two holders, tokens or grants out of order", fmt.Sprint(len(r.Wrong)), "never", r.Wrong == nil)
}

func (r *report) atLeast(what string, measured, want float64) {
	r.goal(what, fmt.Sprintf("%.3f", measured), fmt.Sprintf("at least %.2f", want), measured >= want)
}

func (r *report) atMost(what string, measured, want time.Duration) {
	r.goal(what, short(measured), "at most "+short(want), measured <= want && measured > 0)
}

func (r *report) goal(what, measured, want string, met bool) {
	r.Goals = append(r.Goals, goal{what, measured, want, met})
}

func times(t contest.Times) string {
	if t.N == 0 {
		return "\t"
	}
	return short(t.Median) + "\t" + short(t.Worst)
}

// short is a duration in the unit that fits, with three digits or so.
func short(d time.Duration) string {
	switch {
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d >= 10*time.Millisecond:
		return d.Round(100 * time.Microsecond).String()
	default:
		return fmt.Sprintf("%d µs", d.Microseconds())
	}
}
