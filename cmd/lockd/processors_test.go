package main

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"time"
)

// There are as many processors as the load needs: twice as many at once when they are nearly used up, half
// as many when half would have done for a while.
func TestProcessorsFollowTheLoad(t *testing.T) {
	p := &processors{most: 6, now: 1}
	for _, step := range []struct {
		what  string
		used  float64 // processors
		times int
		want  int
	}{
		{"idle", 0, 100, 1},
		{"busy", 0.69, 100, 1},
		{"nearly all of one", 0.71, 1, 2},
		{"nearly all of two", 1.5, 1, 4},
		{"all of four, and there are no eight", 4, 1, 6},
		{"all of six", 6, 100, 6},
		{"half of six for a moment", 1, quietFor - 1, 6},
		{"all of them again", 5, 1, 6},
		{"half of six for a while", 1, quietFor, 3},
		{"a third of three", 0.6, 100, 3},
		{"nothing", 0, quietFor, 1},
	} {
		got := 0
		for range step.times {
			got = p.measured(step.used)
		}
		if got != step.want {
			t.Errorf("%s: %d processors, want %d", step.what, got, step.want)
		}
	}
}

// When lockd ends everything is as it was.
func TestProcessorsAreGivenBack(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	ctx, cancel := context.WithCancel(t.Context())
	var fitting sync.WaitGroup
	fitting.Go(func() { fitProcessors(ctx) })
	eventually(t, "one processor", 5*time.Second, func() bool { return runtime.GOMAXPROCS(0) == 1 })
	cancel()
	fitting.Wait()
	if n := runtime.GOMAXPROCS(0); n != 2 {
		t.Errorf("%d processors afterwards, want 2", n)
	}
}
