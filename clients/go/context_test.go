package lockd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

type key struct{}

// unwatched returns a lease that no goroutine watches, so that what it says comes from its own look at
// the clocks.
func unwatched(t *testing.T, parent context.Context, deadline instant) *Lease {
	_, c := newFake(t)
	l := &Lease{client: c, name: "job", id: newLeaseID(), token: fakeToken, deadline: deadline, values: parent, due: due{index: -1}}
	t.Cleanup(func() { l.end(ErrReleased) })
	return l
}

// After the deadline Err never returns nil again, whoever has or has not noticed.
func TestContextLooksAtTheClock(t *testing.T) {
	for name, ask := range map[string]func(l *Lease) error{
		"Lease.Err":                  func(l *Lease) error { return l.Err() },
		"Context.Err, cause":         func(l *Lease) error { _ = l.Context().Err(); return l.Err() },
		"context.Cause":              func(l *Lease) error { return context.Cause(l.Context()) },
		"context.Cause of a value's": func(l *Lease) error { return context.Cause(context.WithValue(l.Context(), key{}, 1)) },
		"context.Cause of a new child's": func(l *Lease) error {
			child, cancel := context.WithTimeout(l.Context(), time.Hour)
			defer cancel()
			return context.Cause(child)
		},
		"Done": func(l *Lease) error {
			select {
			case <-l.Context().Done():
				return context.Cause(l.context().Context)
			default:
				return errors.New("Done is open")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := unwatched(t, t.Context(), now().add(time.Second))
				time.Sleep(time.Second - time.Nanosecond) // the bubble's clock
				if err := errors.Join(l.Err(), l.Context().Err()); err != nil {
					t.Fatalf("before the deadline: %v, want nil", err)
				}
				time.Sleep(time.Nanosecond)
				if got := ask(l); got != ErrExpired {
					t.Errorf("at the deadline: %v, want ErrExpired", got)
				}
				if got := l.Context().Err(); got != context.Canceled {
					t.Errorf("Context().Err() = %v, want context.Canceled", got)
				}
			})
		})
	}
}

// A machine that was suspended ends the lease although Go's clock stood still.
func TestContextLooksAtTheBootClock(t *testing.T) {
	late := now().add(time.Hour)
	late.boot = now().boot - 1
	l := unwatched(t, t.Context(), late)
	if got := l.Context().Err(); got == nil {
		t.Error("Context().Err() = nil with the deadline passed on the boot-time clock, want an error")
	}
	if got := context.Cause(l.Context()); got != ErrExpired {
		t.Errorf("cause = %v, want ErrExpired", got)
	}
}

// A deadline that has passed was first, also when somebody else is the first to notice: a release, or
// an answer that comes too late.
func TestDeadlinePassedUnnoticed(t *testing.T) {
	passed := now()
	l := unwatched(t, t.Context(), passed)
	if got := l.end(ErrLost); got != ErrExpired {
		t.Errorf("end(ErrLost) = %v, want ErrExpired", got)
	}
	l = unwatched(t, t.Context(), passed)
	if got := l.Release(t.Context()); !errors.Is(got, ErrExpired) {
		t.Errorf("Release = %v, want ErrExpired", got)
	}
	l = unwatched(t, t.Context(), passed)
	if got := l.extend(now(), passed.add(time.Hour), time.Hour, terms{}); got != ErrExpired || !l.Deadline().Equal(passed.mono) {
		t.Errorf("extend = %v, moved by %s, want ErrExpired and no more", got, l.Deadline().Sub(passed.mono))
	}
}

// What derives from the context of a lease ends with it, and knows the cause.
func TestContextChildren(t *testing.T) {
	l := unwatched(t, t.Context(), now().add(time.Hour))
	plain, cancel1 := context.WithCancel(l.Context())
	defer cancel1()
	timeout, cancel2 := context.WithTimeout(context.WithValue(l.Context(), key{}, 1), 2*time.Hour)
	defer cancel2()
	grandchild, cancel3 := context.WithCancelCause(timeout)
	defer cancel3(nil)
	detached := context.WithoutCancel(l.Context())
	after := make(chan error, 1)
	context.AfterFunc(l.Context(), func() { after <- context.Cause(l.Context()) })

	if _, ok := plain.Deadline(); ok {
		t.Error("a child has a deadline, want none: renewals move it")
	}
	l.end(ErrLost)
	for name, child := range map[string]context.Context{"WithCancel": plain, "WithTimeout": timeout, "its child": grandchild} {
		if got := context.Cause(child); got != ErrLost || child.Err() != context.Canceled {
			t.Errorf("%s: Err = %v, cause = %v, want context.Canceled and ErrLost", name, child.Err(), got)
		}
	}
	if got := <-after; got != ErrLost {
		t.Errorf("AfterFunc saw the cause %v, want ErrLost", got)
	}
	if err := detached.Err(); err != nil {
		t.Errorf("WithoutCancel: %v, want nil", err)
	}
}

// A child's own timeout works although the lease goes on.
func TestContextChildTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c := newFake(t)
		l := acquired(t, c, "job", WithTTL(time.Second))
		child, cancel := context.WithTimeout(l.Context(), 10*time.Second) // far beyond one ttl
		defer cancel()
		begun := time.Now()
		<-child.Done()
		if took := time.Since(begun); took != 10*time.Second || child.Err() != context.DeadlineExceeded {
			t.Errorf("the child ended after %s with %v, want 10s and DeadlineExceeded", took, child.Err())
		}
		if l.Err() != nil {
			t.Errorf("Err = %v, want nil", l.Err())
		}
	})
}

// Acquire's context bounds the waiting only, and hands on its values.
func TestContextOfAcquire(t *testing.T) {
	_, c := newFake(t)
	ctx, cancel := context.WithTimeout(context.WithValue(t.Context(), key{}, "value"), time.Hour)
	l, err := c.Acquire(ctx, "job")
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := l.Context().Err(); err != nil {
		t.Errorf("Context().Err() = %v after Acquire's context ended, want nil", err)
	}
	if _, ok := l.Context().Deadline(); ok {
		t.Error("the context has Acquire's deadline, want none")
	}
	if got := l.Context().Value(key{}); got != "value" {
		t.Errorf("Value = %v, want Acquire's", got)
	}
}

// The lease id is a secret: nothing prints it.
func TestLeasePrintsNoID(t *testing.T) {
	_, c := newFake(t)
	l := acquired(t, c, "job")
	child, cancel := context.WithCancel(l.Context())
	defer cancel()
	for _, x := range []any{l, l.Context(), child} {
		for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
			if format == "%#v" && x != any(l) {
				continue // contexts print their insides there, which is what the race detector is for
			}
			if got := fmt.Sprintf(format, x); strings.Contains(got, l.ID()) {
				t.Errorf("Sprintf(%q, %T) shows the lease id", format, x)
			}
		}
	}
	if got, want := l.String(), `lockd.Lease("job", token 4711)`; got != want {
		t.Errorf("String = %s, want %s", got, want)
	}
}

// A context that is first asked for when the lease has ended, has ended for the same reason.
func TestContextAskedForLate(t *testing.T) {
	_, c := newFake(t)
	l := acquired(t, c, "job")
	if err := l.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := context.Cause(l.context().Context); got != ErrReleased { // the inner one: it does not look by itself
		t.Errorf("cause = %v, want ErrReleased", got)
	}
}

// However often several goroutines ask while the lease ends, there is one cause.
func TestContextOneCause(t *testing.T) {
	l := unwatched(t, t.Context(), now().add(20*time.Millisecond))
	causes := make(chan error)
	for i := range 8 {
		go func() {
			for l.Context().Err() == nil && i != 0 {
			}
			l.end(ErrLost)
			causes <- context.Cause(l.Context())
		}()
	}
	first := <-causes
	for range 7 {
		if got := <-causes; got != first || got != l.Err() {
			t.Errorf("causes %v and %v, Err %v, want one", first, got, l.Err())
		}
	}
}
