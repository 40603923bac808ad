package keepalive

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/client/v3"

	"github.com/lockd/lockd/bench/child"
	"github.com/lockd/lockd/bench/floor"
	"github.com/lockd/lockd/bench/peer"
	lockd "github.com/lockd/lockd/clients/go"
)

// Role is the name of the client process.
const Role = "keepalive"

// order is what a client process is told.
type order struct {
	Kind   peer.Kind // Lockd, Etcd or Bare
	Target string
	Leases int
	TTL    time.Duration
}

// tally is what it tells.
type tally struct {
	Renewals int64 // in the window; of lockd they are counted in Redis
	Lost     int   // leases that did not last
}

// beginners is how many leases are asked for at a time.
const beginners = 128

// Client is the client process: it takes the leases and lets its client library keep them.
func Client(text []byte, await child.Await) (any, error) {
	var o order
	if err := json.Unmarshal(text, &o); err != nil {
		return nil, err
	}
	switch o.Kind {
	case peer.Etcd:
		return o.etcd(await)
	case peer.Bare:
		return o.bare(await)
	default:
		return o.lockd(await)
	}
}

// atOnce is how many lockd's client renews together.
const atOnce = 512

// bare renews each lease when a third of its ttl is over, as many together as lockd's client does.
func (o order) bare(await child.Await) (t tally, err error) {
	c, err := floor.Open(o.Target)
	if err != nil {
		return t, err
	}
	defer c.Close()
	leaseID := fmt.Sprintf("%032x", 1) // nobody looks
	leases := make([]*floor.Asker, o.Leases)
	for i := range leases {
		leases[i] = c.Asker(fmt.Sprintf("bench/keepalive/%d", i))
	}
	err = o.each(func(i int) error { return leases[i].Acquire(leaseID, o.TTL) })
	if err != nil {
		return t, err
	}
	w, err := await()
	if err != nil {
		return t, err
	}
	groups := slices.Collect(slices.Chunk(leases, atOnce))
	every := int64(o.TTL) / int64(3*len(groups))
	for at, i := w.Begin, 0; at < w.To; at, i = at+every, i+1 {
		child.SleepUntil(at)
		if err := c.Renew(groups[i%len(groups)], leaseID, o.TTL); err != nil {
			return t, err
		}
	}
	return t, nil
}

func (o order) lockd(await child.Await) (t tally, err error) {
	c, err := lockd.Dial(o.Target)
	if err != nil {
		return t, err
	}
	defer func() { _ = c.Close() }() // leases that it has no time for end by themselves
	leases := make([]*lockd.Lease, o.Leases)
	err = o.each(func(i int) (err error) {
		leases[i], err = c.Acquire(context.Background(), fmt.Sprintf("bench/keepalive/%d", i), lockd.WithTTL(o.TTL))
		return err
	})
	if err != nil {
		return t, err
	}
	w, err := await()
	if err != nil {
		return t, err
	}
	child.SleepUntil(w.To)
	for _, l := range leases {
		if l.Err() != nil {
			t.Lost++
		}
	}
	return t, nil
}

func (o order) etcd(await child.Await) (t tally, err error) {
	c, err := peer.NewEtcd(o.Target)
	if err != nil {
		return t, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	var reading sync.WaitGroup
	defer func() {
		cancel()
		reading.Wait()
		_ = c.Close()
	}()
	var renewals, ended atomic.Int64
	err = o.each(func(int) error {
		l, err := c.Grant(ctx, int64(o.TTL/time.Second))
		if err != nil {
			return err
		}
		// What concurrency.Session does with each lease.
		answers, err := c.KeepAlive(ctx, l.ID)
		if err != nil {
			return err
		}
		reading.Go(func() { count(answers, &renewals); ended.Add(1) })
		return nil
	})
	if err != nil {
		return t, err
	}
	w, err := await()
	if err != nil {
		return t, err
	}
	child.SleepUntil(w.From)
	t.Renewals = -renewals.Load()
	child.SleepUntil(w.To)
	t.Renewals += renewals.Load()
	t.Lost = int(ended.Load())
	return t, nil
}

func count(answers <-chan *clientv3.LeaseKeepAliveResponse, n *atomic.Int64) {
	for range answers {
		n.Add(1)
	}
}

// each begins every lease and returns what failed first.
func (o order) each(begin func(i int) error) error {
	var next atomic.Int64
	failures := make([]error, beginners)
	var beginning sync.WaitGroup
	for b := range failures {
		beginning.Go(func() {
			for i := int(next.Add(1)) - 1; i < o.Leases; i = int(next.Add(1)) - 1 {
				if failures[b] = begin(i); failures[b] != nil {
					return
				}
			}
		})
	}
	beginning.Wait()
	for _, err := range failures {
		if err != nil {
			return fmt.Errorf("taking %d leases: %w", o.Leases, err)
		}
	}
	return nil
}
