package contest

import (
	"slices"
	"time"

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
	HandoverNear, HandoverFar Times
	// Wrong is what must never be: two holders, tokens out of order.
	Wrong []error `json:"-"`
}

// Times are how long something took.
type Times struct {
	N             int
	Median, Worst time.Duration // Worst: 99 of 100 were not longer
}

func timesOf(all []time.Duration) Times {
	if len(all) == 0 {
		return Times{}
	}
	slices.Sort(all)
	return Times{len(all), all[len(all)/2], all[len(all)*99/100]}
}

// window is the time that is measured.
type window struct{ from, to int64 }

func (w window) contains(at int64) bool { return w.from <= at && at < w.to }

// clip is how much of the time from from to to lies in the window.
func (w window) clip(from, to int64) time.Duration {
	return time.Duration(max(0, min(to, w.to)-max(from, w.from)))
}

// measure returns the figures of a history but for the processor time, and its leases.
func measure(records []history.Record, w window, workers int) (Figures, []history.Hold) {
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
			to = w.to
		}
		held += w.clip(h.From, to)
		if w.contains(h.From) {
			grants[worker{h.Client, h.Worker}]++
			f.LongestWait = max(f.LongestWait, time.Duration(h.From-h.Asked))
		}
		if i == 0 || !w.contains(h.From) {
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
			f.LongestWait = max(f.LongestWait, time.Duration(min(r.Return, w.to)-r.Call))
		}
	}
	length := time.Duration(w.to - w.from)
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
	f.HandoverNear, f.HandoverFar = timesOf(near), timesOf(far)
	return f, holds
}

// Median returns the median of each figure, and everything that was wrong.
func Median(all []Figures) Figures {
	of := func(value func(Figures) float64) float64 {
		values := make([]float64, len(all))
		for i, f := range all {
			values[i] = value(f)
		}
		slices.Sort(values)
		return values[len(values)/2]
	}
	times := func(value func(Figures) Times) Times {
		return Times{
			N:      int(of(func(f Figures) float64 { return float64(value(f).N) })),
			Median: time.Duration(of(func(f Figures) float64 { return float64(value(f).Median) })),
			Worst:  time.Duration(of(func(f Figures) float64 { return float64(value(f).Worst) })),
		}
	}
	m := Figures{
		Possession:   of(func(f Figures) float64 { return f.Possession }),
		Fairness:     of(func(f Figures) float64 { return f.Fairness }),
		LongestWait:  time.Duration(of(func(f Figures) float64 { return float64(f.LongestWait) })),
		Grants:       of(func(f Figures) float64 { return f.Grants }),
		CPU:          of(func(f Figures) float64 { return f.CPU }),
		HandoverNear: times(func(f Figures) Times { return f.HandoverNear }),
		HandoverFar:  times(func(f Figures) Times { return f.HandoverFar }),
	}
	for _, f := range all {
		m.Wrong = append(m.Wrong, f.Wrong...)
	}
	return m
}
