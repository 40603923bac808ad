package contest

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/lockd/lockd/test/history"
)

// variable makes the program a client process; its value is the order.
const variable = "LOCKD_BENCH_CLIENT"

// order is what a client process is told.
type order struct {
	Kind    Kind
	Target  string
	Number  int64 // of the client process, from 1
	Client  string
	Workers int
	History string // the file to write
	Hold    time.Duration
	Between time.Duration
}

// Client does a client process's work if this is one, and reports whether it was. main calls it first.
func Client() bool {
	text := os.Getenv(variable)
	if text == "" {
		return false
	}
	var o order
	err := json.Unmarshal([]byte(text), &o)
	if err == nil {
		err = o.run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return true
}

// run waits for a line with the times to begin and to end at, works in between, and writes what it
// saw when it is over: nothing is written while others are measured.
func (o order) run() error {
	p, err := open(o.Kind, o.Target)
	if err != nil {
		return err
	}
	defer p.close()
	// Once before it counts: connections are made, scripts loaded.
	_, release, err := p.acquire(context.Background())
	if err == nil {
		err = release()
	}
	if err != nil {
		return err
	}
	fmt.Println("ready")
	line, err := bufio.NewReader(os.Stdin).ReadString('\n')
	if err != nil {
		return err
	}
	first, second, _ := strings.Cut(strings.TrimSpace(line), " ")
	begin, err1 := strconv.ParseInt(first, 10, 64)
	end, err2 := strconv.ParseInt(second, 10, 64)
	if err1 != nil || err2 != nil {
		return fmt.Errorf("told %q, want when to begin and when to end", line)
	}
	time.Sleep(time.Duration(begin - history.Now()))
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(end-history.Now()))
	defer cancel()
	records := make([][]history.Record, o.Workers)
	failures := make([]error, o.Workers)
	var working sync.WaitGroup
	for w := range o.Workers {
		working.Go(func() { records[w], failures[w] = o.work(ctx, p, w) })
	}
	working.Wait()
	for w, err := range failures {
		if err != nil {
			return fmt.Errorf("worker %d: %w", w, err)
		}
	}
	return o.write(records)
}

// work takes and gives until ctx ends.
func (o order) work(ctx context.Context, p peer, worker int) (seen []history.Record, err error) {
	for n := int64(1); ctx.Err() == nil; n++ {
		r := history.Record{Client: o.Client, Worker: worker, Name: name, Call: history.Now()}
		r.Kind = history.Asked
		seen = append(seen, r)
		token, release, err := p.acquire(ctx)
		r.Return = history.Now()
		if err != nil {
			if ctx.Err() == nil {
				return seen, err
			}
			r.Kind = history.Refused
			return append(seen, r), nil
		}
		if token == 0 { // a number of its own, so that leases can be told apart
			token = o.Number<<48 + int64(worker+1)<<32 + n
		}
		r.Kind, r.Token = history.Granted, token
		seen = append(seen, r)
		time.Sleep(o.Hold)
		r.Kind, r.Call, r.Return = history.Released, history.Now(), 0
		seen = append(seen, r)
		if err := release(); err != nil {
			return seen, err
		}
		time.Sleep(o.Between)
	}
	return seen, nil
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
