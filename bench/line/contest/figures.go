package contest

import (
	"time"

	"github.com/lockd/lockd/bench/child"
	"github.com/lockd/lockd/bench/figure"
	"github.com/lockd/lockd/test/history"
)

// Figures is what came of a contest.
type Figures struct {
	// Possession is the share of the time in which the name was in somebody's hands, from the return of
	// a grant to the call of its release.
	Possession float64
	// Fairness is Jain's index over the workers' grants: 1 if all got as many, 1/n if one got all.
	Fairness float64
	// LongestWait is from the call of an acquisition to its return, or to the end of the contest.
	LongestWait time.Duration
	// Grants is how many there were in a second.
	Grants float64
	// CPU is how many processors everybody involved kept busy.
	CPU float64
	// HandoverNear is how long it took from the call of a release to the return of the next grant, to
	// one who had been waiting for longer than the holder held, in the same client process; HandoverFar in
	// another.
	HandoverNear, HandoverFar figure.Times
	// Wrong is what must never be: two holders, tokens out of order.
	Wrong []error `json:"-"`
}

// clip is how much of the time from from to to counts.
func clip(w child.Window, from, to int64) time.Duration {
	return time.Duration(max(0, min(to, w.To)-max(from, w.From)))
}

// measure returns the figures of a history but for the processor time, and its leases.
func measure(records []history.Record, w child.Window, workers int) (Figures, []history.Hold) {
	holds := history.Holds(records)
	f := Figures{Wrong: history.CheckExclusive(holds)}
	var held time.Duration
	type worker struct {
		client string
		worker int
	}
	grants := make(map[worker]int)
	var near, far []time.Duration
	for i, h := range holds {
		to := h.Ended
		if to == 0 {
			to = w.To
		}
		held += clip(w, h.From, to)
		if w.Contains(h.From) {
			grants[worker{h.Client, h.Worker}]++
			f.LongestWait = max(f.LongestWait, time.Duration(h.From-h.Asked))
		}
		if i == 0 || !w.Contains(h.From) {
			continue
		}
		before := holds[i-1]
		if took := time.Duration(h.From - before.Ended); h.Asked < before.From {
			if h.Client == before.Client {
				near = append(near, took)
			} else {
				far = append(far, took)
			}
		}
	}
	for _, r := range records {
		if r.Kind == history.Refused {
			f.LongestWait = max(f.LongestWait, time.Duration(min(r.Return, w.To)-r.Call))
		}
	}
	length := w.Length()
	var sum, squares float64
	for _, n := range grants {
		sum += float64(n)
		squares += float64(n) * float64(n)
	}
	if sum > 0 {
		f.Fairness = sum * sum / (float64(workers) * squares)
	}
	f.Possession = float64(held) / float64(length)
	f.Grants = sum / length.Seconds()
	f.HandoverNear, f.HandoverFar = figure.Of(near), figure.Of(far)
	return f, holds
}

// Median returns the median of each figure, and everything that was wrong.
func Median(all []Figures) Figures {
	m := figure.Medians(all)
	for _, f := range all {
		m.Wrong = append(m.Wrong, f.Wrong...)
	}
	return m
}
