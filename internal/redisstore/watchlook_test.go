package redisstore

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/test/proxy"
	"github.com/lockd/lockd/test/redisproc"
)

// stand puts a lock into Redis, around the scripts.
func stand(t *testing.T, s *Store, c *redis.Client, name string, token lease.Token, px time.Duration) {
	t.Helper()
	value := fmt.Sprintf(`%032x|1|a|%d|60000|66000|1|{"owner":"me"}`, token, token)
	if err := c.Set(t.Context(), s.keys.lock(name), value, px).Err(); err != nil {
		t.Fatal(err)
	}
}

// feed reads the events channel for a test that decides when a hub takes what.
func feed(t *testing.T, s *Store, c *redis.Client) <-chan string {
	t.Helper()
	subscription := c.Subscribe(t.Context(), s.keys.events())
	if _, err := subscription.Receive(t.Context()); err != nil {
		t.Fatal(err)
	}
	texts := make(chan string)
	messages := subscription.Channel()
	var reading sync.WaitGroup
	t.Cleanup(func() {
		subscription.Close() // and its channel
		reading.Wait()
	})
	reading.Go(func() {
		for m := range messages {
			select {
			case texts <- m.Payload:
			case <-t.Context().Done():
				return
			}
		}
	})
	return texts
}

// allDue makes everything in v's book over, as far as the book knows.
func allDue(v *vigil) {
	v.hub.mu.Lock()
	defer v.hub.mu.Unlock()
	for _, e := range v.book.byDue {
		e.end, e.due = time.Now().Add(-time.Second), time.Now().Add(-time.Second)
	}
}

// step has v look at what is due. Its hub takes what is published only when v waits for its mark: as late
// as can be.
func step(t *testing.T, v *vigil, published <-chan string) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		v.lookAtDue(t.Context())
	}()
	var held []string
	for {
		select {
		case text := <-published:
			if held = append(held, text); strings.Contains(text, markKind) {
				for _, text := range held {
					v.hub.take(text)
				}
				held = nil
			}
		case <-done:
			return
		}
	}
}

// A lease that is gone when its key should be over is told as expired, once; one that was renewed, which
// publishes nothing, is not.
func TestWhatIsGoneWhenDueHasExpired(t *testing.T) {
	r := redisproc.Shared(t)
	s, c := open(t, r.URL()), client(t, r)
	h, v, x := vigilOf(s, "")
	published := feed(t, s, c)
	stand(t, s, c, "renewed", 5, time.Minute)
	h.take(acquired("renewed", 5, time.Second))
	h.take(acquired("gone", 6, time.Second))
	allDue(v)
	step(t, v, published)
	want := []string{line(lease.EventAcquired, "renewed", 5), line(lease.EventAcquired, "gone", 6), line(lease.EventExpired, "gone", 6)}
	x.want(t, want...)
	if e := x.all()[2]; e.Owner != "me" || time.Since(e.At).Abs() > maxSkew {
		t.Errorf("expired is of %q at %s, want of its owner, now", e.Owner, e.At)
	}
	if e := v.book.byName["renewed"]; time.Until(e.due) < 50*time.Second {
		t.Errorf("the renewed lease is looked at in %s, want at its new end", time.Until(e.due))
	}
	allDue(v)
	step(t, v, published)
	x.want(t, want...)
	c.Del(t.Context(), s.keys.lock("renewed"))
	allDue(v)
	step(t, v, published)
	x.want(t, append(want, line(lease.EventExpired, "renewed", 5))...)
}

// A lease that was released at the end of its time is not told as expired, though a look finds it gone
// before the message comes that says so.
func TestAReleaseOnItsWayIsNoExpiry(t *testing.T) {
	r := redisproc.Shared(t)
	s, c := open(t, r.URL()), client(t, r)
	h, v, x := vigilOf(s, "")
	published := feed(t, s, c)
	h.take(acquired("job", 5, time.Second))
	allDue(v)
	c.Publish(t.Context(), s.keys.events(), released("job", 5)) // and nobody reads it before the look
	step(t, v, published)
	x.want(t, line(lease.EventAcquired, "job", 5), line(lease.EventReleased, "job", 5))
}

// While no mark comes back nothing is told as expired: the events may be missing. It is looked at again.
func TestWithoutItsEventsNothingExpires(t *testing.T) {
	s := open(t, redisproc.Shared(t).URL())
	h, v, x := vigilOf(s, "")
	h.take(acquired("job", 5, time.Second))
	allDue(v)
	step(t, v, nil)
	x.want(t, line(lease.EventAcquired, "job", 5))
	if e := v.book.byName["job"]; e == nil || time.Until(e.due) > lookAgain {
		t.Errorf("the book says %v, want the lease, to be looked at again", e)
	}
}

// A look that finds the next lease leaves it to its own event to say so, and to that the expiry.
func TestALookThatFindsTheNextLease(t *testing.T) {
	r := redisproc.Shared(t)
	s, c := open(t, r.URL()), client(t, r)
	h, v, x := vigilOf(s, "")
	published := feed(t, s, c)
	h.take(acquired("job", 5, time.Second))
	stand(t, s, c, "job", 7, time.Minute)
	c.Publish(t.Context(), s.keys.events(), acquired("job", 7, time.Minute))
	allDue(v)
	step(t, v, published)
	x.want(t, line(lease.EventAcquired, "job", 5), line(lease.EventExpired, "job", 5), line(lease.EventAcquired, "job", 7))
}

// The first watch of a prefix learns from the store which leases stand there, and no others; the book
// forgets those that nobody watches any more.
func TestTheBookHoldsWhatIsWatched(t *testing.T) {
	r := redisproc.Shared(t)
	s, c := open(t, r.URL()), client(t, r)
	const many = 1000
	var names []string
	for i := range many {
		names = append(names, fmt.Sprintf("a/%d", i), fmt.Sprintf("b/%d", i))
	}
	plant(t, s, c, names)
	h, v, _ := vigilOf(s, "a")
	count := func(prefix string) (n int) {
		for name := range v.book.byName {
			if lease.Under(name, prefix) {
				n++
			}
		}
		return n
	}
	listAll := func() {
		for again := true; again; again = v.listing {
			v.list(t.Context())
		}
	}
	listAll()
	if a, b := count("a"), count("b"); a != many || b != 0 {
		t.Errorf("the book has %d leases under a and %d under b, want %d and 0", a, b, many)
	}
	w := &watcher{prefix: "b/7", deliver: new(told).deliver}
	v.admit(w)
	listAll()
	if a, b := count("a"), count("b"); a != many || b != 1 {
		t.Errorf("the book has %d leases under a and %d under b, want %d and 1", a, b, many)
	}
	v.admit(&watcher{prefix: "a/7", deliver: new(told).deliver})
	if v.unlisted {
		t.Error("a watch under a watched prefix lists it again")
	}
	for w := range v.watchers {
		if w.prefix == "a" {
			h.leave(v, w)
		}
	}
	allDue(v)
	v.lookAtDue(t.Context())
	if a, b := count("a"), count("b"); a != 1 || b != 1 {
		t.Errorf("the book has %d leases under a and %d under b, want the one each that is watched", a, b)
	}
}

// A lease whose end is told while the look that found it is under way is not written down after that.
func TestTheListingDoesNotReviveWhatEnded(t *testing.T) {
	r := redisproc.Shared(t)
	s, direct, p := behindProxy(t, r)
	acquire(t, direct, asking("warm")) // the scripts are there
	stand(t, s, client(t, r), "job", 5, time.Minute)
	h, v, _ := vigilOf(s, "job")
	reply := p.DelayReply(calls(lookScript))
	done := make(chan error)
	go func() { done <- v.add(context.WithoutCancel(t.Context()), []string{"job"}) }()
	<-reply.Bitten()
	h.take(released("job", 5))
	reply.Release()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if e := v.book.byName["job"]; e != nil {
		t.Errorf("the book has %v, want nothing: it was released", e)
	}
}

// A listing that fails goes on where it was.
func TestAListingThatFailsGoesOn(t *testing.T) {
	r := redisproc.Shared(t)
	s, _, p := behindProxy(t, r)
	c := client(t, r)
	var names []string
	for i := range 600 {
		names = append(names, fmt.Sprintf("a/%d", i))
	}
	plant(t, s, c, names)
	_, v, _ := vigilOf(s, "")
	p.LoseReply(proxy.Nth(2, proxy.Contains("scan")), 1)
	p.LoseReply(proxy.Nth(3, calls(lookScript)), 1)
	rounds := 0
	for again := true; again; again = v.listing {
		v.list(t.Context())
		rounds++
	}
	if n := len(v.book.byName); n != len(names) || rounds < 3 {
		t.Errorf("the book has %d leases after %d rounds, want %d after 3 or more", n, rounds, len(names))
	}
}
