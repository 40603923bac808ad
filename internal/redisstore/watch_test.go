package redisstore

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/test/redisproc"
)

// watch watches until the test ends.
func watch(t *testing.T, s *Store, prefix string) *told {
	t.Helper()
	x := new(told)
	stop, err := s.Watch(soon(t), prefix, x.deliver)
	if err != nil {
		t.Fatalf("Watch(%q) = %v", prefix, err)
	}
	t.Cleanup(stop)
	return x
}

// soonTold waits until x has been told lines, and nothing else.
func soonTold(t *testing.T, x *told, limit time.Duration, lines ...string) {
	t.Helper()
	end := time.Now().Add(limit)
	ticker := time.NewTicker(2 * time.Millisecond)
	defer ticker.Stop()
	for len(x.all()) < len(lines) && time.Now().Before(end) {
		<-ticker.C
	}
	x.want(t, lines...)
}

func release(t *testing.T, s *Store, a lease.Acquisition) lease.Outcome {
	t.Helper()
	got, err := s.Release(soon(t), lease.ReleaseRequest{Name: a.Name, ID: a.ID})
	if err != nil {
		t.Fatalf("Release(%q) = %v", a.Name, err)
	}
	return got.Outcome
}

// Whoever watches is told what is done through any lockd, in order, and only under the prefix.
func TestWatchTellsWhatEveryLockdDoes(t *testing.T) {
	r := redisproc.Shared(t)
	one, other := open(t, r.URL()), open(t, r.URL())
	x := watch(t, one, "jobs")
	a, b := asking("jobs/a"), asking("jobs/a")
	first := acquire(t, other, a)
	acquire(t, other, asking("jobs-not"))
	release(t, other, a)
	second := acquire(t, one, b)
	if _, err := other.ForceRelease(soon(t), lease.ForceRequest{Name: "jobs/a", Token: second.Token, By: "root", Reason: "hung"}); err != nil {
		t.Fatal(err)
	}
	soonTold(t, x, time.Second,
		line(lease.EventAcquired, "jobs/a", first.Token), line(lease.EventReleased, "jobs/a", first.Token),
		line(lease.EventAcquired, "jobs/a", second.Token), line(lease.EventForced, "jobs/a", second.Token))
	for _, e := range x.all() {
		if e.Owner != "tester" || time.Since(e.At).Abs() > maxSkew {
			t.Errorf("told %+v, want its owner, and when", e)
		}
	}
	if e := x.all()[3]; e.By != "root" || e.Reason != "hung" {
		t.Errorf("forced by %q for %q, want root, hung", e.By, e.Reason)
	}
}

// A lease that stood before the watch and one that came after are told to have expired within a second
// of that, not before, and once.
func TestExpiryIsToldWithinASecond(t *testing.T) {
	r := redisproc.Shared(t)
	s := open(t, r.URL())
	short := asking("a/before")
	short.TTL = 50 * time.Millisecond
	before := acquire(t, s, short)
	x := watch(t, s, "a")
	short = asking("a/after")
	short.TTL = 100 * time.Millisecond
	after := acquire(t, s, short)
	ends := map[string]time.Time{before.Name: before.Since.Add(before.ExpiresIn), after.Name: after.Since.Add(after.ExpiresIn)}
	soonTold(t, x, 2*time.Second, line(lease.EventAcquired, "a/after", after.Token),
		line(lease.EventExpired, "a/before", before.Token), line(lease.EventExpired, "a/after", after.Token))
	for _, e := range x.all()[1:] {
		// At is reckoned, and may be ahead by the time that some reply was under way.
		if late := e.At.Sub(ends[e.Name]); late < -20*time.Millisecond || late > time.Second {
			t.Errorf("the expiry of %q was told %s after it, want within 1s", e.Name, late)
		}
	}
}

// The scripts publish only while somebody watches, and when the last one has left nothing keeps them at it.
func TestNothingIsPublishedWhileNobodyWatches(t *testing.T) {
	r := redisproc.Start(t)
	s, c := open(t, r.URL()), client(t, r)
	published := func() int {
		c.ConfigResetStat(t.Context())
		a := asking("job")
		acquire(t, s, a)
		release(t, s, a)
		return commandCalls(t, c, "publish")
	}
	if n := published(); n != 0 {
		t.Errorf("%d messages were published, want none", n)
	}
	stop, err := s.Watch(soon(t), "", new(told).deliver)
	if err != nil {
		t.Fatal(err)
	}
	if n := published(); n != 2 {
		t.Errorf("%d messages were published, want 2", n)
	}
	stop()
	s.hub.running.Wait()
	c.Del(t.Context(), s.keys.watched()) // it would run out by itself
	if n := published(); n != 0 {
		t.Errorf("%d messages were published after the watch, want none", n)
	}
}

// The watched key stands when Watch returns and is renewed, also while Redis is full.
func TestWatchedIsKept(t *testing.T) {
	r := redisproc.Start(t)
	s, c := open(t, r.URL()), client(t, r)
	x := watch(t, s, "")
	left := func() time.Duration { return c.PTTL(t.Context(), s.keys.watched()).Val() }
	if px := left(); px > watchedFor || px < watchedFor-time.Second {
		t.Errorf("watched goes in %s, want %s", px, watchedFor)
	}
	c.ConfigSet(t.Context(), "maxmemory", "1")
	c.PExpire(t.Context(), s.keys.watched(), 3*time.Second)
	until(t, 2*time.Second, "the watched key is renewed", func() bool { return left() > 4*time.Second })
	x.want(t)
}

// When the watched key was gone for a while, events were not published: that is a gap.
func TestALapseOfWatchedIsAGap(t *testing.T) {
	r := redisproc.Shared(t)
	s, c := open(t, r.URL()), client(t, r)
	x := watch(t, s, "")
	c.FlushAll(t.Context())
	soonTold(t, x, 2*time.Second, missed)
	l := acquire(t, s, asking("job"))
	soonTold(t, x, time.Second, missed, line(lease.EventAcquired, "job", l.Token))
}

// A subscription that was cut is a gap, and goes on after it.
func TestACutSubscriptionIsAGap(t *testing.T) {
	r := redisproc.Shared(t)
	s, c := open(t, r.URL()), client(t, r)
	x := watch(t, s, "")
	if n, err := c.ClientKillByFilter(t.Context(), "TYPE", "pubsub").Result(); err != nil || n == 0 {
		t.Fatalf("CLIENT KILL = %d, %v, want a subscription killed", n, err)
	}
	until(t, 5*time.Second, "the gap is told", func() bool { return slices.Contains(x.short(), missed) })
	l := acquire(t, s, asking("job"))
	until(t, time.Second, "what follows is told", func() bool {
		return slices.Contains(x.short(), line(lease.EventAcquired, "job", l.Token))
	})
}

// A Redis that does not answer cannot be watched.
func TestWatchOfAMuteRedis(t *testing.T) {
	r := redisproc.Start(t)
	s := open(t, r.URL())
	r.Pause()
	defer r.Resume()
	if _, err := s.Watch(soon(t), "", new(told).deliver); !errors.Is(err, lease.ErrUnavailable) {
		t.Errorf("Watch = %v, want ErrUnavailable", err)
	}
}

// Under traffic through two lockds every lease is told once to be acquired and once to have ended, in
// that order, one lease after the other, and its end is the one that it had.
func TestWatchTellsEveryLeaseWhole(t *testing.T) {
	r := redisproc.Shared(t)
	stores := []*Store{open(t, r.URL()), open(t, r.URL())}
	x := watch(t, stores[0], "")
	watch(t, stores[1], "elsewhere")
	seed := rand.Uint64()
	t.Log("seed", seed)
	var mu sync.Mutex
	ended := map[lease.Token]lease.EventKind{} // as those know who ended them, or left them to expire
	var working sync.WaitGroup
	for i := range 6 {
		random := rand.New(rand.NewPCG(seed, uint64(i)))
		working.Go(func() {
			for end := time.Now().Add(2 * time.Second); time.Now().Before(end); {
				s, a := stores[random.IntN(2)], asking(fmt.Sprint(random.IntN(3)))
				a.TTL = time.Millisecond
				l, err := s.Acquire(soon(t), a)
				if err != nil {
					continue
				}
				kind := lease.EventReleased
				switch random.IntN(20) {
				case 0:
					kind = lease.EventExpired
				case 1:
					// About when it expires: it may be either.
					<-time.After(l.ExpiresIn - time.Millisecond)
					fallthrough
				default:
					if release(t, s, a) != lease.Held {
						kind = lease.EventExpired
					}
				}
				mu.Lock()
				ended[l.Token] = kind
				mu.Unlock()
			}
		})
	}
	working.Wait()
	until(t, 3*time.Second, "every end is told", func() bool { return len(x.all()) >= 2*len(ended) })
	open := map[string]lease.Token{}
	counts := map[lease.EventKind]int{}
	for _, e := range x.all() {
		counts[e.Kind]++
		switch {
		case e.Kind == lease.EventAcquired && open[e.Name] == 0:
			open[e.Name] = e.Token
		case e.Kind == ended[e.Token] && open[e.Name] == e.Token:
			delete(open, e.Name)
		default:
			t.Fatalf("told %+v while %d was in force; want one lease after the other, this one ended by %d", e, open[e.Name], ended[e.Token])
		}
	}
	if len(open) > 0 || counts[lease.EventExpired] == 0 || counts[lease.EventReleased] == 0 {
		t.Errorf("told %v, with %v still in force; want leases that expired, leases that were released, and no other", counts, open)
	}
}
