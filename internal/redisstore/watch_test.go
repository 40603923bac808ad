package redisstore

import (
	"errors"
	"slices"
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

func release(t *testing.T, s *Store, a lease.Acquisition) {
	t.Helper()
	if _, err := s.Release(soon(t), lease.ReleaseRequest{Name: a.Name, ID: a.ID}); err != nil {
		t.Fatalf("Release(%q) = %v", a.Name, err)
	}
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

// What one lockd forces the others are told of, though nobody watches.
func TestForcedIsToldByEveryLockd(t *testing.T) {
	r := redisproc.Shared(t)
	one, other := listening(t, r.URL(), client(t, r)), open(t, r.URL())
	x := new(told)
	one.Forced(x.deliver)
	l := acquire(t, other, asking("job"))
	if _, err := other.ForceRelease(soon(t), lease.ForceRequest{Name: "job", Token: l.Token, By: "root", Reason: "hung"}); err != nil {
		t.Fatal(err)
	}
	soonTold(t, x, time.Second, line(lease.EventForced, "job", l.Token))
	if e := x.all()[0]; e.Owner != "tester" || e.By != "root" || e.Reason != "hung" {
		t.Errorf("told %+v, want the owner, who forced, and why", e)
	}
}

// The line is told: who takes a place and leaves it, and whose place became a lease.
func TestWatchTellsTheLine(t *testing.T) {
	r := redisproc.Shared(t)
	one, other := open(t, r.URL()), open(t, r.URL())
	x := watch(t, one, "job")
	holder := asking("job")
	first := acquire(t, one, holder)
	leaves, next := queued(t, one, "job"), queued(t, other, "job")
	if err := one.Undo(t.Context(), undoing(leaves.Acquisition)); err != nil {
		t.Fatal(err)
	}
	release(t, one, holder)
	second := next.within(t, 5*time.Second).Lease
	release(t, other, next.Acquisition)
	soonTold(t, x, time.Second,
		line(lease.EventAcquired, "job", first.Token), line(lease.EventQueued, "job", 0), line(lease.EventQueued, "job", 0),
		line(lease.EventLeft, "job", 0), line(lease.EventReleased, "job", first.Token),
		line(lease.EventAcquired, "job", second.Token), line(lease.EventReleased, "job", second.Token))
	if e := x.all(); e[1].Ticket == 0 || e[1].Ticket >= e[2].Ticket || e[3].Ticket != e[1].Ticket || e[5].Ticket != e[2].Ticket || e[2].Owner != "tester" {
		t.Errorf("told %+v; want growing tickets, the first one's left, and the second one's granted", e)
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
