package redisstore

import (
	"fmt"
	"testing"
	"time"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/test/redisproc"
)

// A grant of a name whose lease nobody ended says that it had expired, and so does any other event of
// a newer lease. An event of an older one says nothing.
func TestANewerLeaseMeansThatTheOlderExpired(t *testing.T) {
	h, v, x := vigilOf(open(t, redisproc.Shared(t).URL()), "")
	h.take(acquired("job", 5, time.Second))
	h.take(acquired("job", 7, time.Second))
	h.take(released("job", 5))
	h.take(released("job", 8))
	h.take(acquired("job", 9, time.Second))
	h.take(released("job", 9))
	h.take(acquired("job", 10, time.Second))
	x.want(t,
		line(lease.EventAcquired, "job", 5),
		line(lease.EventExpired, "job", 5), line(lease.EventAcquired, "job", 7),
		line(lease.EventReleased, "job", 5),
		line(lease.EventExpired, "job", 7), line(lease.EventReleased, "job", 8),
		line(lease.EventAcquired, "job", 9),
		line(lease.EventReleased, "job", 9),
		line(lease.EventAcquired, "job", 10))
	if len(v.book.byName) != 1 || len(v.book.byDue) != 1 {
		t.Errorf("the book has %d leases, want the last", len(v.book.byDue))
	}
}

// After a gap everybody is told once, and the book is made true without inventing events: what is gone
// before it could expire has ended in a way that is missing, and what is new was acquired unseen.
func TestAGap(t *testing.T) {
	r := redisproc.Shared(t)
	s, c := open(t, r.URL()), client(t, r)
	h, v, x := vigilOf(s, "a")
	second := new(told)
	v.admit(&watcher{prefix: "a/other", deliver: second.deliver})
	published := feed(t, s, c)
	v.list(t.Context())
	for i, name := range []string{"a/stands", "a/released", "a/expired", "a/taken"} {
		h.take(acquired(name, lease.Token(5+i), time.Minute))
	}
	stand(t, s, c, "a/stands", 5, time.Minute)
	stand(t, s, c, "a/taken", 10, time.Minute)
	stand(t, s, c, "a/new", 11, time.Minute)
	stand(t, s, c, "b/new", 12, time.Minute)
	v.book.byName["a/expired"].end = time.Now()
	before := x.short()
	h.gap()
	step(t, v, published)
	if e := v.book.byName["a/taken"]; e == nil || e.token != 10 {
		t.Errorf("the book has %v for a name that was taken, want the lease that was seen", e)
	}
	v.list(t.Context())
	after := append(before, missed, line(lease.EventExpired, "a/expired", 7))
	x.want(t, after...)
	second.want(t, missed)
	got := map[string]lease.Token{}
	for name, e := range v.book.byName {
		if got[name] = e.token; e.doubt || time.Until(e.due) < 50*time.Second {
			t.Errorf("%q is in doubt: %v, due in %s; want neither", name, e.doubt, time.Until(e.due))
		}
	}
	if want := map[string]lease.Token{"a/stands": 5, "a/taken": 10, "a/new": 11}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the book has %v, want %v", got, want)
	}
}

// An event that ends a doubtful lease which cannot have expired yet does not make it expired.
func TestAfterAGapANewerLeaseProvesNoExpiry(t *testing.T) {
	h, _, x := vigilOf(open(t, redisproc.Shared(t).URL()), "")
	h.take(acquired("job", 5, time.Minute))
	h.gap()
	h.take(acquired("job", 7, time.Minute))
	x.want(t, line(lease.EventAcquired, "job", 5), missed, line(lease.EventAcquired, "job", 7))
}

// What was seen before a gap is not believed after it: what was told between is missing.
func TestALookBeforeAGapProvesNothing(t *testing.T) {
	r := redisproc.Shared(t)
	s, c := open(t, r.URL()), client(t, r)
	h, v, _ := vigilOf(s, "")
	stand(t, s, c, "stands", 5, time.Minute)
	h.take(acquired("stands", 5, time.Second))
	h.take(acquired("gone", 6, time.Second))
	allDue(v)
	l := v.due()
	if err := v.see(t.Context(), l.leases); err != nil {
		t.Fatal(err)
	}
	over := v.looked(l)
	h.gap()
	v.settle(over)
	if over := v.looked(l); len(over.leases) > 0 || !v.book.byName["stands"].doubt || v.book.byName["gone"] == nil {
		t.Errorf("looked = %v, the book %v; want nothing over, and both leases in doubt", over, v.book.byName)
	}
}

// What was released while the watched key was gone was told to nobody: that is a gap, noticed before
// anything is told as expired, be it by a look, or by an event after the store was mute for a while.
func TestALapseHidesHowLeasesEnded(t *testing.T) {
	r := redisproc.Shared(t)
	s, c := open(t, r.URL()), client(t, r)
	h, v, x := vigilOf(s, "")
	published := feed(t, s, c)
	if err := v.keep(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.take(acquired("job", 5, time.Minute))
	c.Set(t.Context(), s.keys.watched(), "another's", watchedFor)
	v.book.postpone(v.book.byName["job"], time.Now())
	step(t, v, published)
	x.want(t, line(lease.EventAcquired, "job", 5), missed)

	h, v, x = vigilOf(s, "")
	h.take(acquired("job", 5, time.Minute))
	v.kept = time.Now().Add(-watchedFor - time.Second)
	h.take(acquired("job", 7, time.Minute))
	h.take(released("job", 7))
	x.want(t, line(lease.EventAcquired, "job", 5), missed, line(lease.EventAcquired, "job", 7), line(lease.EventReleased, "job", 7))
}
