package contest

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/lockd/lockd/bench/child"
	"github.com/lockd/lockd/bench/peer"
	"github.com/lockd/lockd/test/history"
)

// Role is the name of the client processes.
const Role = "contest"

// name is what everybody wants.
const name = "bench/contention"

// order is what a client process is told.
type order struct {
	Kind    peer.Kind
	Target  string
	Redis   string
	Number  int64 // of the client process, from 1
	Client  string
	Workers int
	History string // the file to write
	Hold    time.Duration
	Between time.Duration
}

// Client is a client process: it works in its window, and writes what it saw when that is over.
func Client(text []byte, await child.Await) (any, error) {
	var o order
	if err := json.Unmarshal(text, &o); err != nil {
		return nil, err
	}
	p, err := peer.Open(o.Kind, o.Target, o.Redis)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	lockers := make([]peer.Locker, o.Workers)
	for w := range lockers {
		if lockers[w], err = p.Worker(context.Background(), name); err != nil {
			return nil, err
		}
	}
	// Once before it counts: connections are made, scripts loaded.
	lease, err := lockers[0].Acquire(context.Background())
	if err == nil {
		err = lease.Release(context.Background())
	}
	if err != nil {
		return nil, err
	}
	w, err := await()
	if err != nil {
		return nil, err
	}
	child.SleepUntil(w.Begin)
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(w.To-history.Now()))
	defer cancel()
	records := make([][]history.Record, o.Workers)
	failures := make([]error, o.Workers)
	var working sync.WaitGroup
	for i, l := range lockers {
		working.Go(func() { records[i], failures[i] = o.work(ctx, l, i) })
	}
	working.Wait()
	for i, err := range failures {
		if err != nil {
			return nil, fmt.Errorf("worker %d: %w", i, err)
		}
	}
	return nil, o.write(records)
}

// work takes and gives until ctx ends.
func (o order) work(ctx context.Context, l peer.Locker, worker int) (seen []history.Record, err error) {
	for n := int64(1); ctx.Err() == nil; n++ {
		r := history.Record{Client: o.Client, Worker: worker, Name: name, Call: history.Now()}
		r.Kind = history.Asked
		seen = append(seen, r)
		lease, err := l.Acquire(ctx)
		r.Return = history.Now()
		if err != nil {
			if ctx.Err() == nil {
				return seen, err
			}
			r.Kind = history.Refused
			return append(seen, r), nil
		}
		r.Kind, r.Token = history.Granted, token(lease, o.Number<<48+int64(worker+1)<<32+n)
		seen = append(seen, r)
		time.Sleep(o.Hold)
		r.Kind, r.Call, r.Return = history.Released, history.Now(), 0
		seen = append(seen, r)
		if err := lease.Release(context.Background()); err != nil {
			return seen, err
		}
		time.Sleep(o.Between)
	}
	return seen, nil
}

// token is the lease's, or a number of its own where there is no such thing, so that leases can be told apart.
func token(l peer.Lease, number int64) int64 {
	if l, ok := l.(interface{ Token() int64 }); ok {
		return l.Token()
	}
	return number
}

func (o order) write(records [][]history.Record) error {
	f, err := os.Create(o.History)
	if err != nil {
		return err
	}
	buffered := bufio.NewWriter(f)
	w := history.NewWriter(buffered)
	for _, some := range records {
		for _, r := range some {
			w.Add(r)
		}
	}
	if err := w.Err(); err != nil {
		return err
	}
	if err := buffered.Flush(); err != nil {
		return err
	}
	return f.Close()
}
