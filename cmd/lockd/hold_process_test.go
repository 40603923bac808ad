package main

import (
	"errors"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	lockd "github.com/lockd/lockd/clients/go"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
	"github.com/lockd/lockd/test/lockdproc"
	"github.com/lockd/lockd/test/redisproc"
)

// held is for how long the tests here let a name be held; late, how much later than it should a machine may do things.
const (
	held = 3 * time.Second
	late = 2 * time.Second
)

// holdPolicy bounds names alone, which takes no identities.
const holdPolicy = "names:\n  - under: batch\n    max-hold: 3s\n"

// twoLockd serve leases of one Redis by one policy.
func twoLockd(t *testing.T) (a, b *lockdproc.Server, policy string) {
	t.Helper()
	r := redisproc.Start(t)
	policy = write(t, "policy.yaml", holdPolicy)
	return lockdproc.Start(t, "--redis", r.URL(), "--policy", policy), lockdproc.Start(t, "--redis", r.URL(), "--policy", policy), policy
}

// A lease that is renewed at one lockd and then at the other lasts for its longest hold, is told by neither to be lost before
// that, is answered less and less, and then the next one has the name.
func TestAHoldEndsAlthoughRenewalsAlternate(t *testing.T) {
	a, b, _ := twoLockd(t)
	at := []lockdv1.LeaseServiceClient{
		lockdv1.NewLeaseServiceClient(lockdproc.Conn(t, a.Addr())), lockdv1.NewLeaseServiceClient(lockdproc.Conn(t, b.Addr())),
	}
	ttl := durationpb.New(time.Second)
	before := time.Now()
	if _, err := at[0].Acquire(t.Context(), &lockdv1.AcquireRequest{Name: "batch/x", LeaseId: id1, Attempt: 1, Ttl: ttl}); err != nil {
		t.Fatal(err)
	}
	after := time.Now()
	next := make(chan time.Time, 1)
	go func() {
		defer close(next)
		wait := durationpb.New(time.Minute)
		if _, err := at[1].Acquire(t.Context(), &lockdv1.AcquireRequest{Name: "batch/x", LeaseId: id2, Attempt: 1, Wait: wait}); err != nil {
			t.Error(err)
			return
		}
		next <- time.Now()
	}()

	var proven time.Time // until when the holder may count on the lease
	last, renewals := held, 0
	for {
		sent := time.Now()
		renewed, err := at[renewals%2].Renew(t.Context(), &lockdv1.RenewRequest{Name: "batch/x", LeaseId: id1, Ttl: ttl})
		if status.Code(err) == codes.FailedPrecondition {
			if early := time.Until(before.Add(held)); early > 0 {
				t.Errorf("lost %s before the end of the hold", early)
			}
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		l := renewed.GetLease()
		if left := l.GetHoldEndsIn().AsDuration(); left > last || l.GetMaxHold().AsDuration() != held || l.GetTtl().AsDuration() > left {
			t.Errorf("renewal %d answers %v after %s were left", renewals, l, last)
		}
		last = l.GetHoldEndsIn().AsDuration()
		if until := sent.Add(l.GetTtl().AsDuration()); until.After(proven) && l.GetTtl().AsDuration() > 0 { // 0 in the grace proves nothing
			proven = until
		}
		if over := proven.Sub(after.Add(held)); over > 0 {
			t.Fatalf("renewal %d proves the lease for %s longer than it may be held", renewals, over)
		}
		renewals++
		<-time.After(20 * time.Millisecond)
	}
	if short := before.Add(held).Sub(proven); short > late/2 {
		t.Errorf("the holder might count on the lease until %s before the end of the hold, want nearly until then", short)
	}
	if got, ok := <-next; ok && (got.Before(before.Add(held)) || got.After(after.Add(held+late))) {
		t.Errorf("the next one had it %s after the grant, want little more than %s", got.Sub(before), held)
	}
	if renewals < 10 {
		t.Errorf("%d renewals, want many", renewals)
	}
}

// A client whose lockd has died is told of its hold by the next one, and loses the lease when that is over.
func TestAHoldIsToldByAnotherLockd(t *testing.T) {
	a, b, policy := twoLockd(t)
	c, err := lockd.Dial(a.Addr() + "," + b.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	begun := time.Now()
	l, err := c.Acquire(t.Context(), "batch/y", lockd.WithTTL(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	a.Kill()
	select {
	case end := <-l.HoldEnding():
		if off := end.At.Sub(begun.Add(held)).Abs(); off > late/2 || end.Max != held {
			t.Errorf("told of %s that end %s off, want %s", end.Max, off, held)
		}
	case <-l.Context().Done():
		t.Fatalf("the lease ended without a word: %v", l.Err())
	}
	<-l.Context().Done()
	if err := l.Err(); !errors.As(err, new(*lockd.HoldOverError)) {
		t.Errorf("the lease ended with %v, want that its hold is over", err)
	}
	if early := time.Until(begun.Add(held - late/2)); early > 0 {
		t.Errorf("the lease ended %s too early", early)
	}

	// What the policy says anew counts for leases that stand.
	leases := lockdv1.NewLeaseServiceClient(lockdproc.Conn(t, b.Addr()))
	if _, err := leases.Acquire(t.Context(), &lockdv1.AcquireRequest{Name: "batch/z", LeaseId: id1, Attempt: 1, Ttl: durationpb.New(time.Minute)}); err != nil {
		t.Fatal(err)
	}
	replace(t, policy, "names:\n  - under: batch\n    max-hold: 1h\n")
	hangUp(t, b, "msg=reloaded")
	got, err := leases.Get(t.Context(), &lockdv1.GetRequest{Name: "batch/z"})
	if longest := got.GetLease().GetMaxHold().AsDuration(); err != nil || longest != time.Hour {
		t.Errorf("after the reload: %v, %v, want a hold of 1h", got, err)
	}
	replace(t, policy, "names:\n  - under: batch\n    max-hold: 1d\n")
	hangUp(t, b, `policy.yaml: line 3: max-hold is`)
}
