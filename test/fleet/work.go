package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	lockd "github.com/lockd/lockd/clients/go"
	"github.com/lockd/lockd/test/history"
)

// variable makes the test binary a client process; its value is the order.
const variable = "LOCKD_TEST_FLEET_CLIENT"

// order is what a client process is told.
type order struct {
	Work
	Client  string // who it is in the history
	History string // the file to write
}

// unavailableFor is for how long a client bears with nobody serving.
const unavailableFor = 30 * time.Second

// look is how often a holder looks whether its lease stands.
const look = 20 * time.Millisecond

// IsClient does a client process's work if this is one, and reports whether it was. TestMain calls it
// first.
func IsClient() bool {
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
		fmt.Println(err)
		os.Exit(1)
	}
	return true
}

func (o order) run() (err error) {
	f, err := os.OpenFile(o.History, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	seen := history.NewWriter(f)
	c, err := lockd.Dial(o.Target, lockd.WithOwner(o.Client), lockd.WithUnavailableFor(unavailableFor))
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	var working sync.WaitGroup
	for w := range o.Workers {
		one := &worker{
			order: o, client: c, seen: seen, number: w, random: rand.New(rand.NewPCG(o.Seed, uint64(w))),
		}
		working.Go(func() { one.work(ctx) })
	}
	fmt.Println("works")
	working.Wait()
	return errors.Join(c.Close(), seen.Err(), f.Close())
}

// worker takes and gives.
type worker struct {
	order
	client *lockd.Client
	seen   *history.Writer
	number int
	random *rand.Rand
}

func (w *worker) work(ctx context.Context) {
	for ctx.Err() == nil {
		name := w.Names[w.random.IntN(len(w.Names))]
		if l := w.take(ctx, name); l != nil {
			w.hold(ctx, l)
			w.give(l)
		}
		w.pause(ctx, w.upTo(w.Between))
	}
}

// take acquires name, and returns nil if it does not.
func (w *worker) take(ctx context.Context, name string) *lockd.Lease {
	if w.random.IntN(100) < w.Impatient {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, w.upTo(w.Patience))
		defer cancel()
	}
	r := w.tell(history.Record{Kind: history.Asked, Name: name, Call: history.Now()})
	l, err := w.client.Acquire(ctx, name, lockd.WithTTL(w.TTL))
	r.Return = history.Now()
	if err != nil {
		r.Kind = history.Refused
		if ctx.Err() == nil {
			r.Error = err.Error()
		}
		w.tell(r)
		return nil
	}
	r.Kind, r.Token = history.Granted, l.Token()
	// Read one after the other: a little too early is on the safe side.
	r.Until = history.Now() + int64(time.Until(l.Deadline()))
	w.tell(r)
	return l
}

// hold keeps l for a while, looking at it, until it has ended.
func (w *worker) hold(ctx context.Context, l *lockd.Lease) {
	for left := w.upTo(w.Hold); left > 0 && ctx.Err() == nil; left -= look {
		w.pause(l.Context(), min(look, left))
		at := history.Now()
		if l.Err() != nil {
			return
		}
		until := history.Now() + int64(time.Until(l.Deadline()))
		w.tell(history.Record{Kind: history.Holding, Name: l.Name(), Token: l.Token(), Call: at, Until: until})
	}
}

// give releases l and says how it was until then: before it releases, since it may not come back.
func (w *worker) give(l *lockd.Lease) {
	r := history.Record{Kind: history.Released, Name: l.Name(), Token: l.Token(), Call: history.Now()}
	if err := l.Err(); err != nil { // if not, it stood at r.Call
		r.Kind, r.Error = history.Lost, err.Error()
	}
	w.tell(r)
	if err := l.Release(context.Background()); err != nil && r.Kind == history.Released {
		r.Kind, r.Return, r.Error = history.Kept, history.Now(), err.Error()
		w.tell(r)
	}
}

func (w *worker) tell(r history.Record) history.Record {
	r.Client, r.Worker = w.Client, w.number
	w.seen.Add(r)
	return r
}

func (w *worker) upTo(d time.Duration) time.Duration {
	return time.Duration(w.random.Int64N(int64(d) + 1))
}

func (w *worker) pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
