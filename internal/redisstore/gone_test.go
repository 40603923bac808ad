package redisstore

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/test/proxy"
	"github.com/lockd/lockd/test/redisproc"
)

// Redis knows who listens to it. What follows from that for the line, and what does not.

// known waits until others know that s listens.
func known(t *testing.T, s *Store, c *redis.Client) {
	t.Helper()
	until(t, 5*time.Second, "the store is known to listen", func() bool {
		return strings.HasSuffix(c.HGet(t.Context(), s.keys.beats(), s.instance).Val(), "|"+runID(t, c))
	})
}

func runID(t *testing.T, c *redis.Client) string {
	t.Helper()
	for line := range strings.Lines(c.Info(t.Context(), "server").Val()) {
		if id, ok := strings.CutPrefix(strings.TrimSpace(line), "run_id:"); ok {
			return id
		}
	}
	t.Fatal("redis does not tell its run id")
	return ""
}

// gone cuts s off, as the end of its process would, and returns when Redis has noticed.
func gone(t *testing.T, s *Store, p *proxy.Proxy, c *redis.Client) {
	t.Helper()
	p.Refuse()
	p.Cut()
	until(t, 5*time.Second, "redis notices", func() bool {
		channel := s.keys.channels() + s.instance
		return c.PubSubNumSub(t.Context(), channel).Val()[channel] == 0
	})
}

// quiet ends what s does by itself: it does what it is told to and notices nothing between.
func quiet(s *Store) {
	s.stop()
	s.running.Wait()
}

// backInPlace waits until as many stand in line as before they were passed over.
func backInPlace(t *testing.T, s *Store, want int) {
	t.Helper()
	until(t, 5*time.Second, "the first is back in its place", func() bool {
		standing, err := s.Get(soon(t), lease.GetRequest{Name: "job"})
		return err == nil && standing.Waiting == want
	})
}

// Processes that have ended cost the line nothing, however recently they have beaten; and who turns out to
// live has its place again.
func TestWhoHasGoneIsHandedNothing(t *testing.T) {
	t.Parallel()
	r := redisproc.Start(t)
	c := client(t, r)
	b, a, p := behindProxy(t, r)
	d, _, q := behindProxy(t, r)
	holder := asking("job")
	acquire(t, a, holder)
	first := queued(t, b, "job")
	queued(t, d, "job")
	second := queued(t, a, "job")
	known(t, b, c)
	known(t, d, c)
	quiet(a)
	gone(t, b, p, c)
	gone(t, d, q, c)
	freed(t, a, "job", holder.ID)
	second.within(t, lease.Unclaimed/2)
	third := queued(t, a, "job")
	if err := p.Accept(); err != nil {
		t.Fatal(err)
	}
	backInPlace(t, a, 2)
	freed(t, a, "job", second.ID)
	first.within(t, 2*time.Second)
	third.none(t)
}

// A beat notices who has gone, and says it to all: should Redis be started again nobody can tell any more.
func TestABeatNoticesWhoHasGone(t *testing.T) {
	t.Parallel()
	r := redisproc.Start(t)
	c := client(t, r)
	b, a, p := behindProxy(t, r)
	acquire(t, a, asking("job"))
	queued(t, b, "job")
	known(t, b, c)
	quiet(a)
	if dead := a.beat(t.Context(), nil); len(dead) > 0 {
		t.Errorf("a beat said that %v are dead, want nobody", dead)
	}
	gone(t, b, p, c)
	if dead := a.beat(t.Context(), nil); !slices.Contains(dead, b.instance) {
		t.Errorf("a beat said that %v are dead, want %s", dead, b.instance)
	}
	if text := c.HGet(t.Context(), a.keys.beats(), b.instance).Val(); !strings.HasSuffix(text, "|0") {
		t.Errorf("of who has gone the beats say %q, want it suspected", text)
	}
}

// outage is a Redis that was killed and started again while two waited for a name that was freed then: first at
// a process that cannot reach it yet, second at a.
type outage struct {
	a             *Store
	c             *redis.Client
	p             *proxy.Proxy // of first's process
	first, second turn
}

// restarted makes one; this Redis has been heard of for so long.
func restarted(t *testing.T, ago time.Duration) outage {
	t.Helper()
	r := redisproc.Start(t, redisproc.Args("--appendonly", "yes", "--appendfsync", "always"))
	b, a, p := behindProxy(t, r)
	o := outage{a: a, c: client(t, r), p: p}
	holder := asking("job")
	acquire(t, a, holder)
	o.first, o.second = queued(t, b, "job"), queued(t, a, "job")
	known(t, b, o.c)
	quiet(a)
	r.Kill()
	p.Refuse()
	r.Restart()
	heard := fmt.Sprintf("%d|%s", time.Now().Add(-ago).UnixMicro(), runID(t, o.c))
	if err := o.c.HSet(t.Context(), a.keys.beats(), "redis", heard).Err(); err != nil {
		t.Fatal(err)
	}
	freed(t, a, "job", holder.ID)
	return o
}

// After a restart of Redis nobody listens at first, which says nothing: who is first in line is waited for.
func TestARestartedRedisPassesNobodyOver(t *testing.T) {
	t.Parallel()
	o := restarted(t, -time.Minute)
	if err := o.p.Accept(); err != nil {
		t.Fatal(err)
	}
	o.first.within(t, lease.Unclaimed)
	o.second.none(t)
}

// Who does not come back although others have is passed over. It keeps its place, and is not held to have left
// what it was handed meanwhile.
func TestWhoDoesNotComeBackIsPassedOver(t *testing.T) {
	t.Parallel()
	for what, ago := range map[string]time.Duration{"in time": comeBack - 150*time.Millisecond, "any more": comeBack} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			o := restarted(t, ago)
			until(t, lease.Unclaimed/2, "it is passed on", func() bool {
				_, err := o.a.runLine(soon(t), promoteScript, "job")
				return err == nil && len(o.second.came) == 1
			})
			third := queued(t, o.a, "job")
			if err := o.p.Accept(); err != nil {
				t.Fatal(err)
			}
			backInPlace(t, o.a, 2)
			if n := o.c.HLen(t.Context(), o.a.keys.given()).Val(); n != 0 {
				t.Errorf("%d hand-overs are noted, want none: who was handed something is in line again", n)
			}
			freed(t, o.a, "job", o.second.ID)
			o.first.within(t, 2*time.Second)
			third.none(t)
		})
	}
}

// All who died while Redis was away cost the line one moment together, and a shorter one than a hand-over that nobody
// takes up.
func TestTheDeadOfAnOutageCostOneMoment(t *testing.T) {
	t.Parallel()
	r := redisproc.Start(t, redisproc.Args("--appendonly", "yes", "--appendfsync", "always"))
	c := client(t, r)
	b, a, p := behindProxy(t, r)
	d, _, q := behindProxy(t, r)
	holder := asking("job")
	acquire(t, a, holder)
	queued(t, b, "job")
	queued(t, d, "job")
	queued(t, b, "job")
	second := queued(t, a, "job")
	known(t, b, c)
	known(t, d, c)
	r.Kill()
	p.Refuse()
	q.Refuse()
	r.Restart()
	freed(t, a, "job", holder.ID)
	second.within(t, lease.Unclaimed-100*time.Millisecond)
}

// Whose subscription was lost listens again and says so at once, not with the next beat: others do not wait for
// long.
func TestWhoListensAgainSaysSo(t *testing.T) {
	t.Parallel()
	r := redisproc.Start(t)
	s, c := open(t, r.URL()), client(t, r)
	acquire(t, s, asking("job"))
	queued(t, s, "job")
	known(t, s, c)
	beat := func() string { return c.HGet(t.Context(), s.keys.beats(), s.instance).Val() }
	began := time.Now()
	for range 5 {
		last := beat()
		if err := c.Do(t.Context(), "CLIENT", "KILL", "TYPE", "pubsub").Err(); err != nil {
			t.Fatal(err)
		}
		until(t, 5*time.Second, "it has beaten", func() bool { return beat() != last })
		known(t, s, c)
	}
	if took := time.Since(began); took >= 4*beatEvery {
		t.Errorf("five times took %s, want less than the beats alone would", took)
	}
}

// A line in which nobody waits any more who lives is looked at for as long as it stands, by whoever looked last:
// else its keys would stay for as long as those waits would have lasted.
func TestALineOfTheGoneIsLookedAt(t *testing.T) {
	t.Parallel()
	r := redisproc.Start(t)
	b, a, p := behindProxy(t, r)
	c := client(t, r)
	holder := asking("job")
	acquire(t, a, holder)
	queued(t, b, "job")
	known(t, b, c)
	gone(t, b, p, c)
	a.promote("job")
	if _, wait := a.alarms.next(); wait > lease.Grace(holder.TTL)+holder.TTL+time.Second {
		t.Errorf("the line is looked at in %s, want when the lease is over", wait)
	}
	a.promote("other")
	a.alarms.mu.Lock()
	defer a.alarms.mu.Unlock()
	if a.alarms.byName["other"] != nil {
		t.Error("a name with no line is looked at again, want not")
	}
}
