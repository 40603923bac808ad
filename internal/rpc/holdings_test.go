package rpc

import (
	"context"
	"testing"
	"time"

	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/google/go-cmp/cmp"

	"github.com/lockd/lockd/internal/lease"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// force ends the lease on name with token.
func force(t *testing.T, s *subject, name string, token int64) {
	t.Helper()
	_, err := s.admin.ForceRelease(t.Context(), &lockdv1.ForceReleaseRequest{Name: name, Token: token, By: "ops", Reason: "fire"})
	if err != nil {
		t.Fatal(err)
	}
}

var byForce = &lockdv1.Loss{Cause: lockdv1.Loss_FORCED, By: "ops", Reason: "fire"}

// expectLost waits for one notice of a loss.
func (k *talk) expectLost(want *lockdv1.Lost) {
	k.t.Helper()
	k.hear("a loss", func() bool { return len(k.lost) > 0 })
	if diff := cmp.Diff([]*lockdv1.Lost{want}, k.lost, protocmp.Transform()); diff != "" {
		k.t.Errorf("lost: -want +got\n%s", diff)
	}
	k.lost = nil
}

// expectNoLoss fails if a loss was told before the answer to a question asked now.
func (k *talk) expectNoLoss() {
	k.t.Helper()
	k.answer(k.do(&lockdv1.ReleaseRequest{Name: "nobody's", LeaseId: id2}))
	if len(k.lost) > 0 {
		k.t.Errorf("lost %v, want nothing", k.lost)
	}
}

func TestAForcedLeaseIsToldToWhoWasGrantedRenewedOrResumedItHere(t *testing.T) {
	t.Parallel() // a release is repeated after a second, and its server waits for that
	s, _ := serveMemory(t)
	granted, renewing, resuming, other := openSession(t, s), openSession(t, s), openSession(t, s), openSession(t, s)
	for range 2 { // a loss is told once, and the next lease on the name is another one
		is := granted.acquires("a", id1)
		renewing.answer(renewing.do(&lockdv1.RenewRequest{Name: "a", LeaseId: id1}))
		renewing.answer(renewing.do(&lockdv1.RenewRequest{Name: "a", LeaseId: id1}))
		resuming.send(&lockdv1.SessionRequest{Resumed: []*lockdv1.Resumed{{Name: "a", Token: is.GetToken()}}})
		resuming.expectNoLoss() // so that the resumption has been read
		force(t, s, "a", is.GetToken())
		for _, k := range []*talk{granted, renewing, resuming} {
			k.expectLost(&lockdv1.Lost{Name: "a", Token: is.GetToken(), Loss: byForce})
			k.expectNoLoss()
		}
		other.expectNoLoss()
	}
}

func TestAForceThatCameBeforeTheResumptionIsToldThen(t *testing.T) {
	s, _ := serveMemory(t)
	is := openSession(t, s).acquires("a", id1)
	force(t, s, "a", is.GetToken())
	k := openSession(t, s)
	k.send(&lockdv1.SessionRequest{Resumed: []*lockdv1.Resumed{{Name: "a", Token: is.GetToken()}}})
	k.expectLost(&lockdv1.Lost{Name: "a", Token: is.GetToken(), Loss: byForce})
}

func TestALossAtARenewalSaysWhyAndIsNotToldAgain(t *testing.T) {
	t.Parallel() // a release is repeated after a second, and its server waits for that
	s, _ := serveMemory(t)
	is := openSession(t, s).acquires("a", id1)
	k := openSession(t, s)
	force(t, s, "a", is.GetToken())
	got := k.answer(k.do(&lockdv1.RenewRequest{Name: "a", LeaseId: id1, Token: is.GetToken()})).GetError()
	if got.GetReason() != "LEASE_LOST" || cmp.Diff(byForce, got.GetLoss(), protocmp.Transform()) != "" {
		t.Errorf("renewing a forced lease = %v, want LEASE_LOST and who forced it", got)
	}
	k.expectNoLoss()
}

func TestALeaseGrantedToAnotherIsTold(t *testing.T) {
	token := lease.Token(7)
	s := serve(t, &fakeStore{
		acquire: func(_ context.Context, a lease.Acquisition) (lease.Lease, error) {
			token++
			return lease.Lease{Name: a.Name, Token: token, TTL: a.TTL, ExpiresIn: a.TTL}, nil
		},
		release: func(context.Context, lease.ReleaseRequest) (lease.Released, error) { return lease.Released{}, nil },
	})
	k := openSession(t, s)
	is := k.acquires("a", id1)
	openSession(t, s).acquires("a", id2)
	k.expectLost(&lockdv1.Lost{Name: "a", Token: is.GetToken(), Loss: &lockdv1.Loss{Cause: lockdv1.Loss_GRANTED_TO_ANOTHER}})
}

func TestALeaseThatRanOutIsSaidToHaveExpired(t *testing.T) {
	t.Parallel()
	s, store := serveMemory(t)
	k, next := openSession(t, s), openSession(t, s)
	brief := func(name string) *lockdv1.Lease {
		t.Helper()
		a := k.answer(k.do(&lockdv1.AcquireRequest{Name: name, LeaseId: id1, Attempt: 1, Ttl: durationpb.New(time.Second)}))
		if a.GetAcquired() == nil {
			t.Fatalf("acquire %q: %v, want a lease", name, a)
		}
		return a.GetAcquired().GetLease()
	}
	wanted, alone := brief("wanted"), brief("alone")
	next.answer(next.queues("wanted", id2))
	expired := &lockdv1.Loss{Cause: lockdv1.Loss_EXPIRED}
	k.expectLost(&lockdv1.Lost{Name: "wanted", Token: wanted.GetToken(), Loss: expired})
	eventually(t, "the other lease has run out", func() bool { return !standing(t, store, "alone").Held })
	got := k.answer(k.do(&lockdv1.RenewRequest{Name: "alone", LeaseId: id1, Token: alone.GetToken()})).GetError()
	if got.GetReason() != "LEASE_LOST" || cmp.Diff(expired, got.GetLoss(), protocmp.Transform()) != "" {
		t.Errorf("renewing an expired lease = %v, want LEASE_LOST and that it expired", got)
	}
}

func TestAReleaseIsNoLossThoughTheNextInLineHasItAtOnce(t *testing.T) {
	t.Parallel() // a release is repeated after a second, and its server waits for that
	s, _ := serveMemory(t)
	k, next := openSession(t, s), openSession(t, s)
	k.acquires("a", id1)
	op := next.queues("a", id2)
	k.answer(k.do(&lockdv1.ReleaseRequest{Name: "a", LeaseId: id1}))
	next.answer(op)
	k.expectNoLoss()

	// Nor is one that the client could not name when it resumed.
	next.answer(next.do(&lockdv1.ReleaseRequest{Name: "a", LeaseId: id2}))
	is := next.acquires("a", leaseID(3))
	k.send(&lockdv1.SessionRequest{Resumed: []*lockdv1.Resumed{{Name: "a", Token: is.GetToken()}}})
	k.answer(k.do(&lockdv1.ReleaseRequest{Name: "a", LeaseId: leaseID(3)}))
	openSession(t, s).acquires("a", leaseID(4))
	k.expectNoLoss()
}

func TestHoldingsKeepTheNewestLeaseOfANameAndAtMost100000(t *testing.T) {
	stopped := 0
	hold := func(name string, token lease.Token, op uint64) *holding {
		return &holding{name: name, token: token, op: op, listens: true}
	}
	s := newHoldings(func(*holding) { stopped++ })
	first := hold("a", 5, 1)
	for what, c := range map[string]struct {
		h    *holding
		want bool // whether to listen
	}{"a renewal of the same": {hold("a", 5, 0), false}, "an older one": {hold("a", 4, 2), false}} {
		s = newHoldings(func(*holding) { stopped++ })
		if s.add(first) == nil {
			t.Error("the first one is not listened for")
		}
		if got := s.add(c.h) != nil; got != c.want || s.of(1) != first || s.of(2) != nil || stopped != 0 {
			t.Errorf("%s: listens %t, want %t and the first one kept", what, got, c.want)
		}
	}
	again := s.add(hold("a", 5, 3)) // the same lease, granted to another operation
	if again != nil || s.of(1) != nil || s.of(3) != first {
		t.Error("a lease that answers two operations is not the later one's")
	}
	if s.add(hold("a", 6, 4)) == nil || stopped != 1 || s.of(3) != nil {
		t.Error("a newer lease does not replace the older one of its name")
	}
	for n := range maxHoldings {
		s.add(hold(leaseID(n), 1, uint64(n)+10))
	}
	if len(s.byName) != maxHoldings || len(s.byOp) != maxHoldings || stopped != 2 {
		t.Errorf("%d holdings of %d operations, %d stopped, want %d and the first ones stopped", len(s.byName), len(s.byOp), stopped, maxHoldings)
	}
	s.clear()
	if len(s.byName)+len(s.byOp) != 0 || stopped != maxHoldings+2 {
		t.Errorf("after clear %d are left and %d stopped, want all stopped", len(s.byName), stopped)
	}
}
