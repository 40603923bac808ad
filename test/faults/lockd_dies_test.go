package faults

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	lockd "github.com/lockd/lockd/clients/go"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
	"github.com/lockd/lockd/test/redisproc"
)

// Leases last long enough for a lockd to be started on a busy machine, and are renewed every second.
const ttl = 3 * time.Second

// lockd killed with −9 and started again: every lease lives on with its token, renewals go on, who
// waited goes on waiting, and nobody is told of an error.
func TestLockdKilledAndRestarted(t *testing.T) {
	s := start(t, redisproc.Start(t).URL())
	c := dial(t, s.Addr())
	holders := takeMany(t, c, 8)
	waiter := wait(t, dial(t, s.Addr()), holders[0].Name())

	s.Kill()
	s.Restart()
	wantAllLiveOn(t, holders, time.Now())

	if err := holders[0].Release(soon(t)); err != nil {
		t.Errorf("Release after the restart = %v, want nil", err)
	}
	got := <-waiter
	if got.err != nil || got.lease.Token() <= holders[0].Token() {
		t.Errorf("who waited through the restart got %v, %v; want a lease with a larger token", got.lease, got.err)
	}
	if err := got.lease.Release(soon(t)); err != nil {
		t.Errorf("Release = %v", err)
	}
}

// lockd killed with −9 and replaced by another one, which knows nothing but Redis.
func TestLockdKilledAndReplaced(t *testing.T) {
	r := redisproc.Start(t)
	s1, s2 := start(t, r.URL()), start(t, r.URL())
	holders := takeMany(t, dial(t, s1.Addr()+","+s2.Addr()), 8)
	waiter := wait(t, dial(t, s1.Addr()+","+s2.Addr()), holders[0].Name())

	s1.Kill()
	wantAllLiveOn(t, holders, time.Now())
	for _, l := range holders {
		if got := s2.get(t, l.Name()); got.GetToken() != l.Token() {
			t.Errorf("%s at the other lockd has token %d, want %d", l.Name(), got.GetToken(), l.Token())
		}
	}
	if err := holders[0].Release(soon(t)); err != nil {
		t.Errorf("Release after the kill = %v, want nil", err)
	}
	if got := <-waiter; got.err != nil {
		t.Errorf("who waited got %v, want a lease", got.err)
	}
}

// One lockd after the other is drained and started again while clients take and give: no lease is lost, and
// no client sees an error.
func TestRollingRestartUnderLoad(t *testing.T) {
	r := redisproc.Start(t)
	s1, s2 := start(t, r.URL()), start(t, r.URL())
	c := dial(t, s1.Addr()+","+s2.Addr())
	holders := takeMany(t, c, 8)

	ctx, stop := context.WithCancel(t.Context())
	var working sync.WaitGroup
	defer working.Wait()
	defer stop()
	var grants atomic.Int64
	for w := range 4 {
		working.Go(func() { grants.Add(work(t, ctx, c, fmt.Sprintf("contended/%d", w%2))) })
	}
	for _, s := range []*server{s1, s2, s1, s2} {
		s.Stop()
		if got := s.ExitCode(); got != 0 {
			t.Errorf("lockd drained with exit code %d, want 0", got)
		}
		wantAllLiveOn(t, holders, time.Now())
		s.Restart()
	}
	stop()
	working.Wait()
	if n := grants.Load(); n < 100 {
		t.Errorf("%d grants during the restarts, want many: nothing was tested", n)
	}
}

// work takes and gives name until ctx ends, and answers how often. Tokens must increase.
func work(t *testing.T, ctx context.Context, c *lockd.Client, name string) (n int64) {
	last := int64(0)
	for ctx.Err() == nil {
		l, err := c.Acquire(ctx, name, lockd.WithTTL(ttl))
		if err != nil {
			if ctx.Err() == nil {
				t.Errorf("Acquire(%s) = %v, want a lease", name, err)
			}
			return n
		}
		if l.Token() <= last {
			t.Errorf("token went from %d to %d, want larger", last, l.Token())
		}
		last, n = l.Token(), n+1
		if err := l.Release(context.WithoutCancel(ctx)); err != nil {
			t.Errorf("Release(%s) = %v, want nil", name, err)
		}
	}
	return n
}

// A lockd that comes back before the deadline has cost nothing; one that does not costs the lease,
// at its deadline and with the reason.
func TestLockdGoneForLonger(t *testing.T) {
	s := start(t, redisproc.Start(t).URL())
	l := take(t, dial(t, s.Addr()), "job", ttl)
	s.Kill()
	deadline := l.Deadline()
	select {
	case <-l.Context().Done():
	case <-soon(t).Done():
		t.Fatal("the context does not end")
	}
	if time.Now().Before(deadline) || !errors.Is(context.Cause(l.Context()), lockd.ErrExpired) {
		t.Errorf("the context ended %s after the deadline with %v, want not before and ErrExpired",
			time.Since(deadline), context.Cause(l.Context()))
	}
	s.Restart()
	if next := take(t, dial(t, s.Addr()), "job", ttl); next.Token() <= l.Token() {
		t.Errorf("token went from %d to %d, want larger", l.Token(), next.Token())
	}
}

// What a killed lockd was about to undo is left to its ttl, and to the retry.
func TestARetryFindsWhatAKilledLockdWasGranted(t *testing.T) {
	r := redisproc.Start(t, redisproc.TCP())
	p := redisProxy(t, r)
	s1, s2 := start(t, "redis://"+p.Addr()), start(t, r.URL())
	id := newID(t)
	p.LoseReply(onLock("job"), 1)
	if _, err := s1.lease.Acquire(soon(t), request("job", id, 1)); reason(err) != "STORE_UNAVAILABLE" {
		t.Fatalf("Acquire whose reply is lost = %v, want STORE_UNAVAILABLE", err)
	}
	s1.Kill()
	held := s2.get(t, "job")
	if got := s2.acquire(t, request("job", id, 2)); held == nil || got.GetToken() != held.GetToken() {
		t.Errorf("the retry got %v, want what stood: %v", got, held)
	}
	s2.release(t, "job", id, lockdv1.ReleaseResponse_HELD)
}

func takeMany(t *testing.T, c *lockd.Client, n int) []*lockd.Lease {
	t.Helper()
	var leases []*lockd.Lease
	for i := range n {
		leases = append(leases, take(t, c, fmt.Sprintf("long/%d", i), ttl))
	}
	return leases
}

// wantAllLiveOn waits until each lease has been renewed since.
func wantAllLiveOn(t *testing.T, leases []*lockd.Lease, since time.Time) {
	t.Helper()
	for _, l := range leases {
		renewedAfter(t, l, since)
	}
}

type acquired struct {
	lease *lockd.Lease
	err   error
}

// wait acquires a name that is held, in the background, and returns when lockd has been asked.
func wait(t *testing.T, c *lockd.Client, name string) <-chan acquired {
	t.Helper()
	if _, err := c.TryAcquire(soon(t), name); !errors.As(err, new(*lockd.HeldError)) {
		t.Fatalf("TryAcquire(%s) = %v, want that it is held", name, err)
	}
	done := make(chan acquired, 1)
	ctx := soon(t)
	go func() {
		l, err := c.Acquire(ctx, name, lockd.WithTTL(ttl))
		done <- acquired{l, err}
	}()
	return done
}
