package rpc

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/lockd/lockd/internal/lease"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// holdStore grants each name once, within a longest hold that the test may change.
type holdStore struct {
	fakeStore
	maxHold time.Duration
	since   map[string]time.Time
}

func newHoldStore(maxHold time.Duration) *holdStore {
	s := &holdStore{maxHold: maxHold, since: make(map[string]time.Time)}
	s.fakeStore.acquire = func(_ context.Context, a lease.Acquisition) (lease.Lease, error) {
		s.since[a.Name] = time.Now()
		return s.lease(a.Name), nil
	}
	s.fakeStore.renew = func(_ context.Context, r lease.Renewal) (lease.Lease, error) { return s.lease(r.Name), nil }
	s.fakeStore.release = func(context.Context, lease.ReleaseRequest) (lease.Released, error) {
		return lease.Released{Outcome: lease.Held}, nil
	}
	return s
}

func (s *holdStore) lease(name string) lease.Lease {
	l := lease.Lease{Name: name, Token: 7, TTL: time.Minute, ExpiresIn: time.Minute}
	return l.Bounded(s.maxHold, s.maxHold-time.Since(s.since[name]))
}

// inBubble runs f, whose time is its own, with a session over s.
func (s *holdStore) inBubble(t *testing.T, f func(t *testing.T, at *subject, k *talk)) {
	synctest.Test(t, func(t *testing.T) {
		servePipesOver(t, s, func(_ *Server, conn net.Conn) {
			at := overPipe(t, conn)
			f(t, at, openSession(t, at))
		})
	})
}

// told has one more answer come, and answers what was told before it of holds that end.
func (k *talk) told() []*lockdv1.HoldEnding {
	k.t.Helper()
	k.answer(k.do(&lockdv1.ReleaseRequest{Name: "nobody's", LeaseId: id2}))
	ending := k.ending
	k.ending = nil
	return ending
}

func (k *talk) expectEnding(when string, want ...*lockdv1.HoldEnding) {
	k.t.Helper()
	if diff := cmp.Diff(want, k.told(), protocmp.Transform()); diff != "" {
		k.t.Errorf("%s a hold's end is told: -want +got\n%s", when, diff)
	}
}

func holdEnding(in, of time.Duration) *lockdv1.HoldEnding {
	return &lockdv1.HoldEnding{Name: "a", Token: 7, HoldEndsIn: durationpb.New(in), MaxHold: durationpb.New(of)}
}

// A holder is told once when four fifths of the longest hold are over, by whoever granted the lease and by whoever renewed
// it, and not who only says that it has it. What is left is in each answer as well.
func TestTheEndOfAHoldIsTold(t *testing.T) {
	newHoldStore(10*time.Second).inBubble(t, func(t *testing.T, at *subject, k *talk) {
		granted := k.acquires("a", id1)
		if granted.GetMaxHold().AsDuration() != 10*time.Second || granted.GetHoldEndsIn().AsDuration() != 10*time.Second {
			t.Errorf("granted %v, want a hold of 10s", granted)
		}
		renewing, resuming := openSession(t, at), openSession(t, at)
		resuming.send(&lockdv1.SessionRequest{Resumed: []*lockdv1.Resumed{{Name: "a", Token: 7}}})
		time.Sleep(4 * time.Second)
		renewed := renewing.answer(renewing.do(&lockdv1.RenewRequest{Name: "a", LeaseId: id1})).GetRenewed().GetLease()
		if renewed.GetHoldEndsIn().AsDuration() != 6*time.Second || renewed.GetTtl().AsDuration() != 6*time.Second {
			t.Errorf("renewed %v, want 6s left", renewed)
		}
		time.Sleep(4*time.Second - time.Millisecond)
		for _, k := range []*talk{k, renewing, resuming} {
			k.expectEnding("before four fifths are over")
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
		k.expectEnding("after four fifths", holdEnding(2*time.Second, 10*time.Second))
		renewing.expectEnding("where it was renewed", holdEnding(2*time.Second, 10*time.Second))
		resuming.expectEnding("where nothing is known of it")
		time.Sleep(time.Second)
		late := openSession(t, at)
		for range 2 {
			for _, k := range []*talk{k, late} {
				k.answer(k.do(&lockdv1.RenewRequest{Name: "a", LeaseId: id1}))
			}
		}
		synctest.Wait()
		k.expectEnding("once more")
		late.expectEnding("at a late renewal elsewhere", holdEnding(time.Second, 10*time.Second))
	})
}

// A hold that became longer is told of when that is about to be over, and one that was lifted not at all.
func TestAHoldThatChangesIsToldAnew(t *testing.T) {
	s := newHoldStore(10 * time.Second)
	s.inBubble(t, func(t *testing.T, at *subject, k *talk) {
		k.acquires("a", id1)
		renew := func() { k.answer(k.do(&lockdv1.RenewRequest{Name: "a", LeaseId: id1})) }
		time.Sleep(8 * time.Second)
		synctest.Wait()
		k.expectEnding("after four fifths", holdEnding(2*time.Second, 10*time.Second))
		s.maxHold = 20 * time.Second
		renew()
		time.Sleep(8 * time.Second)
		synctest.Wait()
		k.expectEnding("after four fifths of more", holdEnding(4*time.Second, 20*time.Second))
		s.maxHold = 25 * time.Second
		renew()
		s.maxHold = 0
		renew()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		k.expectEnding("after it was lifted")
	})
}

// Nobody is told of a lease that was released, nor of one that nothing bounds.
func TestAHoldThatIsOverOtherwiseIsNotTold(t *testing.T) {
	newHoldStore(10*time.Second).inBubble(t, func(t *testing.T, at *subject, k *talk) {
		k.acquires("a", id1)
		k.answer(k.do(&lockdv1.ReleaseRequest{Name: "a", LeaseId: id1}))
		time.Sleep(20 * time.Second)
		k.expectEnding("after its release")
	})
	newHoldStore(0).inBubble(t, func(t *testing.T, at *subject, k *talk) {
		if l := k.acquires("a", id1); l.MaxHold != nil || l.HoldEndsIn != nil {
			t.Errorf("granted %v, want no word of a hold", l)
		}
		time.Sleep(20 * time.Second)
		k.expectEnding("without a bound")
	})
}
