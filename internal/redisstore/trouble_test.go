package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/test/redisproc"
)

// trouble is what befalls a Redis while workers take, renew and give leases there.
type trouble struct {
	name string
	// make makes it, until ctx ends, and leaves Redis as it was.
	make func(ctx context.Context, t *testing.T, r *redisproc.Server, direct *redis.Client)
	says []error // what workers may be told meanwhile, beside that a lease is gone
}

var troubles = []trouble{
	{"stalls of 2 s", func(ctx context.Context, _ *testing.T, r *redisproc.Server, _ *redis.Client) {
		for again := true; again; again = sleep(ctx, 300*time.Millisecond) {
			r.Pause()
			sleep(ctx, 2*time.Second)
			r.Resume()
		}
	}, []error{lease.ErrUnknown, lease.ErrUnavailable}},
	{"connections killed every 100 ms", func(ctx context.Context, _ *testing.T, _ *redisproc.Server, direct *redis.Client) {
		for sleep(ctx, 100*time.Millisecond) {
			direct.Do(ctx, "CLIENT", "KILL", "SKIPME", "yes")
		}
	}, []error{lease.ErrUnknown, lease.ErrUnavailable}},
	{"maxclients", func(ctx context.Context, t *testing.T, _ *redisproc.Server, direct *redis.Client) {
		most := configGet(t, direct, "maxclients")
		direct.ConfigSet(ctx, "maxclients", "1") // ours; one for all of the store's calls would do
		direct.Do(ctx, "CLIENT", "KILL", "SKIPME", "yes")
		<-ctx.Done()
		direct.ConfigSet(context.WithoutCancel(ctx), "maxclients", most)
	}, []error{lease.ErrUnknown, lease.ErrUnavailable}},
	{"no memory", func(ctx context.Context, _ *testing.T, _ *redisproc.Server, direct *redis.Client) {
		direct.ConfigSet(ctx, "maxmemory", "1")
		<-ctx.Done()
		direct.ConfigSet(context.WithoutCancel(ctx), "maxmemory", "0")
	}, []error{lease.ErrStoreFull}},
}

const (
	troubleFor = 3 * time.Second
	hands      = 8
)

// Whatever befalls Redis, those who work meanwhile are told one of few things, all of which can be tried again; who
// holds a lease can give it back; afterwards all goes on by itself, and nothing is left behind: no lease that
// nobody knows of, no connection more than before.
func TestTroubles(t *testing.T) {
	for _, x := range troubles {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			r := redisproc.Start(t)
			s, direct := open(t, r.URL()), client(t, r)
			lessor := lease.NewLessor(s, lease.Limits{}.WithDefaults())
			w := &handful{lessor: lessor, says: x.says}
			all, stop := context.WithCancel(t.Context())
			defer stop()
			for i := range hands {
				w.running.Go(func() { w.work(all, t, i) })
			}
			until(t, 10*time.Second, "leases are granted", func() bool { return w.granted.Load() > 50 })
			ctx, cancel := context.WithTimeout(t.Context(), troubleFor)
			x.make(ctx, t, r, direct)
			cancel()
			before := w.granted.Load()
			until(t, 10*time.Second, "leases are granted again", func() bool { return w.granted.Load() > before+50 })
			stop()
			w.running.Wait()
			if w.failed.Load() == 0 {
				t.Error("nobody was told anything: the trouble was none")
			}
			until(t, 10*time.Second, "nothing is left behind", func() bool {
				locks, err := direct.Keys(t.Context(), "*:lock:*").Result()
				return err == nil && len(locks) == 0 && lessor.Status().PendingCleanups == 0
			})
			if n := connected(t, direct); n > poolSize+5 {
				t.Errorf("%d connections, want no more than the pool's", n)
			}
			if err := lessor.Close(t.Context()); err != nil {
				t.Errorf("Close = %v", err)
			}
		})
	}
}

// handful are workers on names of their own.
type handful struct {
	lessor          *lease.Lessor
	says            []error
	running         sync.WaitGroup
	granted, failed atomic.Int64
}

// work takes, renews and gives until ctx ends, and always gives back what it took. What it is not told it leaves to
// the Lessor. The ttl is long: what is left behind shows.
func (w *handful) work(ctx context.Context, t *testing.T, i int) {
	ttl := time.Minute
	for n := 0; ctx.Err() == nil; n++ {
		name, id := fmt.Sprintf("hand-%d/%d", i, n%3), newID()
		_, err := w.lessor.Acquire(t.Context(), lease.AcquireRequest{Name: name, ID: id, Attempt: 1, Owner: "hand", TTL: &ttl})
		if !w.may(t, "Acquire", err) {
			sleep(ctx, 5*time.Millisecond)
			continue
		}
		w.granted.Add(1)
		_, err = w.lessor.Renew(lease.RenewRequest{Name: name, ID: id})
		w.may(t, "Renew", err)
		for !w.may(t, "Release", giveBack(t, w.lessor, name, id)) { // the Lessor goes on with it as well
			sleep(t.Context(), 5*time.Millisecond)
		}
	}
}

func giveBack(t *testing.T, l *lease.Lessor, name string, id lease.ID) error {
	_, err := l.Release(lease.ReleaseRequest{Name: name, ID: id})
	return err
}

// may reports whether err is nil, and fails the test if it is nothing that may be told.
func (w *handful) may(t *testing.T, op string, err error) bool {
	if err == nil {
		return true
	}
	w.failed.Add(1)
	var held *lease.HeldError // by an attempt of ours that is yet to be undone
	for _, told := range append([]error{lease.ErrOverloaded}, w.says...) {
		if errors.Is(err, told) {
			return false
		}
	}
	if !errors.As(err, &held) || op != "Acquire" {
		t.Errorf("%s = %v, want nil or one of %v", op, err, w.says)
	}
	return false
}

func configGet(t *testing.T, c *redis.Client, name string) string {
	t.Helper()
	got, err := c.ConfigGet(t.Context(), name).Result()
	if err != nil {
		t.Fatal(err)
	}
	return got[name]
}

func connected(t *testing.T, c *redis.Client) int {
	t.Helper()
	list, err := c.ClientList(t.Context()).Result()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(list, "\n")
}
