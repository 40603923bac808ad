package leasetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockd/lockd/internal/lease"
)

const (
	// ttl is long, so that no machine is too slow for a lease, or for the grace of one, to stand.
	ttl = 10 * time.Minute
	// slack is how much slower than the clock a test may run and still pass.
	slack = 20 * time.Second
	// callTime bounds every store call of a test: every ctx passed to a store has a deadline.
	callTime = 10 * time.Second
)

// newID returns a lease id as clients make them.
func newID() lease.ID {
	return lease.ID(fmt.Sprintf("%016x%016x", rand.Uint64(), rand.Uint64()))
}

// newTag returns the tag of a new execution.
func newTag(attempt uint32) lease.Tag {
	return lease.Tag{Attempt: attempt, Exec: fmt.Sprintf("%016x", rand.Uint64())}
}

// claim returns the first attempt of a new acquisition.
func claim(name string) lease.Acquisition {
	return lease.Acquisition{
		Name: name, ID: newID(), Tag: newTag(1), TTL: ttl,
		Owner: "worker@host:7", Principal: "cert:worker", Metadata: map[string]string{"job": "42"},
	}
}

// again returns another execution of a as the given attempt.
func again(a lease.Acquisition, attempt uint32) lease.Acquisition {
	a.Tag = newTag(attempt)
	return a
}

// undoing names a for Undo. Its deadline is over, so that Undo tries once and is sure.
func undoing(a lease.Acquisition) lease.Undoing {
	return lease.Undoing{Name: a.Name, ID: a.ID, Tag: a.Tag, Deadline: time.Now().Add(-time.Second)}
}

// together has do done with each number below n, several at once: of names that have nothing to do with one another, and
// so many that one after the other they would wait for a store's answers most of the time.
func together(t *testing.T, n int, do func(t *testing.T, i int)) {
	t.Helper()
	const atOnce = 8
	var all sync.WaitGroup
	for first := range atOnce {
		all.Go(func() {
			t.Run(fmt.Sprint(first), func(t *testing.T) {
				for i := first; i < n; i += atOnce {
					do(t, i)
				}
			})
		})
	}
	all.Wait()
}

func call(t *testing.T) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.Context(), callTime)
}

func (s Subject) acquire(t *testing.T, a lease.Acquisition) (lease.Lease, error) {
	ctx, cancel := call(t)
	defer cancel()
	return s.Acquire(ctx, a)
}

func (s Subject) undo(t *testing.T, u lease.Undoing) error {
	ctx, cancel := call(t)
	defer cancel()
	return s.Undo(ctx, u)
}

func (s Subject) renew(t *testing.T, r lease.Renewal) (lease.Lease, error) {
	ctx, cancel := call(t)
	defer cancel()
	return s.Renew(ctx, r)
}

func (s Subject) force(t *testing.T, r lease.ForceRequest) (lease.Lease, error) {
	ctx, cancel := call(t)
	defer cancel()
	return s.ForceRelease(ctx, r)
}

// granted acquires a, which must succeed.
func (s Subject) granted(t *testing.T, a lease.Acquisition) lease.Lease {
	t.Helper()
	l, err := s.acquire(t, a)
	if err != nil {
		t.Fatalf("Acquire(%q, %v) = %v, want a lease", a.Name, a.Tag, err)
	}
	return l
}

// undone undoes a, which must succeed whether or not there is anything to undo.
func (s Subject) undone(t *testing.T, a lease.Acquisition) {
	t.Helper()
	if err := s.undo(t, undoing(a)); err != nil {
		t.Fatalf("Undo(%q, %v) = %v, want nil", a.Name, a.Tag, err)
	}
}

// released releases a's lease id.
func (s Subject) released(t *testing.T, a lease.Acquisition) lease.Released {
	t.Helper()
	ctx, cancel := call(t)
	defer cancel()
	r, err := s.Release(ctx, lease.ReleaseRequest{Name: a.Name, ID: a.ID})
	if err != nil {
		t.Fatalf("Release(%q) = %v, want nil", a.Name, err)
	}
	return r
}

func (s Subject) get(t *testing.T, name string) (lease.Lease, bool) {
	t.Helper()
	standing := s.standing(t, name)
	return standing.Lease, standing.Held
}

// standing answers what stands on name, with everybody in line.
func (s Subject) standing(t *testing.T, name string) lease.Standing {
	t.Helper()
	ctx, cancel := call(t)
	defer cancel()
	standing, err := s.Get(ctx, lease.GetRequest{Name: name, Waiters: lease.MaxLine})
	if err != nil {
		t.Fatalf("Get(%q) = %v, want nil", name, err)
	}
	return standing
}

// stands fails the test unless the lease with this token is in force.
func (s Subject) stands(t *testing.T, name string, token lease.Token) {
	t.Helper()
	if got, ok := s.get(t, name); !ok || got.Token != token {
		t.Errorf("Get(%q) = token %d, %t, want token %d in force", name, got.Token, ok, token)
	}
}

// free fails the test unless no lease is in force.
func (s Subject) free(t *testing.T, name string) {
	t.Helper()
	if got, ok := s.get(t, name); ok {
		t.Errorf("Get(%q) = token %d, want the name free", name, got.Token)
	}
}

// identity is what no renewal and no retry changes about a lease.
func identity(l lease.Lease) lease.Lease {
	l.TTL, l.Left, l.ExpiresIn, l.Closed, l.MaxHold, l.HoldLeft = 0, 0, 0, 0, 0, 0
	return l
}

// sameLease fails the test if got is another lease than want; how long each has to go may differ.
func sameLease(t *testing.T, what string, got, want lease.Lease) {
	t.Helper()
	if diff := cmp.Diff(identity(want), identity(got)); diff != "" {
		t.Errorf("%s is another lease (-want +got):\n%s", what, diff)
	}
}

// wantFresh fails the test unless l has just been given a ttl of want, and answers so.
func wantFresh(t *testing.T, what string, l lease.Lease, want time.Duration) {
	t.Helper()
	if l.TTL != want {
		t.Errorf("%s answers a ttl of %s, want %s", what, l.TTL, want)
	}
	wantBetween(t, what+": Left", l.Left, want-slack, want)
	wantBetween(t, what+": ExpiresIn", l.ExpiresIn, want+lease.Grace(want)-slack, want+lease.Grace(want))
}

func wantBetween(t *testing.T, what string, got, low, high time.Duration) {
	t.Helper()
	if got < low || got > high {
		t.Errorf("%s = %s, want %s to %s", what, got, low, high)
	}
}

// wantErr fails the test unless err is want.
func wantErr(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s = %v, want %v", what, err, want)
	}
}

// wantHeld fails the test unless err says that holder is in the way; it returns what err says.
func wantHeld(t *testing.T, what string, err error, holder lease.Lease) lease.Lease {
	t.Helper()
	var held *lease.HeldError
	if !errors.As(err, &held) {
		t.Fatalf("%s = %v, want *HeldError", what, err)
	}
	sameLease(t, what+": Holder", held.Holder, holder)
	return held.Holder
}
