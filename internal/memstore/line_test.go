package memstore

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockd/lockd/internal/lease"
)

// patient is a first attempt that is ready to wait for wait; what comes to it arrives in turns.
func patient(name string, i int, wait time.Duration) (a lease.Acquisition, turns chan lease.Handover) {
	a, turns = claim(name, i), make(chan lease.Handover, 8)
	a.Turn = func(h lease.Handover) { turns <- h }
	a.Until = time.Now().Add(wait)
	return a, turns
}

// queue has a take its place in line.
func queue(t *testing.T, s *Store, a lease.Acquisition) (place int) {
	t.Helper()
	_, err := s.Acquire(call(t), a)
	var held *lease.HeldError
	if !errors.As(err, &held) || held.Place == 0 {
		t.Fatalf("Acquire(%q) = %v, want a place in line", a.Name, err)
	}
	return held.Place
}

func leave(t *testing.T, s *Store, a lease.Acquisition, keepPlace bool) {
	t.Helper()
	u := lease.Undoing{Name: a.Name, ID: a.ID, Tag: a.Tag, KeepPlace: keepPlace}
	if err := s.Undo(call(t), u); err != nil {
		t.Fatalf("Undo = %v, want nil", err)
	}
}

// While somebody waits, a lease that runs out is handed over to the nanosecond, and so is what was handed
// over; a renewal puts it off.
func TestExpiryHandsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const whole = ttl + time.Second // with its grace
		s, holder := New(), claim("job", 1)
		grant(t, s, holder)
		first, firstTurn := patient("job", 2, time.Hour)
		second, secondTurn := patient("job", 3, time.Hour)
		queue(t, s, first)
		queue(t, s, second)
		time.Sleep(5 * time.Second)
		if _, err := s.Renew(call(t), lease.Renewal{Name: "job", ID: holder.ID}); err != nil {
			t.Fatal(err)
		}
		for i, turns := range []chan lease.Handover{firstTurn, secondTurn} {
			time.Sleep(whole - time.Nanosecond)
			synctest.Wait()
			if len(turns) != 0 {
				t.Errorf("turn %d came before the lease in front had run out", i)
			}
			time.Sleep(time.Nanosecond)
			synctest.Wait()
			if len(turns) != 1 {
				t.Fatalf("turn %d did not come when the lease in front had run out", i)
			}
			if h := <-turns; !h.Began.Equal(time.Now()) || h.Lease.ExpiresIn != whole {
				t.Errorf("turn %d began %s ago with %s to go, want now and %s", i, time.Since(h.Began), h.Lease.ExpiresIn, whole)
			}
		}
	})
}

// An expiry that another name's shorter lease brings forward is not missed, nor is one behind it.
func TestAlarmIsBroughtForward(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, start := New(), time.Now()
		ttls := []time.Duration{20 * time.Second, 10 * time.Second, 30 * time.Second, 5 * time.Second}
		var turns []chan lease.Handover
		for i, ttl := range ttls {
			name := fmt.Sprint("job/", i)
			a := claim(name, i)
			a.TTL = ttl
			grant(t, s, a)
			next, turn := patient(name, 10+i, time.Hour)
			next.TTL = time.Hour
			queue(t, s, next)
			turns = append(turns, turn)
		}
		for _, i := range []int{3, 1, 0, 2} {
			<-turns[i]
			if got, want := time.Since(start), ttls[i]+lease.Grace(ttls[i]); got != want {
				t.Errorf("turn %d came after %s, want %s", i, got, want)
			}
		}
	})
}

// However many in front have waited long enough, the turn comes to who still waits, at once.
func TestHandoverPassesOverWaitsThatEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, holder := New(), claim("job", 1)
		grant(t, s, holder)
		var over []chan lease.Handover
		for i := range 20 {
			a, turns := patient("job", 2+i, time.Second)
			queue(t, s, a)
			over = append(over, turns)
		}
		a, turns := patient("job", 99, time.Hour)
		queue(t, s, a)
		time.Sleep(time.Second)
		if _, err := s.Release(call(t), lease.ReleaseRequest{Name: "job", ID: holder.ID}); err != nil {
			t.Fatal(err)
		}
		if len(turns) != 1 {
			t.Error("no turn came to the one who still waits")
		}
		for i, turns := range over {
			if len(turns) != 0 {
				t.Errorf("a turn came to waiter %d, whose wait is over", i)
			}
		}
	})
}

// While nobody waits or watches nothing runs; once the store is closed nothing runs any more.
func TestAlarmIsSetForSomebodyOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New()
		grant(t, s, claim("job", 1))
		if s.alarm.timer != nil {
			t.Error("a timer runs for a lease, want none while nobody waits")
		}
		a, turns := patient("job", 2, time.Hour)
		queue(t, s, a)
		if s.alarm.timer == nil {
			t.Error("no timer runs while somebody waits")
		}
		if err := s.Close(); err != nil || s.alarm.timer != nil {
			t.Errorf("Close = %v with a timer: %t, want nil, none", err, s.alarm.timer != nil)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(turns) != 0 || len(s.line.Present("job")) != 0 {
			t.Error("somebody waits in a closed store, want who was in line to be away")
		}
	})
}

// Whoever watches is told of an expiry when it happens, and not of what ran out before.
func TestExpiryIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New()
		const many = ringWork + 10
		for i := range many {
			grant(t, s, claim(fmt.Sprint("old/", i), i))
		}
		time.Sleep(time.Minute)
		var told []lease.Event
		_, err := s.Watch(call(t), "", func(e lease.Event) { told = append(told, e) })
		if err != nil {
			t.Fatal(err)
		}
		if len(s.held) != 0 || len(told) != 0 {
			t.Errorf("%d old leases are kept, %d were told, want none", len(s.held), len(told))
		}
		for i := range many {
			grant(t, s, claim(fmt.Sprint("new/", i), i))
		}
		s.mu.Lock()
		told = nil
		s.mu.Unlock()
		time.Sleep(ttl + lease.Grace(ttl))
		synctest.Wait()
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(told) != many || told[many-1].Kind != lease.EventExpired || !told[many-1].At.Equal(time.Now()) {
			t.Errorf("%d events, the last %+v, want that %d have just expired", len(told), told[len(told)-1], many)
		}
	})
}

// A turn is told when the store can be asked again, not from within.
func TestTurnIsToldOutside(t *testing.T) {
	s := New()
	grant(t, s, claim("job", 1))
	a, _ := patient("job", 2, time.Hour)
	told := false
	a.Turn = func(lease.Handover) { told = held(t, s, "job") }
	queue(t, s, a)
	if _, err := s.Release(call(t), lease.ReleaseRequest{Name: "job", ID: claim("job", 1).ID}); err != nil || !told {
		t.Errorf("Release = %v, told %t, want the turn told before it returns", err, told)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// When no token is left what is freed stays free, and the line stands.
func TestNoTokenForTheLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, holder := New(), claim("job", 1)
		s.last = lease.MaxToken - 2
		grant(t, s, holder)
		a, turns := patient("job", 2, time.Hour)
		queue(t, s, a)
		if r, err := s.Release(call(t), lease.ReleaseRequest{Name: "job", ID: holder.ID}); err != nil || r.Outcome != lease.Held {
			t.Errorf("Release = %v, %v, want Held", r, err)
		}
		if _, err := s.Acquire(call(t), claim("job", 3)); !errors.Is(err, lease.ErrGrantsRefused) {
			t.Errorf("Acquire(no token left) = %v, want ErrGrantsRefused", err)
		}
		if held(t, s, "job") || len(turns) != 0 || len(s.line.Present("job")) != 1 {
			t.Error("want the name free, no turn, and the line as it was")
		}
	})
}

// A place is kept for ten seconds after its waiter went, and for ten seconds after the end of a wait that
// nobody took back.
func TestPlaceIsKeptForTenSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New()
		for i, test := range []struct {
			away time.Duration
			want int
		}{{lease.KeepPlace - time.Nanosecond, 1}, {lease.KeepPlace, 2}} {
			for _, undone := range []bool{true, false} {
				name := fmt.Sprint("job/", i, undone)
				holder := claim(name, 1)
				holder.TTL = time.Hour
				grant(t, s, holder)
				gone, _ := patient(name, 2, time.Minute)
				other, _ := patient(name, 3, time.Hour)
				queue(t, s, gone)
				queue(t, s, other)
				if undone {
					leave(t, s, gone, true)
				} else {
					time.Sleep(time.Minute)
				}
				time.Sleep(test.away)
				gone, _ = patient(name, 2, time.Minute)
				gone.Tag.Attempt = 2
				if got := queue(t, s, gone); got != test.want {
					t.Errorf("back after %s (undone %t) at place %d, want %d", test.away, undone, got, test.want)
				}
			}
		}
	})
}

// Places that nobody comes back to are forgotten by whatever is done next.
func TestPlacesAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const many = 1000
		s, holder := New(), claim("job", -1)
		holder.TTL = time.Hour
		grant(t, s, holder)
		for i := range many {
			a, _ := patient("job", i, time.Second)
			queue(t, s, a)
			if i%2 == 0 {
				leave(t, s, a, true)
			}
		}
		time.Sleep(time.Minute)
		for range many { // at a time two waits end, or two places: each has both before it
			held(t, s, "other")
		}
		time.Sleep(time.Minute)
		for range many {
			held(t, s, "other")
		}
		if places, names := s.line.Len(); places != 0 || names != 0 {
			t.Errorf("%d places and lines for %d names are kept, want none", places, names)
		}
	})
}

// lineNames is how many names are waited for.
const lineNames = 3

// The leases and their lines agree with each other, whatever is done.
func TestLineBookkeeping(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	synctest.Test(t, func(t *testing.T) {
		s := New()
		for i := range 5_000 {
			a, _ := patient(fmt.Sprint("job/", random.IntN(lineNames)), random.IntN(60), time.Duration(random.IntN(20_000))*time.Millisecond)
			a.Tag.Attempt = uint32(i / 100)
			a.TTL = time.Duration(1+random.IntN(3000)) * time.Millisecond
			switch random.IntN(8) {
			case 0:
				a.Turn = nil
				_, _ = s.Acquire(call(t), a)
			case 1:
				leave(t, s, a, random.IntN(2) == 0)
			case 2:
				_, _ = s.Release(call(t), lease.ReleaseRequest{Name: a.Name, ID: a.ID})
			case 3:
				s.Expire(a.Name)
			default:
				_, _ = s.Acquire(call(t), a)
			}
			agreeOnLines(t, s)
			if t.Failed() {
				t.Fatalf("after step %d", i)
			}
			time.Sleep(time.Duration(random.IntN(100)) * time.Millisecond)
			synctest.Wait()
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		agreeOnLines(t, s)
	})
}

// agreeOnLines looks at what a Book cannot know: who is granted waits no more, and nobody waits for a free name.
func agreeOnLines(t *testing.T, s *Store) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	names := 0
	for i := range lineNames {
		name := fmt.Sprint("job/", i)
		e, present := s.held[name], s.line.Present(name)
		if len(present) > 0 {
			names++
			if e == nil {
				t.Errorf("%q: %d wait for a free name", name, len(present))
			}
		}
		if e != nil && s.line.Place(name, e.id, time.Now()) != nil {
			t.Errorf("%q: the holder has a place", name)
		}
	}
	if _, got := s.line.Len(); got > names {
		t.Errorf("somebody waits for %d names, want at most %d", got, names)
	}
}
