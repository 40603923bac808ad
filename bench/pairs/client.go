package pairs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/lockd/lockd/bench/child"
	"github.com/lockd/lockd/bench/figure"
	"github.com/lockd/lockd/bench/peer"
	"github.com/lockd/lockd/test/history"
)

// Role is the name of the client process.
const Role = "pairs"

// order is what a client process is told.
type order struct {
	Kind          peer.Kind
	Target, Redis string
	Workers       int
	Rate          float64 // pairs a second of all workers together; 0: as fast as they can
}

// tally is what it tells.
type tally struct {
	Pair, Acquire figure.Times
	Mallocs       uint64
	Stuck         int // workers without a pair in the second half of the window, which was time for ten
}

// worker takes and gives its own name.
type worker struct {
	locker        peer.Locker
	every, next   time.Duration // with a rate, when the next pair is due, on the run's clock
	pair, acquire []time.Duration
	last          time.Duration // when the last pair ended
	err           error
}

// expected is for how many pairs there is room before a worker has to allocate, all workers together: what
// the bench itself allocates would be counted.
const expected = 400_000

// Client is the client process.
func Client(text []byte, await child.Await) (any, error) {
	var o order
	if err := json.Unmarshal(text, &o); err != nil {
		return nil, err
	}
	c, err := peer.Open(o.Kind, o.Target, o.Redis)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	workers, err := o.prepare(c)
	if err != nil {
		return nil, err
	}
	w, err := await()
	if err != nil {
		return nil, err
	}
	child.SleepUntil(w.Begin)
	began := time.Now().Add(-time.Duration(history.Now() - w.Begin))
	// Whoever still waits for a name that nobody else wants when all is over has been forgotten.
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var working sync.WaitGroup
	for i := range workers {
		working.Go(func() { workers[i].work(ctx, began, w) })
	}
	var before, after runtime.MemStats
	child.SleepUntil(w.From)
	runtime.ReadMemStats(&before)
	child.SleepUntil(w.To)
	runtime.ReadMemStats(&after)
	cancel()
	working.Wait()
	return sum(workers, after.Mallocs-before.Mallocs, time.Duration(w.To-w.Begin), w.Length()/2)
}

// prepare makes the workers and has each take and give once before it counts: connections are made, scripts
// loaded, sessions begun.
func (o order) prepare(c peer.Client) ([]worker, error) {
	workers := make([]worker, o.Workers)
	var preparing sync.WaitGroup
	for i := range workers {
		one := &workers[i]
		if o.Rate > 0 {
			one.every = time.Duration(float64(o.Workers) / o.Rate * float64(time.Second))
			one.next = one.every * time.Duration(i) / time.Duration(o.Workers)
		}
		room := max(1024, expected/o.Workers)
		one.pair, one.acquire = make([]time.Duration, 0, room), make([]time.Duration, 0, room)
		preparing.Go(func() {
			if one.locker, one.err = c.Worker(context.Background(), fmt.Sprintf("bench/%d/%d", os.Getpid(), i)); one.err == nil {
				_, _, one.err = one.once(context.Background())
			}
		})
	}
	preparing.Wait()
	for i := range workers {
		if err := workers[i].err; err != nil {
			return nil, fmt.Errorf("worker %d of %s: %w", i, o.Kind, err)
		}
	}
	return workers, nil
}

// once takes and gives, and returns how long it took to hold, and to have given back.
func (w *worker) once(ctx context.Context) (held, given time.Duration, err error) {
	began := time.Now()
	lease, err := w.locker.Acquire(ctx)
	if err != nil {
		return 0, 0, err
	}
	held = time.Since(began)
	err = lease.Release(context.Background())
	return held, time.Since(began), err
}

// work goes on until the window, which began then, is over and keeps what ended in it.
func (w *worker) work(ctx context.Context, began time.Time, window child.Window) {
	from, to := time.Duration(window.From-window.Begin), time.Duration(window.To-window.Begin)
	for {
		if w.every > 0 {
			time.Sleep(w.next - time.Since(began))
			w.next += w.every
		}
		held, given, err := w.once(ctx)
		now := time.Since(began)
		switch {
		case now >= to, ctx.Err() != nil:
			return // also if it failed: it was cancelled
		case err != nil:
			w.err = err
			return
		case now >= from:
			w.last = now
			w.acquire, w.pair = append(w.acquire, held), append(w.pair, given)
		}
	}
}

func sum(workers []worker, mallocs uint64, end, half time.Duration) (t tally, err error) {
	var pair, acquire []time.Duration
	for i := range workers {
		if err := workers[i].err; err != nil {
			return t, fmt.Errorf("worker %d: %w", i, err)
		}
		pair, acquire = append(pair, workers[i].pair...), append(acquire, workers[i].acquire...)
	}
	t.Pair, t.Acquire, t.Mallocs = figure.Of(pair), figure.Of(acquire), mallocs
	for i := range workers {
		if end-workers[i].last > max(half, 10*t.Pair.Median) {
			t.Stuck++
		}
	}
	if t.Pair.N == 0 {
		err = errors.New("not one pair in the whole time")
	}
	return t, err
}
