package leasetest

import (
	"testing"
	"time"

	"github.com/lockd/lockd/internal/lease"
)

var watchTests = []test{
	{"Events", testWatchEvents},
	{"Beside", testWatchBeside},
	{"Places", testWatchPlaces},
	{"Expired", testWatchExpired},
	{"NoNews", testWatchNoNews},
	{"Order", testWatchOrder},
	{"Prefix", testWatchPrefix},
	{"Stop", testWatchStop},
	{"Forced", testForcedHere},
	{"ForcedBeside", testForcedBeside},
	{"AnnouncedHere", testAnnouncedHere},
	{"AnnouncedBeside", testAnnouncedBeside},
}

// watched is what a watcher is told.
type watched chan lease.Event

// watch watches names under prefix until the test ends or stop is called.
func (s Subject) watch(t *testing.T, prefix string) (events watched, stop func()) {
	t.Helper()
	events = make(watched, 1024) // more than any test makes: deliver must not block
	ctx, cancel := call(t)
	defer cancel()
	stop, err := s.Watch(ctx, prefix, func(e lease.Event) { events <- e })
	if err != nil {
		t.Fatalf("Watch(%q) = %v, want nil", prefix, err)
	}
	t.Cleanup(stop)
	return events, stop
}

// next waits for the next event.
func (w watched) next(t *testing.T) lease.Event {
	t.Helper()
	select {
	case e := <-w:
		return e
	case <-time.After(callTime):
		t.Fatalf("no event within %s", callTime)
		return lease.Event{}
	}
}

// want fails the test unless these are the next events, but for when they happened.
func (w watched) want(t *testing.T, want ...lease.Event) {
	t.Helper()
	for _, want := range want {
		got := w.next(t)
		wantBetween(t, "At, ago", time.Since(got.At), -slack, slack)
		if got.At = want.At; got != want {
			t.Fatalf("event %+v, want %+v", got, want)
		}
	}
}

// of is an event of a lease.
func of(kind lease.EventKind, l lease.Lease) lease.Event {
	return lease.Event{Kind: kind, Name: l.Name, Token: l.Token, Owner: l.Owner, Principal: l.Principal}
}

// of is an event of a place in line.
func (w *waiter) of(kind lease.EventKind) lease.Event {
	return lease.Event{Kind: kind, Name: w.Name, Owner: w.Owner, Principal: w.Principal, Ticket: w.ticket}
}

// acquired is the end of the wait of w by l.
func (w *waiter) acquired(l lease.Lease) lease.Event {
	e := of(lease.EventAcquired, l)
	e.Ticket = w.ticket
	return e
}

// A watcher is told of grants, releases, undos and forces, with token and owner, of who forced and why,
// and of who took a place in line and who left it, with the ticket; in the order in which it happened.
func testWatchEvents(t *testing.T, s Subject) { watchEvents(t, s, s) }

// A watcher is told of the same whichever server does it.
func testWatchBeside(t *testing.T, s Subject) { watchEvents(t, s.beside(t), s) }

func watchEvents(t *testing.T, watching, s Subject) {
	t.Helper()
	events, _ := watching.watch(t, "job")
	holder := claim("job")
	first := s.granted(t, holder)
	events.want(t, of(lease.EventAcquired, first))
	all := crowd(t, "job", 3, s)
	events.want(t, all[0].of(lease.EventQueued), all[1].of(lease.EventQueued), all[2].of(lease.EventQueued))
	s.undone(t, all[1].Acquisition)
	events.want(t, all[1].of(lease.EventLeft))

	s.released(t, holder)
	second := all[0].turn(t)
	events.want(t, of(lease.EventReleased, first), all[0].acquired(second))

	forcing := forcing("job", second.Token)
	forcing.By = "ada@desk"
	if _, err := s.force(t, forcing); err != nil {
		t.Fatalf("ForceRelease = %v, want nil", err)
	}
	third := all[2].turn(t)
	forced := of(lease.EventForced, second)
	forced.By, forced.Reason = forcing.By, forcing.Reason
	events.want(t, forced, all[2].acquired(third))

	s.undone(t, all[2].Acquisition)
	events.want(t, of(lease.EventReleased, third))
	last := s.granted(t, claim("job"))
	events.want(t, of(lease.EventAcquired, last))
}

// One who is away has left, and is queued again with the same ticket when it comes back.
func testWatchPlaces(t *testing.T, s Subject) {
	holder := claim("job")
	first := s.granted(t, holder)
	events, _ := s.watch(t, "job")
	w := s.queued(t, claim("job"))
	events.want(t, w.of(lease.EventQueued))
	s.aside(t, w)
	events.want(t, w.of(lease.EventLeft))
	back := s.queued(t, again(w.Acquisition, 2))
	events.want(t, w.of(lease.EventQueued))
	out := again(back.Acquisition, 3)
	out.Turn = nil
	_, err := s.acquire(t, out)
	wantPlace(t, "Acquire(out of time)", err)
	events.want(t, w.of(lease.EventLeft))
	back = s.queued(t, again(back.Acquisition, 4))
	events.want(t, w.of(lease.EventQueued))
	s.released(t, holder)
	handed := back.turn(t)
	events.want(t, of(lease.EventReleased, first), back.acquired(handed))
}

// That a lease ran out is noticed and told while somebody watches, once, whether it was granted before or
// after the watching began. What is renewed has not run out.
func testWatchExpired(t *testing.T, s Subject) {
	before, after, renewed := claim("job/before"), claim("job/after"), claim("job/renewed")
	before.TTL, after.TTL, renewed.TTL = time.Millisecond, time.Millisecond, time.Millisecond
	first := s.granted(t, before)
	kept := s.granted(t, renewed)
	events, _ := s.watch(t, "job")
	if _, err := s.renew(t, lease.Renewal{Name: renewed.Name, ID: renewed.ID, TTL: ttl}); err != nil {
		t.Fatalf("Renew = %v, want nil", err)
	}
	second := s.granted(t, after)
	events.want(t, of(lease.EventAcquired, second))
	got := map[lease.Event]bool{}
	for range 2 {
		e := events.next(t)
		wantBetween(t, "At, ago", time.Since(e.At), -slack, slack)
		e.At = time.Time{}
		got[e] = true
	}
	if !got[of(lease.EventExpired, first)] || !got[of(lease.EventExpired, second)] {
		t.Errorf("events %v, want that two leases expired", got)
	}
	s.released(t, renewed)
	events.want(t, of(lease.EventReleased, kept))
}

// Renewals, retries, and whatever changes nothing are no news.
func testWatchNoNews(t *testing.T, s Subject) {
	events, _ := s.watch(t, "")
	holder := claim("job")
	first := s.granted(t, holder)
	s.granted(t, again(holder, 2))
	if _, err := s.renew(t, lease.Renewal{Name: "job", ID: holder.ID}); err != nil {
		t.Fatalf("Renew = %v, want nil", err)
	}
	_, err := s.acquire(t, claim("job"))
	wantHeld(t, "Acquire(held)", err, first)
	w := s.queued(t, claim("job"))
	s.queued(t, again(w.Acquisition, 2))
	s.undone(t, claim("job"))
	s.released(t, claim("job"))
	s.stale(t, "job", first.Token-1)
	s.undone(t, again(w.Acquisition, 3))
	s.undone(t, holder) // another attempt stands
	s.released(t, holder)
	events.want(t, of(lease.EventAcquired, first), w.of(lease.EventQueued), of(lease.EventReleased, first))
}

// The order in which tickets were given is the order of the grants.
func testWatchOrder(t *testing.T, s Subject) {
	const many = 20
	other := s.inLineWith(t)
	holder := claim("job")
	s.granted(t, holder)
	events, _ := s.watch(t, "job")
	all := crowd(t, "job", many, s, other)
	s.released(t, holder)
	for _, w := range all {
		w.served(t)
	}
	var queued, granted []int64
	for len(granted) < many {
		switch e := events.next(t); e.Kind {
		case lease.EventQueued:
			queued = append(queued, e.Ticket)
		case lease.EventAcquired:
			granted = append(granted, e.Ticket)
		}
	}
	for i, w := range all {
		if queued[i] != w.ticket || granted[i] != w.ticket {
			t.Errorf("ticket %d was queued as %d and granted as %d, want one order", w.ticket, queued[i], granted[i])
		}
	}
}

// A watcher is told of the names under its prefix only, whole segments that is; of all with none.
func testWatchPrefix(t *testing.T, s Subject) {
	all, _ := s.watch(t, "")
	under, _ := s.watch(t, "a/b")
	for _, name := range []string{"a", "a/bc", "a/b", "b", "a/b/c", "a/b/c/d", "a/c"} {
		l := s.granted(t, claim(name))
		all.want(t, of(lease.EventAcquired, l))
		if lease.Under(name, "a/b") {
			under.want(t, of(lease.EventAcquired, l))
		}
	}
	if len(under) != 0 {
		t.Errorf("event %+v, want none of names not under the prefix", <-under)
	}
}

// Once stop has returned nothing is delivered any more, and other watchers go on. Stopping twice is once.
func testWatchStop(t *testing.T, s Subject) {
	stopped, stop := s.watch(t, "job")
	first := s.granted(t, claim("job"))
	stopped.want(t, of(lease.EventAcquired, first))
	stays, _ := s.watch(t, "job")
	stop()
	stop()
	s.forced(t, "job", first.Token)
	stays.next(t)
	if len(stopped) != 0 {
		t.Errorf("event %+v after stop, want none", <-stopped)
	}
}

// Whoever listens for forced ends is told of them, and of nothing else, whether anybody watches or not.
func testForcedHere(t *testing.T, s Subject) { forced(t, s, s) }

// Every server is told of what any of them forces, as soon as it hears of the others at all.
func testForcedBeside(t *testing.T, s Subject) { forced(t, s.beside(t), s) }

func forced(t *testing.T, listening, s Subject) {
	t.Helper()
	events := make(watched, 1024)
	listening.Forced(func(e lease.Event) { events <- e })
	events.begin(t, s)
	for range 2 {
		held := s.granted(t, claim("job"))
		w := s.queued(t, claim("job"))
		req := forcing("job", held.Token)
		req.By = "ada@desk"
		if _, err := s.force(t, req); err != nil {
			t.Fatalf("ForceRelease = %v, want nil", err)
		}
		want := of(lease.EventForced, held)
		want.By, want.Reason = req.By, req.Reason
		events.want(t, want)
		w.served(t)
	}
	if len(events) != 0 {
		t.Errorf("event %+v, want forced ends only", <-events)
	}
}

// Who listens for forced ends is told of what is announced, too, perhaps twice, and whoever watches is not.
func testAnnouncedHere(t *testing.T, s Subject) { announced(t, s, s) }

// Every server is told of what any of them announces.
func testAnnouncedBeside(t *testing.T, s Subject) { announced(t, s.beside(t), s) }

func announced(t *testing.T, listening, s Subject) {
	t.Helper()
	events, watching := make(watched, 1024), make(watched, 1024)
	listening.Forced(func(e lease.Event) { events <- e })
	events.begin(t, s)
	ctx, cancel := call(t)
	defer cancel()
	stop, err := listening.Watch(ctx, "", func(e lease.Event) { watching <- e })
	if err != nil {
		t.Fatalf("Watch = %v, want nil", err)
	}
	defer stop()
	want := lease.Event{
		Kind: lease.EventAsked, Name: "job", At: time.UnixMicro(1_700_000_000_000_000), Token: lease.MaxToken - 1, Owner: "ana", Principal: "cert:a",
		By: "bo", Reason: "a \"deploy\"", ForceIn: 1500 * time.Millisecond, Ask: "0123456789abcdef",
	}
	if err := s.Announce(ctx, want); err != nil {
		t.Fatalf("Announce = %v, want nil", err)
	}
	got := events.next(t)
	if !got.At.Equal(want.At) {
		t.Errorf("it is of %s, want %s", got.At, want.At)
	}
	if got.At = want.At; got != want {
		t.Errorf("announced %+v, want %+v", got, want)
	}
	s.granted(t, claim("after"))
	if e := watching.next(t); e.Kind != lease.EventAcquired {
		t.Errorf("who watches is told of %+v, want the grant alone", e)
	}
}

// begin forces until the first is heard of: it is a hint, which one who has just begun to listen may miss.
func (w watched) begin(t *testing.T, s Subject) {
	t.Helper()
	force := func() lease.Token {
		token := s.granted(t, claim("early")).Token
		s.forced(t, "early", token)
		return token
	}
	for start := time.Now(); time.Since(start) < callTime; {
		force()
		select {
		case <-w:
			for last := force(); w.next(t).Token != last; { // what was on its way before it
			}
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
	t.Fatalf("nothing was heard for %s of what was forced", callTime)
}
