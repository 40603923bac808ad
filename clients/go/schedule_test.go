package lockd

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// The schedule by itself, without a client that works it off.

// hold adds a lease to s that lasts until from + ttl and is to be renewed at renewAt.
func (s *schedule) hold(t *testing.T, from instant, ttl time.Duration, renewAt time.Time) *Lease {
	t.Helper()
	l := &Lease{keep: true, deadline: from.add(ttl), due: due{index: -1}}
	if !s.add(from, l, renewAt) {
		t.Fatal("the schedule is closed")
	}
	return l
}

// When one clock leaves the other behind, every lease is looked at: after a suspension the one that
// Go's timers would end first need not be the one that has ended.
func TestScheduleAfterASuspension(t *testing.T) {
	s, start := newSchedule(), now()
	s.look(start)
	before := s.hold(t, start, time.Minute, time.Time{})
	woken := start.add(time.Second)
	woken.boot += time.Hour // asleep for an hour
	after := s.hold(t, woken, time.Second, time.Time{})
	expired, _, _ := s.look(woken)
	if len(expired) != 1 || expired[0] != before {
		t.Errorf("look after a suspension found %v expired, want the lease from before it alone", expired)
	}
	if after.index != 0 {
		t.Error("the lease from after the suspension is not the next one due; the test tests nothing")
	}
}

// A suspension that leaves a part of the ttl brings the renewal forward.
func TestScheduleAfterAShortSuspension(t *testing.T) {
	s, start := newSchedule(), now()
	s.look(start)
	l := s.hold(t, start, time.Minute, start.mono.Add(20*time.Second))
	l.ttl = time.Minute
	woken := start.add(time.Second)
	woken.boot += 45 * time.Second // 14 s are left
	expired, renewals, _ := s.look(woken)
	if len(expired) != 0 || len(renewals) != 1 {
		t.Errorf("%d expired, %d renewals, want the one renewal at once", len(expired), len(renewals))
	}
	end, _ := l.lasts(woken)
	if expired, _, _ := s.look(woken.add(end.Sub(woken.mono) - time.Millisecond)); len(expired) != 0 {
		t.Error("expired before its deadline")
	}
	if expired, _, _ := s.look(woken.add(end.Sub(woken.mono))); len(expired) != 1 {
		t.Error("not expired at its deadline on the clock that went on")
	}
}

// A lease that is planned after a suspension, by a look at the clocks from before it, ends at its deadline all the same.
func TestScheduleOfWhatCameBeforeASuspension(t *testing.T) {
	for name, plan := range map[string]func(s *schedule, l *Lease, before, woken instant){
		"acquired": func(s *schedule, l *Lease, before, _ instant) { s.add(before, l, before.mono.Add(20*time.Second)) },
		"renewed": func(s *schedule, l *Lease, before, woken instant) {
			s.add(woken, l, time.Time{})
			s.inFlight++
			until, _ := l.lasts(before)
			s.renewed(before, l, until, before.mono.Add(20*time.Second))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, before := newSchedule(), now()
			woken := before.add(time.Millisecond)
			woken.boot += 50 * time.Second
			s.look(woken)
			l := &Lease{keep: true, ttl: time.Minute, deadline: before.add(time.Minute), due: due{index: -1}}
			plan(s, l, before, woken)
			if _, renewals, _ := s.look(woken.add(tick)); len(renewals) != 1 {
				t.Errorf("%d renewals of what lasts 10 s more of a minute, want one at once", len(renewals))
			}
			if expired, _, _ := s.look(woken.add(10 * time.Second)); len(expired) != 1 {
				t.Error("not expired at its deadline on the clock that went on")
			}
		})
	}
}

// While leases are held the clocks are looked at every 25 ms, and not at all while there is none.
func TestScheduleTicks(t *testing.T) {
	s := newSchedule()
	if _, _, pause := s.look(now()); pause >= 0 {
		t.Errorf("pause = %s with no lease, want none", pause)
	}
	s.hold(t, now(), time.Hour, time.Time{})
	if _, _, pause := s.look(now()); pause != tick {
		t.Errorf("pause = %s with a lease, want %s", pause, tick)
	}
}

// A lease that has ended while it waited for a place among the renewals is not renewed.
func TestScheduleForgetsWhatHasEnded(t *testing.T) {
	s, start := newSchedule(), now()
	for range maxRenewals + 1 {
		s.hold(t, start, time.Hour, start.mono)
	}
	_, renewals, _ := s.look(start)
	if len(renewals) != maxRenewals || len(s.ready) != 1 {
		t.Fatalf("%d renewals, %d ready, want %d and 1", len(renewals), len(s.ready), maxRenewals)
	}
	s.remove(s.ready[0])
	s.renewed(start, renewals[0], renewals[0].Deadline(), start.mono.Add(time.Minute))
	if _, renewals, _ := s.look(start); len(renewals) != 0 {
		t.Errorf("%d renewals, want 0: the lease that was ready has ended", len(renewals))
	}
}

// A renewal that ends passes its place on at once.
func TestSchedulePassesPlacesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, start := newSchedule(), now()
		const leases = 20 * maxRenewals
		done := make(chan time.Duration, leases)
		for range leases {
			s.hold(t, start, time.Hour, start.mono)
		}
		go s.run(t.Context(), func(due []*Lease) {
			for _, l := range due {
				go func() {
					s.renewed(start, l, l.Deadline(), start.mono.Add(time.Minute))
					done <- time.Since(start.mono)
				}()
			}
		})
		for range leases {
			if took := <-done; took > 0 {
				t.Fatalf("a renewal that takes no time began %s late", took)
			}
		}
	})
}

// Many leases are renewed some at once, a little early; few, and those that are not due soon, each in its time.
func TestScheduleRenewsManyTogether(t *testing.T) {
	for _, test := range []struct {
		leases int
		apart  time.Duration
		ttl    time.Duration
		want   int
	}{
		{manyLeases - 1, time.Millisecond, time.Minute, 1},
		{manyLeases, together / 100, time.Minute, 101},
		{manyLeases, together / 100, 3 * time.Second, 11}, // a thirtieth of it
		{2 * atOnce, together / atOnce / 2, time.Minute, atOnce},
	} {
		s, start := newSchedule(), now()
		for i := range test.leases {
			s.hold(t, start, time.Minute, start.mono.Add(time.Duration(i)*test.apart)).ttl = test.ttl
		}
		if _, renewals, _ := s.look(start); len(renewals) != test.want {
			t.Errorf("of %d leases of %s, due %s apart, %d are renewed together, want %d", test.leases, test.ttl, test.apart, len(renewals), test.want)
		}
		_, renewals, _ := s.look(start.add(-time.Millisecond))
		if len(renewals) != 0 {
			t.Errorf("%d are renewed before any is due, want none", len(renewals))
		}
	}
}

// Who failed pauses, also among many of whom one is due.
func TestScheduleLetsWhoFailedPause(t *testing.T) {
	s, start := newSchedule(), now()
	for i := range manyLeases {
		l := s.hold(t, start, time.Minute, start.mono.Add(time.Duration(i)*time.Microsecond))
		l.ttl, l.failures = time.Minute, min(i, 1)
	}
	if _, renewals, _ := s.look(start); len(renewals) != 1 {
		t.Errorf("%d are renewed, want the one that is due", len(renewals))
	}
}

// Whatever moves in the heap, who needs attention first is first, and each knows its place.
func TestLeaseHeap(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r, origin := rand.New(rand.NewPCG(seed, 0)), time.Now()
	var h leaseHeap
	var in []*Lease
	for range 5000 {
		at := origin.Add(time.Duration(r.IntN(100)))
		switch i := r.IntN(4); {
		case i > 1 || len(in) == 0:
			l := &Lease{due: due{at: at, index: -1}}
			h.push(l)
			in = append(in, l)
		case i == 1:
			l := in[r.IntN(len(in))]
			l.at = at
			h.fix(l.index)
		default:
			n := r.IntN(len(in))
			l := in[n]
			h.remove(l.index)
			if in = slices.Delete(in, n, n+1); l.index >= 0 {
				t.Fatalf("who was taken out has place %d, want none", l.index)
			}
		}
		for i, p := range h {
			if p.index != i || p.at != p.due.at || i > 0 && p.at.Before(h[(i-1)/2].at) {
				t.Fatalf("place %d of %d is wrong", i, len(h))
			}
		}
		if len(h) != len(in) {
			t.Fatalf("%d leases, want %d", len(h), len(in))
		}
	}
}

// A schedule that is closed takes no lease: nobody would watch it.
func TestScheduleClosed(t *testing.T) {
	f, c := newFake(t)
	f.acquire = func(_ context.Context, r *lockdv1.AcquireRequest) (*lockdv1.AcquireResponse, error) {
		c.schedule.close() // Close gets there first
		return granted(r), nil
	}
	if _, err := c.Acquire(t.Context(), "job"); !errors.Is(err, ErrClosed) {
		t.Errorf("Acquire = %v, want ErrClosed", err)
	}
	_ = c.Close()
	if _, _, releases := f.seen(); len(releases) != 1 {
		t.Errorf("%d releases, want 1", len(releases))
	}
}
