package redisstore

import (
	"testing"
	"time"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/test/redisproc"
)

const testDelay = time.Minute

// delayed is asking with a lock-delay.
func delayed(name string) lease.Acquisition {
	a := asking(name)
	a.LockDelay = testDelay
	return a
}

// turnOf is queued with a's lock-delay.
func turnOf(t *testing.T, s *Store, a lease.Acquisition) turn {
	t.Helper()
	w := waiting(a.Name)
	w.LockDelay = a.LockDelay
	enqueued(t, s, w)
	return w
}

// closed fails the test unless the name is closed for what is left of the delay.
func closed(t *testing.T, s *Store, name string) {
	t.Helper()
	got, err := s.Get(soon(t), lease.GetRequest{Name: name})
	if err != nil || got.Held || got.Lease.Closed <= testDelay-10*time.Second || got.Lease.Closed > testDelay {
		t.Errorf("Get(%q) = %+v, %v, want it closed for about %s", name, got, err, testDelay)
	}
}

// A hand-over that nobody takes up is clean, whatever the lock-delay: the next one has the name after a moment. Taken up
// it is as any lease.
func TestAHandOverThatNobodyTakesUpClosesNothing(t *testing.T) {
	t.Parallel()
	r := redisproc.Start(t)
	b, a, p := behindProxy(t, r)
	holder := delayed("job")
	acquire(t, a, holder)
	first := turnOf(t, b, delayed("job"))
	second := turnOf(t, a, delayed("job"))
	p.HoldRequests()
	freed(t, a, "job", holder.ID)
	second.within(t, 2*lease.Unclaimed)
	first.none(t)
	if left := client(t, r).PTTL(t.Context(), a.keys.lock("job")).Val(); left <= testDelay {
		t.Errorf("what was handed over within a process expires in %s, want ttl, grace and delay", left)
	}
}

// What another process has taken up has its lock-delay, however full Redis is by then.
func TestATakenUpHandOverHasItsDelay(t *testing.T) {
	t.Parallel()
	for _, full := range []bool{false, true} {
		r := redisproc.Start(t)
		direct := client(t, r)
		a, b := listening(t, r.URL(), direct), listening(t, r.URL(), direct)
		holder := asking("job")
		acquire(t, a, holder)
		w := turnOf(t, b, delayed("job"))
		if full {
			direct.ConfigSet(t.Context(), "maxmemory", "1")
		}
		freed(t, a, "job", holder.ID)
		if h := w.within(t, lease.Unclaimed); h.Lease.Delay != testDelay || h.Lease.ExpiresIn != w.TTL+lease.Grace(w.TTL) {
			t.Errorf("full %t: handed over with %s and a delay of %s, want a whole lease and %s", full, h.Lease.ExpiresIn, h.Lease.Delay, testDelay)
		}
		if left := direct.PTTL(t.Context(), a.keys.lock("job")).Val(); left <= testDelay {
			t.Errorf("full %t: the key expires in %s, want ttl, grace and delay", full, left)
		}
		direct.PExpire(t.Context(), a.keys.lock("job"), testDelay)
		closed(t, a, "job")
	}
}

// A full Redis neither keeps a name from being closed by a force, nor a lease with a delay from being renewed or released.
func TestAFullRedisAndALockDelay(t *testing.T) {
	t.Parallel()
	r := redisproc.Start(t)
	s, direct := open(t, r.URL()), client(t, r)
	kept, forced := delayed("kept"), delayed("forced")
	acquire(t, s, kept)
	token := acquire(t, s, forced).Token
	direct.ConfigSet(t.Context(), "maxmemory", "1")
	if _, err := s.ForceRelease(soon(t), lease.ForceRequest{Name: "forced", Token: token}); err != nil {
		t.Errorf("ForceRelease = %v", err)
	}
	closed(t, s, "forced")
	for _, ttl := range []time.Duration{0, kept.TTL / 2, 2 * kept.TTL} {
		direct.PExpire(t.Context(), s.keys.lock("kept"), testDelay+10*time.Millisecond)
		if l, err := s.Renew(soon(t), lease.Renewal{Name: "kept", ID: kept.ID, TTL: ttl}); err != nil || l.Left < kept.TTL/2-time.Second || l.Delay != testDelay {
			t.Errorf("Renew(%s) = %+v, %v, want it renewed, its delay kept", ttl, l, err)
		}
	}
	if got, err := s.Release(soon(t), lease.ReleaseRequest{Name: "kept", ID: kept.ID}); err != nil || got.Outcome != lease.Held {
		t.Errorf("Release = %v, %v, want Held", got, err)
	}
	if held(t, s, "kept") {
		t.Error("the name is held after its release")
	}
}

// Whoever waits at another server looks again when a force has closed the name and the delay is over, not when the lease
// would have been; and so does the server that forced, should nobody hear of it.
func TestAForceSetsTheAlarmOfWhoWaits(t *testing.T) {
	t.Parallel()
	r := redisproc.Start(t)
	direct := client(t, r)
	a, b := listening(t, r.URL(), direct), listening(t, r.URL(), direct)
	holder := asking("job")
	holder.TTL, holder.LockDelay = time.Hour, testDelay
	token := acquire(t, a, holder).Token
	turnOf(t, b, asking("job"))
	if _, err := a.ForceRelease(soon(t), lease.ForceRequest{Name: "job", Token: token}); err != nil {
		t.Fatal(err)
	}
	for what, s := range map[string]*Store{"where it is waited": b, "where it was forced": a} {
		until(t, 5*time.Second, what, func() bool {
			s.alarms.mu.Lock()
			defer s.alarms.mu.Unlock()
			one := s.alarms.byName["job"]
			return one != nil && time.Until(one.due) <= testDelay+time.Second && time.Until(one.due) > 0
		})
	}
}

// What stands in Redis since before there were lock-delays is read as it was, and renewed so.
func TestALeaseOfBeforeHasNoDelay(t *testing.T) {
	r := redisproc.Shared(t)
	s, direct := open(t, r.URL()), client(t, r)
	id := newID()
	value := string(id) + `|1|0123456789abcdef|1700000000000000|10000|11000|1700000000000000|{"owner":"a+b~c"}`
	if err := direct.Set(t.Context(), s.keys.lock("job"), value, 11*time.Second).Err(); err != nil {
		t.Fatal(err)
	}
	got, err := s.Get(soon(t), lease.GetRequest{Name: "job"})
	if err != nil || !got.Held || got.Lease.Delay != 0 || got.Lease.ExpiresIn < 10*time.Second || got.Lease.Owner != "a+b~c" {
		t.Errorf("Get = %+v, %v, want the lease, without a delay", got, err)
	}
	for _, ttl := range []time.Duration{0, 20 * time.Second} {
		if l, err := s.Renew(soon(t), lease.Renewal{Name: "job", ID: id, TTL: ttl}); err != nil || l.Delay != 0 {
			t.Errorf("Renew(%s) = %+v, %v, want it renewed, without a delay", ttl, l, err)
		}
	}
	if r, err := s.Release(soon(t), lease.ReleaseRequest{Name: "job", ID: id}); err != nil || r.Outcome != lease.Held {
		t.Errorf("Release = %v, %v, want Held", r, err)
	}
}
