package line

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockd/lockd/test/fleet"
)

// What the line promises, and what a test adds on a machine that is busy with other things.
const (
	skippedWithin  = time.Second     // the waiter of a client that has gone
	deadWithin     = 5 * time.Second // the waiters of a lockd that has gone
	passedOnWithin = 2 * time.Second // what was granted to nobody
	slack          = 1500 * time.Millisecond
)

// Who waits in a client that is killed is skipped within a second: the line is without it, and the next
// release goes to the next one.
func TestAWaiterOfAKilledClientIsSkipped(t *testing.T) {
	f := fleet.Start(t, 1)
	lockd := connect(t, f.Lockds[0])
	holder := newID()
	lockd.acquire(t, "job", holder)
	dead := f.Client(fleet.Work{Target: f.Target(0), Names: []string{"job"}, Workers: 3, TTL: time.Minute})
	until(t, "three wait", func() bool { return lockd.get(t, "job").GetWaiterCount() == 3 })
	next := lockd.wait(t, "job", newID(), 1)

	dead.Kill()
	killed := time.Now()
	until(t, "the dead are skipped", func() bool { return cmp.Equal(lockd.line(t, "job"), []string{next.id[:8]}) })
	if took := time.Since(killed); took > skippedWithin+slack {
		t.Errorf("who waited in a killed client was skipped after %s, want within %s", took, skippedWithin)
	}
	released := time.Now()
	lockd.release(t, "job", holder)
	if took := next.granted(t).at.Sub(released); took > skippedWithin+slack {
		t.Errorf("the next one had the lease after %s, want at once", took)
	}
}

// Who waits through a lockd that is killed is skipped within five seconds, and has its place again, before
// those who came later, if it asks another one within ten.
func TestAWaiterOfAKilledLockdKeepsItsPlace(t *testing.T) {
	f := fleet.Start(t, 2)
	doomed, other := connect(t, f.Lockds[0]), connect(t, f.Lockds[1])
	holder := newID()
	other.acquire(t, "job", holder)
	first := doomed.wait(t, "job", newID(), 1)
	second := other.wait(t, "job", newID(), 1)
	third := other.wait(t, "job", newID(), 1)

	f.Lockds[0].Kill()
	killed := time.Now()
	until(t, "the dead one's waiter is skipped", func() bool {
		return cmp.Equal(other.line(t, "job"), []string{second.id[:8], third.id[:8]})
	})
	if took := time.Since(killed); took > deadWithin+slack {
		t.Errorf("who waited through a killed lockd was skipped after %s, want within %s", took, deadWithin)
	}
	if got := <-first.done; got.err == nil {
		t.Fatalf("who waited through the killed lockd got %v, want an error", got.lease)
	}
	other.release(t, "job", holder)
	second.granted(t)

	again := other.wait(t, "job", first.id, 2)
	if again.ticket != first.ticket || again.since != first.since {
		t.Errorf("asked again its ticket is %d since %s, want its old place: %d since %s", again.ticket, again.since, first.ticket, first.since)
	}
	other.release(t, "job", second.id)
	again.granted(t)
	if len(third.done) != 0 {
		t.Errorf("who came later has been granted the lease, too: %v", <-third.done)
	}
	other.release(t, "job", first.id)
	third.granted(t)
}

// A lease that is handed to a waiter whose lockd does not take it up is passed on within two seconds,
// whatever its ttl; when that lockd comes back its waiter does not have the lease, but its place.
func TestALeaseGrantedToNobodyIsPassedOn(t *testing.T) {
	f := fleet.Start(t, 2)
	mute, other := connect(t, f.Lockds[0]), connect(t, f.Lockds[1])
	holder := newID()
	other.acquire(t, "job", holder)
	first := mute.wait(t, "job", newID(), 1)
	second := other.wait(t, "job", newID(), 1)

	f.Lockds[0].Pause()
	released := time.Now()
	other.release(t, "job", holder)
	got := second.granted(t)
	if took := got.at.Sub(released); took < passedOnWithin/4 || took > passedOnWithin+slack {
		t.Errorf("the lease was passed on after %s, want a moment, and at most %s: it was the mute one's first", took, passedOnWithin)
	}
	f.Lockds[0].Resume()
	until(t, "who was passed over waits again", func() bool { return cmp.Equal(other.line(t, "job"), []string{first.id[:8]}) })
	if len(first.done) != 0 {
		t.Fatalf("who was passed over got %v while another holds the lease", <-first.done)
	}
	other.release(t, "job", second.id)
	if late := first.granted(t); late.lease.GetToken() <= got.lease.GetToken() {
		t.Errorf("token went from %d to %d, want larger", got.lease.GetToken(), late.lease.GetToken())
	}
}
