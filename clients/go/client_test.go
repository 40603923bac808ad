package lockd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// Close ends every lease with ErrClosed and releases those that are kept alive.
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c := newFake(t)
		kept, left := acquired(t, c, "kept"), acquired(t, c, "left", WithoutKeepalive())
		gone := acquired(t, c, "gone")
		if err := gone.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.change(func() {
			f.release = func(context.Context, *lockdv1.ReleaseRequest) (*lockdv1.ReleaseResponse, error) {
				if kept.Err() != ErrClosed || left.Err() != ErrClosed {
					t.Errorf("Err = %v and %v while releasing, want ErrClosed", kept.Err(), left.Err())
				}
				return released(lockdv1.ReleaseResponse_HELD), nil
			}
		})
		for range 2 {
			if err := c.Close(); err != nil {
				t.Errorf("Close = %v, want nil", err)
			}
		}
		_, _, releases := f.seen()
		if len(releases) != 2 || releases[1].GetLeaseId() != kept.ID() {
			t.Errorf("%d releases, want that of before and that of the lease kept alive", len(releases))
		}
		if err := kept.Release(t.Context()); err != nil {
			t.Errorf("Release after Close = %v, want nil: Close did it", err)
		}
		if err := left.Release(t.Context()); !errors.Is(err, ErrClosed) {
			t.Errorf("Release after Close of a lease without keepalive = %v, want ErrClosed", err)
		}
		if got := context.Cause(kept.Context()); got != ErrClosed {
			t.Errorf("cause = %v, want ErrClosed", got)
		}
		if got := context.Cause(gone.Context()); got != ErrReleased {
			t.Errorf("cause = %v, want ErrReleased, which was first", got)
		}
		if _, err := c.Acquire(t.Context(), "job"); !errors.Is(err, ErrClosed) {
			t.Errorf("Acquire after Close = %v, want ErrClosed", err)
		}
	})
}

// Close ends within 2 s although nobody answers, and says what it could not release.
func TestCloseUnanswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c := newFake(t)
		for i := range 200 {
			acquired(t, c, fmt.Sprint(i))
		}
		f.change(func() { f.release = noRelease })
		begun := time.Now()
		err := c.Close()
		if took := time.Since(begun); took != releaseFor {
			t.Errorf("Close took %s, want 2s", took)
		}
		if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "200 of 200 leases") {
			t.Errorf("Close = %v, want ErrUnavailable for 200 of 200", err)
		}
	})
}

// It ends within 2 s also on a stream on which nothing is answered, with somebody in line.
func TestCloseOfAMuteStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c := newServers(t)
		done := acquiring(t.Context(), c, "held", WithTTL(time.Minute))
		s := f.stream("a")
		s.grant()
		<-done
		waits := acquiring(t.Context(), c, "job")
		id, _ := s.asks()
		s.answer(queuedAt(id, 1))
		synctest.Wait()
		begun := time.Now()
		if err := c.Close(); !errors.Is(err, ErrUnavailable) {
			t.Errorf("Close = %v, want ErrUnavailable", err)
		}
		if took := time.Since(begun); took != releaseFor {
			t.Errorf("Close took %s, want 2s", took)
		}
		if got := <-waits; !errors.Is(got.err, ErrClosed) {
			t.Errorf("Acquire = %v, want ErrClosed", got.err)
		}
	})
}

// Acquire ends with ErrClosed when the client is closed, and leaves nothing behind.
func TestCloseEndsAcquire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c := newFake(t)
		f.acquire = held
		ended := make(chan error)
		go func() {
			_, err := c.Acquire(t.Context(), "job")
			ended <- err
		}()
		time.Sleep(time.Second)
		go c.Close()
		if err := <-ended; !errors.Is(err, ErrClosed) {
			t.Errorf("Acquire = %v, want ErrClosed", err)
		}
		_ = c.Close()
		if _, _, releases := f.seen(); len(releases) != 1 {
			t.Errorf("%d releases, want 1", len(releases))
		}
	})
}

// Close waits for releases under way, whoever began them.
func TestCloseWaitsForReleases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c := newFake(t)
		l := acquired(t, c, "job")
		f.change(func() {
			f.release = func(context.Context, *lockdv1.ReleaseRequest) (*lockdv1.ReleaseResponse, error) {
				time.Sleep(time.Second)
				return released(lockdv1.ReleaseResponse_HELD), nil
			}
		})
		result := make(chan error, 1)
		go func() { result <- l.Release(t.Context()) }()
		time.Sleep(time.Millisecond)
		if err := c.Close(); err != nil {
			t.Errorf("Close = %v, want nil", err)
		}
		if err := <-result; err != nil {
			t.Errorf("Release = %v, want nil", err)
		}
	})
}

// Many goroutines at once: every lease has one end, and Close leaves nothing running (goleak).
func TestConcurrentUse(t *testing.T) {
	_, c := newFake(t)
	done := make(chan struct{})
	for i := range 16 {
		go func() {
			defer func() { done <- struct{}{} }()
			for {
				l, err := c.Acquire(t.Context(), fmt.Sprint(i), WithTTL(20*time.Millisecond))
				if err != nil {
					if !errors.Is(err, ErrClosed) {
						t.Errorf("Acquire = %v, want ErrClosed", err)
					}
					return
				}
				go l.Err()
				if err := l.Release(t.Context()); err != nil && !lost(err) && !errors.Is(err, ErrClosed) {
					t.Errorf("Release = %v", err)
				}
			}
		}()
	}
	time.AfterFunc(50*time.Millisecond, func() { c.Close() })
	for range 16 {
		<-done
	}
	if n := len(c.schedule.leases); n != 0 {
		t.Errorf("%d leases are still watched, want 0", n)
	}
}

// What gives something back has its caller's values, and ends with the client and not with its caller.
func TestDetachedContext(t *testing.T) {
	_, c := newFake(t)
	type key struct{}
	caller, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "value"))
	cancel()
	ctx, done := c.detached(caller, time.Now())
	defer done()
	if ctx.Err() != nil || ctx.Value(key{}) != "value" {
		t.Errorf("Err = %v, Value = %v, want nil and the caller's value", ctx.Err(), ctx.Value(key{}))
	}
	if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) > releaseFor {
		t.Errorf("Deadline = %v, %t, want one within %s", deadline, ok, releaseFor)
	}
	c.abandon()
	<-ctx.Done()
	if !errors.Is(ctx.Err(), context.Canceled) {
		t.Errorf("Err = %v, want %v: the client has gone", ctx.Err(), context.Canceled)
	}
}
