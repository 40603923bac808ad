package lease_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/internal/lease/leasetest"
	"github.com/lockd/lockd/internal/memstore"
)

// While too many outcomes are unknown nothing more is acquired, and nothing of it reaches the store;
// whatever frees goes on.
func TestOverload(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
		grant(t, l, request("job", 1))
		restore := l.SetPending(lease.MaxUndos/2-1, lease.MaxReleases)
		grant(t, l, request("just", 2))
		restore()
		restore = l.SetPending(lease.MaxUndos/2, 0)
		asked := len(s.noted("Acquire"))
		r := request("too much", 3)
		r.Wait = time.Minute
		_, err := l.Acquire(t.Context(), r)
		wantErr(t, "Acquire(overloaded)", err, lease.ErrOverloaded)
		if n := len(s.noted("Acquire")) - asked; n != 0 {
			t.Errorf("the store was asked %d times, want 0", n)
		}
		if _, err := l.Renew(lease.RenewRequest{Name: "job", ID: id(1)}); err != nil {
			t.Errorf("Renew(overloaded) = %v, want nil", err)
		}
		if out, err := l.Release(lease.ReleaseRequest{Name: "job", ID: id(1)}); err != nil || out != lease.Held {
			t.Errorf("Release(overloaded) = %d, %v, want Held", out, err)
		}
		if n := l.Status().PendingCleanups; n != lease.MaxUndos/2 {
			t.Errorf("%d cleanups are pending, want %d", n, lease.MaxUndos/2)
		}
		restore()
		grant(t, l, r)
	})
}

// There are never more cleanups than the bounds, whatever clients do. What was on its way when the
// first half was full is still undone.
func TestCleanupsAreBounded(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
		var restore func()
		s.acquire = func(ctx context.Context, a lease.Acquisition) (lease.Lease, error) {
			restore = l.SetPending(lease.MaxUndos-1, lease.MaxReleases-1)
			return s.lost(ctx, a)
		}
		for n := range 3 {
			_, err := l.Acquire(t.Context(), request(fmt.Sprint("job/", n), n))
			wantErr(t, "Acquire(answer lost)", err, lease.ErrUnknown)
			if _, err := l.Release(lease.ReleaseRequest{Name: "none", ID: id(1)}); err != nil {
				t.Errorf("Release = %v, want nil", err)
			}
			restore()
		}
		time.Sleep(time.Minute)
		if n := len(s.noted("Undo")); n != 1 {
			t.Errorf("%d undos with room for one, want 1", n)
		}
		if n := len(s.noted("Release")); n != 3+1 {
			t.Errorf("%d releases with room to repeat one of three, want 4", n)
		}
	})
}

// A release that may have overtaken its acquisition is run once more when no copy of that can take
// effect any more, and frees what came in between.
func TestReleaseIsRepeated(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
		out, err := l.Release(lease.ReleaseRequest{Name: "job", ID: id(1)})
		if err != nil || out != lease.Gone {
			t.Errorf("Release(nothing there) = %d, %v, want Gone", out, err)
		}
		late := lease.Acquisition{Name: "job", ID: id(1), Tag: lease.Tag{Attempt: 1, Exec: "0"}, TTL: time.Minute}
		if _, err := s.Store.Acquire(t.Context(), late); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second - time.Nanosecond)
		settle()
		if n := len(s.noted("Release")); n != 1 {
			t.Errorf("released %d times before a second was over, want once", n)
		}
		time.Sleep(time.Nanosecond)
		settle()
		if n := len(s.noted("Release")); n != 2 || s.tokenOf("job") != 0 {
			t.Errorf("released %d times, token %d; want twice, and the name free", n, s.tokenOf("job"))
		}
		if n := l.Status().PendingCleanups; n != 0 {
			t.Errorf("%d cleanups are pending, want none", n)
		}
	})
}

// A release that ended the first attempt's only execution is not repeated.
func TestPlainReleaseIsNotRepeated(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
		grant(t, l, request("job", 1))
		out, err := l.Release(lease.ReleaseRequest{Name: "job", ID: id(1)})
		if err != nil || out != lease.Held {
			t.Errorf("Release = %d, %v, want Held", out, err)
		}
		time.Sleep(time.Minute)
		if n := len(s.noted("Release")); n != 1 {
			t.Errorf("released %d times, want once", n)
		}
	})
}

// A release that failed is repeated until it is answered, or the lease has surely run out.
func TestFailedReleaseIsRepeated(t *testing.T) {
	for _, failure := range []error{lease.ErrUnknown, lease.ErrUnavailable} {
		t.Run(failure.Error(), func(t *testing.T) { testFailedReleaseIsRepeated(t, failure) })
	}
}

func testFailedReleaseIsRepeated(t *testing.T, failure error) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
		var answers atomic.Bool
		s.release = func(ctx context.Context, r lease.ReleaseRequest) (lease.Released, error) {
			if !answers.Load() {
				return lease.Released{}, fmt.Errorf("release: %w", failure)
			}
			return s.Store.Release(ctx, r)
		}
		release := func() {
			grant(t, l, request("job", 1))
			_, err := l.Release(lease.ReleaseRequest{Name: "job", ID: id(1)})
			wantErr(t, "Release(failed)", err, failure)
		}
		release()
		time.Sleep(5 * time.Second)
		answers.Store(true)
		time.Sleep(1500 * time.Millisecond)
		settle()
		if s.tokenOf("job") != 0 || l.Status().PendingCleanups != 0 {
			t.Errorf("token %d, %d cleanups pending; want the release done when the store answers", s.tokenOf("job"), l.Status().PendingCleanups)
		}

		answers.Store(false)
		release()
		before := len(s.noted("Release"))
		time.Sleep(11 * time.Second)
		if n := len(s.noted("Release")) - before; n < 8 || n > 30 {
			t.Errorf("released %d times in eleven seconds, want 8 to 30: patiently, not madly", n)
		}
		time.Sleep(2 * time.Hour) // longer than any lease
		settle()
		if n := l.Status().PendingCleanups; n != 0 {
			t.Errorf("%d cleanups are pending, want none for a lease that has run out", n)
		}
	})
}

// Close waits for what is under way.
func TestCloseWaits(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
		s.acquire = s.lost
		_, err := l.Acquire(t.Context(), request("job", 1))
		wantErr(t, "Acquire(answer lost)", err, lease.ErrUnknown)
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if err := l.Close(ctx); err != nil || time.Since(start) != time.Second {
			t.Errorf("Close = %v after %s, want nil after 1s", err, time.Since(start))
		}
		if got := s.tokenOf("job"); got != 0 {
			t.Errorf("token in force after Close = %d, want the name free", got)
		}
	})
}

// Close ends with its ctx, says how much is left to its ttl, and leaves no goroutine behind.
func TestCloseIsBounded(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
		s.acquire = s.lost
		s.release = func(context.Context, lease.ReleaseRequest) (lease.Released, error) {
			return lease.Released{}, lease.ErrUnknown
		}
		for n := range 3 {
			_, err := l.Acquire(t.Context(), request(fmt.Sprint("job/", n), n))
			wantErr(t, "Acquire(answer lost)", err, lease.ErrUnknown)
			_, err = l.Release(lease.ReleaseRequest{Name: fmt.Sprint("job/", n), ID: id(n)})
			wantErr(t, "Release(answer lost)", err, lease.ErrUnknown)
		}
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		err := l.Close(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "6 ") {
			t.Errorf("Close(cut short) = %v, want DeadlineExceeded and that 6 are left", err)
		}
		if took := time.Since(start); took != 100*time.Millisecond {
			t.Errorf("Close took %s, want 100ms", took)
		}
	})
}

// Close waits for the call of an acquisition whose caller has gone meanwhile, and for the undoing of what it was granted.
func TestCloseWaitsForTheCallOfWhoHasGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &fake{Store: memstore.New()}
		defer s.Close()
		l := lease.NewLessor(s, lease.Limits{}.WithDefaults())
		var underWay []*lease.Call
		s.start = func(calls []*lease.Call) { underWay = append(underWay, calls...) }
		ctx, cancel := context.WithCancel(t.Context())
		ended := begin(ctx, l, request("job", 1))
		synctest.Wait()
		cancel()
		wantErr(t, "Acquire of a caller who has gone", (<-ended).err, context.Canceled)

		closed := make(chan error, 1)
		go func() { closed <- l.Close(t.Context()) }()
		synctest.Wait()
		if len(closed) > 0 {
			t.Error("Close has returned while a call was under way")
		}
		leasetest.Start(s, underWay)
		if err := <-closed; err != nil {
			t.Errorf("Close = %v, want nil", err)
		}
		if s.tokenOf("job") != 0 {
			t.Error("the name is held by nobody after Close, want it free")
		}
	})
}
