package main

import (
	"context"
	"runtime"
	"syscall"
	"time"
)

// How many processors Go's scheduler may use at a time. Each one that has nothing to do looks for work
// whenever anything wakes up, and a lockd that is not busy wakes up for every message: on two processors a
// quarter of its time goes into that. So there are as many as it needs, see docs/decisions/0013.
const (
	// measureEvery is how often the need is measured, and so how long lockd lacks processors at most.
	measureEvery = 200 * time.Millisecond
	// moreAbove and lessBelow are shares of the time of the processors in use, and of half as many.
	moreAbove = 0.7
	lessBelow = 0.5
	// quietFor is how many measurements in a row must say that half would do.
	quietFor = 10
)

// processors is how many are in use, and what is known of the need for them.
type processors struct {
	most  int // what Go would use, or GOMAXPROCS says
	now   int
	quiet int // measurements in a row that said that half would do
}

// measured takes how much processor time went by per time, and answers how many processors to use from now on.
func (p *processors) measured(used float64) int {
	half := p.now / 2
	switch {
	case used > moreAbove*float64(p.now):
		p.now, p.quiet = min(2*p.now, p.most), 0
	case half == 0 || used > lessBelow*float64(half):
		p.quiet = 0
	default:
		if p.quiet++; p.quiet == quietFor {
			p.now, p.quiet = half, 0
		}
	}
	return p.now
}

// fitProcessors has as many processors used as are needed until ctx ends, and then all of them again.
func fitProcessors(ctx context.Context) {
	p := &processors{most: runtime.GOMAXPROCS(0), now: 1}
	defer runtime.GOMAXPROCS(p.most)
	if p.most == 1 {
		return
	}
	runtime.GOMAXPROCS(p.now)
	ticks := time.NewTicker(measureEvery)
	defer ticks.Stop()
	at, before := time.Now(), processorTime()
	for in := p.now; ; {
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return
		}
		now, used := time.Now(), processorTime()
		if want := p.measured(float64(used-before) / float64(now.Sub(at))); want != in {
			runtime.GOMAXPROCS(want) // which stops everything for some ten microseconds
			in = want
		}
		at, before = now, used
	}
}

// processorTime is what this process has used so far.
func processorTime() time.Duration {
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		return 0 // it cannot fail with these arguments
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}
