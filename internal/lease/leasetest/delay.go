package leasetest

import (
	"testing"
	"time"

	"github.com/lockd/lockd/internal/lease"
)

var delayTests = []test{
	{"InForce", testDelayInForce},
	{"Expired", testDelayExpired},
	{"Over", testDelayOver},
	{"OwnID", testDelayOwnID},
	{"Released", testDelayReleased},
	{"Forced", testDelayForced},
	{"Line", testDelayLine},
	{"ForcedLine", testDelayForcedLine},
	{"Handover", testDelayHandover},
	{"Abandoned", testDelayAbandoned},
	{"Undone", testDelayUndone},
	{"UndoneClosed", testDelayUndoneClosed},
	{"OfTheGrant", testDelayOfTheGrant},
	{"EndOfTheHold", testDelayEndOfTheHold},
	{"List", testDelayList},
	{"Watch", testDelayWatch},
	{"ByItself", testDelayByItself},
}

// delay is what the name of a lease is closed for here. It is longer than the grace, so that the two cannot be mistaken.
const delay = 5 * time.Minute

// delayed is a claim with a lock-delay.
func delayed(name string) lease.Acquisition {
	a := claim(name)
	a.LockDelay = delay
	return a
}

// closed fails the test unless name is closed after was, and neither newcomers nor was's holder have a way in.
func (s Subject) closed(t *testing.T, was lease.Lease) {
	t.Helper()
	_, err := s.acquire(t, claim(was.Name))
	wantClosed(t, "the holder that refuses", wantHeld(t, "Acquire(closed)", err, was))
	standing := s.standing(t, was.Name)
	if standing.Held {
		t.Errorf("Get(%q) = held by token %d, want nobody", was.Name, standing.Lease.Token)
	}
	sameLease(t, "Get(closed)", standing.Lease, was)
	wantClosed(t, "Get(closed)", standing.Lease)
	if inForce := s.stale(t, was.Name, was.Token); inForce != nil {
		t.Errorf("ForceRelease(closed): InForce = %+v, want nil", *inForce)
	}
}

// wantClosed fails the test unless l is over, and its name closed since just now.
func wantClosed(t *testing.T, what string, l lease.Lease) {
	t.Helper()
	wantBetween(t, what+": Closed", l.Closed, delay-slack, delay)
	if l.Left != 0 || l.ExpiresIn != 0 || l.FreeIn() != l.Closed {
		t.Errorf("%s: Left %s, ExpiresIn %s, FreeIn %s, want 0, 0, %s", what, l.Left, l.ExpiresIn, l.FreeIn(), l.Closed)
	}
}

// A lease with a lock-delay lasts and is renewed as one without, in its grace, too; its name is free later than it is over.
func testDelayInForce(t *testing.T, s Subject) {
	a := delayed("job")
	first := s.granted(t, a)
	wantFresh(t, "Acquire", first, ttl)
	if first.Delay != delay || first.Closed != 0 || first.FreeIn() != first.ExpiresIn+delay {
		t.Errorf("Acquire = %+v, want a delay of %s, and to be free so much later", first, delay)
	}
	_, err := s.acquire(t, claim("job"))
	wantFresh(t, "the holder", wantHeld(t, "Acquire(held)", err, first), ttl)
	for _, asked := range []time.Duration{0, ttl, ttl / 2, 2 * ttl} {
		s.Grace(t, "job")
		s.stands(t, "job", first.Token)
		renewed, err := s.renew(t, lease.Renewal{Name: "job", ID: a.ID, TTL: asked})
		if err != nil {
			t.Fatalf("Renew(in the grace, %s) = %v, want nil", asked, err)
		}
		sameLease(t, "what was renewed", renewed, first)
		want := asked
		if want == 0 {
			want = ttl
		}
		wantBetween(t, "Left", renewed.Left, want-slack, want)
	}
	s.Grace(t, "job")
	repeated := s.granted(t, again(a, 2))
	wantBetween(t, "Left of what was repeated", repeated.Left, ttl-slack, ttl)
	sameLease(t, "what was repeated", repeated, first)
}

// When it has run out nobody is granted its name.
func testDelayExpired(t *testing.T, s Subject) {
	first := s.granted(t, delayed("job"))
	s.Expire(t, "job")
	s.closed(t, first)
	s.Store = s.Beside(t)
	s.closed(t, first)
}

// When the delay is over the name is free, and the next token larger.
func testDelayOver(t *testing.T, s Subject) {
	first := s.granted(t, delayed("job"))
	s.Expire(t, "job")
	s.Open(t, "job")
	s.empty(t, "job")
	if second := s.granted(t, claim("job")); second.Token <= first.Token {
		t.Errorf("token went from %d to %d, want larger", first.Token, second.Token)
	}
}

// The lease is over for its own lease id, too: it is not renewed, repeated nor released, and asked for anew it waits.
func testDelayOwnID(t *testing.T, s Subject) {
	a := delayed("job")
	first := s.granted(t, a)
	s.Expire(t, "job")
	s.lost(t, "closed", a)
	told := again(a, 2)
	told.Told = first.Token
	_, err := s.acquire(t, told)
	wantErr(t, "Acquire(told, closed)", err, lease.ErrLost)
	if r := s.released(t, a); r.Outcome != lease.Gone {
		t.Errorf("Release(closed) = %d, want Gone", r.Outcome)
	}
	_, err = s.acquire(t, again(a, 3))
	wantHeld(t, "Acquire(again, closed)", err, first)
	s.closed(t, first)
	w := s.queued(t, again(a, 4))
	s.lost(t, "closed, and waiting", a)
	s.Open(t, "job")
	if second := w.served(t); second.Token <= first.Token {
		t.Errorf("token went from %d to %d, want larger", first.Token, second.Token)
	}
}

// A release is clean: the name is free at once, or the next one's in line.
func testDelayReleased(t *testing.T, s Subject) {
	a := delayed("job")
	s.granted(t, a)
	if r := s.released(t, a); r.Outcome != lease.Held {
		t.Errorf("Release = %d, want Held", r.Outcome)
	}
	s.empty(t, "job")
	b := delayed("job")
	s.granted(t, b)
	w := s.queued(t, delayed("job"))
	s.released(t, b)
	w.served(t)
	s.empty(t, "job")
}

// A force is not clean: it ends the lease at once and closes its name.
func testDelayForced(t *testing.T, s Subject) {
	a := delayed("job")
	first := s.granted(t, a)
	was := s.forced(t, "job", first.Token)
	sameLease(t, "what was forced", was, first)
	wantFresh(t, "what was forced", was, ttl)
	s.closed(t, first)
	s.lost(t, "forced", a)
	if r := s.released(t, a); r.Outcome != lease.Gone {
		t.Errorf("Release(forced) = %d, want Gone", r.Outcome)
	}
	s.closed(t, first)
	s.Open(t, "job")
	if second := s.granted(t, claim("job")); second.Token <= first.Token+1 {
		t.Errorf("token went from %d to %d over a force, want one used up between them", first.Token, second.Token)
	}
}

// The line waits for the end of the delay as newcomers do, keeps its order, and then has the name.
func testDelayLine(t *testing.T, s Subject) {
	first := s.granted(t, delayed("job"))
	all := crowd(t, "job", 2, s)
	s.Expire(t, "job")
	all = append(all, s.queued(t, numbered("job", 2)))
	s.closed(t, first)
	s.inLine(t, "job", all...)
	for _, w := range all {
		w.unserved(t)
	}
	s.Open(t, "job")
	for _, w := range all {
		w.served(t)
	}
	s.empty(t, "job")
}

// So it does after a force, wherever that came from.
func testDelayForcedLine(t *testing.T, s Subject) {
	first := s.granted(t, delayed("job"))
	w := s.queued(t, claim("job"))
	s.beside(t).forced(t, "job", first.Token)
	s.closed(t, first)
	s.inLine(t, "job", w)
	w.unserved(t)
	s.Open(t, "job")
	w.served(t)
	s.empty(t, "job")
}

// Who was handed the name has its own lock-delay, whichever server it waited at, also when it asked for it late.
func testDelayHandover(t *testing.T, s Subject) {
	holder := claim("job")
	s.granted(t, holder)
	before := s.inLineWith(t).queued(t, claim("job"))
	after := again(before.Acquisition, 2)
	after.LockDelay = delay
	w := before.Subject.queued(t, after)
	s.released(t, holder)
	l := w.turn(t)
	if l.Delay != delay {
		t.Errorf("the lease that was handed over has a delay of %s, want %s", l.Delay, delay)
	}
	wantFresh(t, "what was handed over", l, ttl)
	s.Expire(t, "job")
	s.closed(t, l)
}

// A hand-over that is given back is clean: the next one has the name at once.
func testDelayAbandoned(t *testing.T, s Subject) {
	holder := delayed("job")
	s.granted(t, holder)
	gone := s.queued(t, delayed("job"))
	next := s.queued(t, delayed("job"))
	s.released(t, holder)
	gone.turn(t)
	s.undone(t, gone.Acquisition)
	next.served(t)
	s.empty(t, "job")
}

// An undo is clean: nobody was told of the lease.
func testDelayUndone(t *testing.T, s Subject) {
	a := delayed("job")
	s.granted(t, a)
	s.undone(t, a)
	s.empty(t, "job")
}

// So it is when the lease has run out meanwhile, or was forced; and another execution's leaves it as it is.
func testDelayUndoneClosed(t *testing.T, s Subject) {
	a := delayed("job")
	first := s.granted(t, a)
	s.Expire(t, "job")
	w := s.queued(t, claim("job"))
	s.undone(t, again(a, 2))
	s.closed(t, first)
	s.undone(t, a)
	w.served(t)
	s.empty(t, "job")
}

// The delay is that of the grant: no renewal and no repetition changes it.
func testDelayOfTheGrant(t *testing.T, s Subject) {
	for _, asked := range []struct{ first, then time.Duration }{{delay, 0}, {delay, time.Second}, {delay, 2 * delay}, {0, delay}} {
		a := claim("job")
		a.LockDelay = asked.first
		l := s.granted(t, a)
		if _, err := s.renew(t, lease.Renewal{Name: "job", ID: a.ID, TTL: 2 * ttl}); err != nil {
			t.Fatalf("Renew = %v, want nil", err)
		}
		a = again(a, 2)
		a.LockDelay = asked.then
		a.TTL = 3 * ttl
		sameLease(t, "what was repeated", s.granted(t, a), l)
		s.Expire(t, "job")
		if asked.first == 0 {
			s.empty(t, "job")
			continue
		}
		s.closed(t, l)
		s.Open(t, "job")
	}
}

// The end of the longest hold is not clean: what is left of it is renewed with the delay after it, and then the name is closed.
func testDelayEndOfTheHold(t *testing.T, s Subject) {
	a := delayed("job")
	first := s.granted(t, a)
	s.Age(t, "job", hold-ttl/2)
	for _, asked := range []time.Duration{0, ttl, 2 * ttl} {
		s.Grace(t, "job")
		got := s.bounded(t, a, asked)
		wantHold(t, "the renewal", got, ttl/2, ttl/2)
		if got.Delay != delay {
			t.Errorf("the renewal answers a delay of %s, want %s", got.Delay, delay)
		}
	}
	s.Grace(t, "job")
	repeated := again(a, 2)
	repeated.MaxHold = hold
	wantHold(t, "the repetition", s.granted(t, repeated), ttl/2, ttl/2)
	s.Age(t, "job", hold)
	s.Grace(t, "job")
	wantHold(t, "a renewal when it is over", s.bounded(t, a, ttl), 0, 0)
	s.Expire(t, "job")
	got, held := s.get(t, "job")
	if held || got.Token != first.Token {
		t.Errorf("Get = token %d, held %t, want the name closed after token %d", got.Token, held, first.Token)
	}
	wantClosed(t, "the end of the hold", got)
}

// A list shows what is closed as such.
func testDelayList(t *testing.T, s Subject) {
	closed := s.granted(t, delayed("a/closed"))
	held := s.granted(t, delayed("a/held"))
	s.Expire(t, "a/closed")
	got := s.list(t, "a", 10, nil)
	sameLease(t, "what is closed", got["a/closed"], closed)
	wantClosed(t, "what is closed", got["a/closed"])
	sameLease(t, "what is held", got["a/held"], held)
	wantFresh(t, "what is held", got["a/held"], ttl)
}

// Who watches is told that a lease has run out when it has, or was forced, and of the next grant after the delay.
func testDelayWatch(t *testing.T, s Subject) {
	short := delayed("job")
	short.TTL = time.Millisecond
	before := s.granted(t, short)
	events, _ := s.watch(t, "job")
	events.want(t, of(lease.EventExpired, before))
	s.closed(t, before)
	late, _ := s.watch(t, "job") // what is closed is no news to who comes now
	s.Open(t, "job")
	second := s.granted(t, short)
	for _, w := range []watched{events, late} {
		w.want(t, of(lease.EventAcquired, second), of(lease.EventExpired, second))
	}
	s.Open(t, "job")
	third := s.granted(t, delayed("job"))
	forcing := forcing("job", third.Token)
	s.forced(t, "job", third.Token)
	forced := of(lease.EventForced, third)
	forced.By, forced.Reason = forcing.By, forcing.Reason
	s.undone(t, claim("job"))
	s.Open(t, "job")
	fourth := s.granted(t, claim("job"))
	events.want(t, of(lease.EventAcquired, third), forced, of(lease.EventAcquired, fourth))
}

// That a delay is over is noticed without anybody's help, not before and soon after, also when a force began it.
func testDelayByItself(t *testing.T, s Subject) {
	const short = 300 * time.Millisecond
	for _, force := range []bool{false, true} {
		a := claim("job")
		a.TTL, a.LockDelay = time.Millisecond, short
		if force {
			a.TTL = ttl
		}
		l := s.granted(t, a)
		began, grace := time.Now(), lease.Grace(time.Millisecond) // its expiry began before
		w := s.beside(t).queued(t, claim("job"))
		if force {
			began, grace = time.Now(), 0
			s.forced(t, "job", l.Token)
		}
		w.served(t)
		wantBetween(t, "after the end of the lease", time.Since(began)-grace, short-50*time.Millisecond, short+callTime/2)
	}
}
