package redisstore

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/test/proxy"
	"github.com/lockd/lockd/test/redisproc"
)

// What the line does when processes die and messages are lost. Order and places are leasetest's.

// turn is one who stands in line, and where its turn arrives.
type turn struct {
	lease.Acquisition
	came chan lease.Handover
}

// waiting asks for name ready to wait.
func waiting(name string) turn {
	w := turn{asking(name), make(chan lease.Handover, 1)}
	w.Turn, w.Until = func(h lease.Handover) { w.came <- h }, time.Now().Add(time.Minute)
	return w
}

// queued puts one into line.
func queued(t *testing.T, s *Store, name string) turn {
	t.Helper()
	w := waiting(name)
	enqueued(t, s, w)
	return w
}

func enqueued(t *testing.T, s *Store, w turn) {
	t.Helper()
	_, err := s.Acquire(soon(t), w.Acquisition)
	var held *lease.HeldError
	if !errors.As(err, &held) || held.Place == 0 {
		t.Fatalf("Acquire(%q, ready to wait) = %v, want a place in line", w.Name, err)
	}
}

// within waits for the turn of w.
func (w turn) within(t *testing.T, limit time.Duration) lease.Handover {
	t.Helper()
	select {
	case h := <-w.came:
		return h
	case <-time.After(limit):
		t.Fatalf("no turn for %s within %s", w.ID, limit)
		return lease.Handover{}
	}
}

func (w turn) none(t *testing.T) {
	t.Helper()
	select {
	case h := <-w.came:
		t.Errorf("%s was handed token %d, want nothing", w.ID, h.Lease.Token)
	default:
	}
}

func freed(t *testing.T, s *Store, name string, id lease.ID) {
	t.Helper()
	if got, err := s.Release(soon(t), lease.ReleaseRequest{Name: name, ID: id}); err != nil || got.Outcome != lease.Held {
		t.Fatalf("Release(%q) = %v, %v, want Held", name, got.Outcome, err)
	}
}

// listening returns a store that hears what is published.
func listening(t *testing.T, url string, c *redis.Client) *Store {
	t.Helper()
	s := open(t, url)
	until(t, 5*time.Second, "the store listens", func() bool {
		channel := s.keys.channels() + s.instance
		return c.PubSubNumSub(t.Context(), channel).Val()[channel] == 1
	})
	return s
}

// mute makes an instance one that died long ago, without waiting for it.
func mute(t *testing.T, s *Store, c *redis.Client) {
	t.Helper()
	long := time.Now().Add(-aliveFor - time.Second).UnixMicro()
	if err := c.HSet(t.Context(), s.keys.beats(), s.instance, fmt.Sprintf("%d|%d", long, long)).Err(); err != nil {
		t.Fatal(err)
	}
}

func lineKeys(t *testing.T, s *Store, c *redis.Client, name string) int64 {
	t.Helper()
	n, err := c.Exists(t.Context(), s.keys.ofLine(name)[:4]...).Result()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A hand-over to another process arrives there at once, and is made a whole lease before it is told.
func TestAHandOverReachesAnotherProcess(t *testing.T) {
	r := redisproc.Shared(t)
	c := client(t, r)
	a, b := listening(t, r.URL(), c), listening(t, r.URL(), c)
	holder := asking("job")
	acquire(t, a, holder)
	w := queued(t, b, "job")
	before := time.Now()
	freed(t, a, "job", holder.ID)
	h := w.within(t, time.Second)
	if h.Began.Before(before) || h.Lease.ExpiresIn != w.TTL+lease.Grace(w.TTL) {
		t.Errorf("handed over with %s left as of %s before the release, want a whole lease after it", h.Lease.ExpiresIn, before.Sub(h.Began))
	}
	if left := c.PTTL(t.Context(), a.keys.lock("job")).Val(); left <= lease.Unclaimed {
		t.Errorf("the key expires in %s, want a whole lease", left)
	}
	until(t, time.Second, "the note is gone", func() bool { return c.HLen(t.Context(), a.keys.given()).Val() == 0 })
	freed(t, b, "job", w.ID)
	if n := lineKeys(t, a, c, "job"); n != 0 {
		t.Errorf("%d keys of the name are left, want none", n)
	}
}

// A process that hears no message finds at its next beat what it was handed; and it says that it is deaf.
func TestALostMessageCostsABeat(t *testing.T) {
	t.Parallel()
	r := redisproc.Start(t)
	c := client(t, r)
	if err := c.Do(t.Context(), "ACL", "SETUSER", "deaf", "on", ">pw", "~*", "+@all", "&*").Err(); err != nil {
		t.Fatal(err)
	}
	notices := make(chan string, 100)
	a := open(t, r.URL())
	b, err := Open(t.Context(), Config{URL: "unix://deaf:pw@" + r.Addr(), Notice: func(msg string) { notices <- msg }})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := c.Do(t.Context(), "ACL", "SETUSER", "deaf", "resetchannels").Err(); err != nil {
		t.Fatal(err)
	}
	holder := asking("job")
	acquire(t, a, holder)
	w, second := queued(t, b, "job"), queued(t, a, "job")
	freed(t, a, "job", holder.ID)
	w.within(t, 2*time.Second)
	second.none(t)
	until(t, time.Second, "the notice", func() bool {
		return strings.Contains(<-notices, "does not let this server listen")
	})
}

// The lost reply of a release does not lose the turn of one who waits in the same process.
func TestALostReplyDoesNotLoseATurn(t *testing.T) {
	s, _, p := behindProxy(t, redisproc.Shared(t))
	holder := asking("job")
	acquire(t, s, holder)
	w := queued(t, s, "job")
	p.LoseReply(calls(freeScript), 1)
	if _, err := s.Release(soon(t), lease.ReleaseRequest{Name: "job", ID: holder.ID}); !errors.Is(err, lease.ErrUnknown) {
		t.Fatalf("Release with its reply lost = %v, want ErrUnknown", err)
	}
	w.within(t, 2*time.Second)
}

// A process that died is passed over, and those who wait there have their places again when they ask:
// here it comes back to life, and asks by itself.
func TestADeadProcessIsPassedOver(t *testing.T) {
	t.Parallel()
	r := redisproc.Start(t)
	c := client(t, r)
	a, p := open(t, r.URL()), proxy.Redis(t, r.Addr())
	b := open(t, "redis://"+p.Addr())
	holder := asking("job")
	acquire(t, a, holder)
	first, second := queued(t, b, "job"), queued(t, a, "job")
	p.Refuse()
	p.Cut()
	mute(t, b, c)
	if standing, err := a.Get(soon(t), lease.GetRequest{Name: "job", Waiters: 10}); err != nil || standing.Waiting != 1 || len(standing.Waiters) != 1 {
		t.Errorf("Get = %+v, %v, want one waiter: the other one's process is dead", standing, err)
	}
	freed(t, a, "job", holder.ID)
	second.within(t, time.Second)
	third := queued(t, a, "job")
	if err := p.Accept(); err != nil {
		t.Fatal(err)
	}
	until(t, 5*time.Second, "the first is back in its place", func() bool {
		standing, err := a.Get(soon(t), lease.GetRequest{Name: "job", Waiters: 1})
		return err == nil && standing.Waiting == 2
	})
	freed(t, a, "job", second.ID)
	first.within(t, 2*time.Second)
	third.none(t)
}

// What is handed to a process that falls silent just then is passed on after a moment, and that process is handed
// nothing more: however many wait there, the moment is one.
func TestAHandOverThatNobodyTakesUpIsPassedOn(t *testing.T) {
	t.Parallel()
	b, a, p := behindProxy(t, redisproc.Start(t))
	holder := asking("job")
	acquire(t, a, holder)
	first := queued(t, b, "job")
	queued(t, b, "job")
	queued(t, b, "job")
	second := queued(t, a, "job")
	p.HoldRequests() // as its machine would be: Redis sees no connection end
	freed(t, a, "job", holder.ID)
	begin := time.Now()
	second.within(t, 2*lease.Unclaimed-100*time.Millisecond)
	if took := time.Since(begin); took < lease.Unclaimed-100*time.Millisecond {
		t.Errorf("passed on after %s, want %s for who was first", took, lease.Unclaimed)
	}
	first.none(t)
}

// So it is also just after Redis was away, when silence proves nothing: one moment for who is dead, not one
// for each of its waiters.
func TestWhoDidNotTakeUpIsHandedNothingMore(t *testing.T) {
	t.Parallel()
	b, a, p := behindProxy(t, redisproc.Start(t))
	holder := asking("job")
	acquire(t, a, holder)
	dead := queued(t, b, "job")
	second := queued(t, a, "job")
	deadToo := queued(t, b, "job")
	fourth := queued(t, a, "job")
	p.HoldRequests()
	// A while ago: a reckoned TIME may be ahead, and a hand-over from before the failure proves nothing.
	a.missed.Store(int64(time.Since(a.clock.Base) - 100*time.Millisecond))
	freed(t, a, "job", holder.ID)
	second.within(t, 2*lease.Unclaimed-100*time.Millisecond)
	freed(t, a, "job", second.ID)
	fourth.within(t, lease.Unclaimed-100*time.Millisecond)
	dead.none(t)
	deadToo.none(t)
}

// Who asked through two processes is one waiter: what the first one hears late, or gives up, harms
// neither the place nor the lease that the second one has.
func TestALeaseIDThroughTwoProcesses(t *testing.T) {
	t.Parallel()
	r := redisproc.Start(t)
	a, b := open(t, r.URL()), open(t, r.URL())
	holder := asking("job")
	acquire(t, a, holder)
	gone := queued(t, a, "job")
	w := turn{retry(gone.Acquisition), make(chan lease.Handover, 1)}
	w.Turn = func(h lease.Handover) { w.came <- h }
	if _, err := b.Acquire(soon(t), w.Acquisition); !errors.As(err, new(*lease.HeldError)) {
		t.Fatalf("Acquire = %v, want a place", err)
	}
	undo := func() {
		t.Helper()
		if err := a.Undo(t.Context(), undoing(gone.Acquisition)); err != nil {
			t.Fatal(err)
		}
	}
	a.waiters.loseAll()
	a.askAgain() // as after a beat that came too late
	undo()
	freed(t, a, "job", holder.ID)
	h := w.within(t, lease.Unclaimed)
	undo()
	if standing, err := b.Get(soon(t), lease.GetRequest{Name: "job"}); err != nil || standing.Lease.Token != h.Lease.Token {
		t.Errorf("Get = %+v, %v, want the lease of the second asking", standing, err)
	}
	gone.none(t)
}

// A waiter of a store that closes is passed over at once.
func TestACloseMakesWaitersAway(t *testing.T) {
	r := redisproc.Shared(t)
	a := open(t, r.URL())
	b, err := Open(t.Context(), Config{URL: r.URL()})
	if err != nil {
		t.Fatal(err)
	}
	holder := asking("job")
	acquire(t, a, holder)
	first, second := queued(t, b, "job"), queued(t, a, "job")
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	freed(t, a, "job", holder.ID)
	second.within(t, time.Second)
	first.none(t)
}

// A hand-over in one process costs one script, of a bounded number of calls however long the line is.
func TestHandOverBudget(t *testing.T) {
	r := redisproc.Shared(t)
	s, c := open(t, r.URL()), client(t, r)
	holder := asking("job")
	acquire(t, s, holder)
	var line []turn
	for range 200 {
		line = append(line, queued(t, s, "job"))
	}
	if err := c.ConfigResetStat(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	freed(t, s, "job", holder.ID)
	line[0].within(t, time.Second)
	inside := 0
	for _, command := range []string{"mget", "del", "zrem", "hdel", "zrangebyscore", "zrange", "hget", "hset", "set", "zadd", "pexpire", "pttl", "zcount", "zcard", "publish"} {
		n := commandCalls(t, c, command)
		if command == "hset" || command == "hdel" || command == "hget" || command == "pexpire" {
			n = min(n, 1) // a beat may have come between
		}
		inside += n
	}
	if inside > 9 { // and TIME, which the checker asks for as well
		t.Errorf("a hand-over took %d calls, want at most 9", inside)
	}
	if n := commandCalls(t, c, "publish"); n != 0 {
		t.Errorf("%d messages were published, want none: nobody watches, and the waiter is here", n)
	}
}

// Redis's channels know nothing of its databases.
func TestChannelsOfAnotherDatabase(t *testing.T) {
	if one, other := newKeys("", 0).events(), newKeys("", 1).events(); one == other {
		t.Errorf("databases 0 and 1 share the channel %q", one)
	}
}
