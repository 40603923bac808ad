package pairs

import (
	"fmt"
	"time"

	"github.com/lockd/lockd/bench/picture"
)

// Chart shows pairs per second and processor time per pair.
func (r Result) Chart() picture.Chart {
	c := picture.Chart{
		Title:      "Acquire and release, a name for each worker",
		Note:       fmt.Sprintf("one client process, one Redis (or one etcd), all on one machine; medians of %d", r.Rounds),
		GroupLabel: "workers",
	}
	for _, workers := range Workers {
		c.Groups = append(c.Groups, fmt.Sprint(workers))
	}
	rate := picture.Panel{Title: "Pairs per second (more is better)", Label: "pairs per second"}
	cost := picture.Panel{Title: "Processor time per pair (less is better)", Label: "µs per pair: client, server and Redis"}
	for _, kind := range kinds {
		var rates, costs []float64
		for _, workers := range Workers {
			f := r.Of(kind, workers)
			rates = append(rates, f.PerSecond)
			costs = append(costs, float64(f.CPU)/float64(time.Microsecond))
		}
		c.Series = append(c.Series, string(kind))
		rate.Of, cost.Of = append(rate.Of, rates), append(cost.Of, costs)
	}
	c.Panels = []picture.Panel{rate, cost}
	return c
}
