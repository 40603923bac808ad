package history

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// Stall is a time in which somebody waited for a name and nobody had it.
type Stall struct {
	Name     string
	From, To int64
	// Of that, how long the store was away.
	Down time.Duration
}

// Length is how long the name stood idle while the store was there.
func (s Stall) Length() time.Duration { return time.Duration(s.To-s.From) - s.Down }

// LongestStall returns the longest stall of a name. Waiting counts from the call of an acquisition to
// its return or the end of its process; one that never returned, to the end of the history.
func LongestStall(records []Record, name string) Stall {
	var idle []span
	free := span{math.MinInt64, math.MaxInt64}
	for _, h := range Holds(records) {
		if h.Name != name {
			continue
		}
		if h.From > free.from {
			idle = append(idle, span{free.from, h.From})
		}
		// What the holder did not end itself ended when it was last seen: the rest, until the lease has
		// run out, is idle.
		free.from = max(free.from, h.To)
	}
	idle = append(idle, free)

	waiting := merge(waits(records, name))
	longest := Stall{Name: name}
	for _, i := range idle {
		for _, w := range waiting {
			both := span{max(i.from, w.from), min(i.to, w.to)}
			if both.from >= both.to {
				continue
			}
			s := Stall{Name: name, From: both.from, To: both.to, Down: down(records, both)}
			if s.Length() > longest.Length() {
				longest = s
			}
		}
	}
	return longest
}

// span is from one moment to another.
type span struct{ from, to int64 }

// waits returns when somebody waited for name.
func waits(records []Record, name string) (all []span) {
	type who struct {
		client string
		worker int
		call   int64
	}
	ended, killed, end := make(map[who]int64), make(map[string]int64), int64(math.MinInt64)
	for _, r := range records {
		end = max(end, r.Call, r.Return)
		switch {
		case r.Kind == Killed:
			killed[r.Client] = r.Call
		case r.Name == name && (r.Kind == Granted || r.Kind == Refused):
			ended[who{r.Client, r.Worker, r.Call}] = r.Return
		}
	}
	for _, r := range records {
		if r.Kind != Asked || r.Name != name {
			continue
		}
		to, ok := ended[who{r.Client, r.Worker, r.Call}]
		if !ok {
			if to, ok = killed[r.Client]; !ok {
				to = end
			}
		}
		all = append(all, span{r.Call, to})
	}
	return all
}

// merge joins spans that touch.
func merge(all []span) (merged []span) {
	slices.SortFunc(all, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	for _, s := range all {
		if n := len(merged); n > 0 && s.from <= merged[n-1].to {
			merged[n-1].to = max(merged[n-1].to, s.to)
		} else {
			merged = append(merged, s)
		}
	}
	return merged
}

// down is how long the store was away during s.
func down(records []Record, s span) (total time.Duration) {
	var away []span
	for _, r := range records {
		if r.Kind == Down {
			away = append(away, span{max(r.Call, s.from), min(r.Return, s.to)})
		}
	}
	for _, d := range merge(slices.DeleteFunc(away, func(d span) bool { return d.from >= d.to })) {
		total += time.Duration(d.to - d.from)
	}
	return total
}
