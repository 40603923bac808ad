package lockdtest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	lockd "github.com/lockd/lockd/clients/go"
	"github.com/lockd/lockd/clients/go/lockdtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const ttl = 200 * time.Millisecond

func acquire(t *testing.T, c *lockd.Client, opts ...lockd.AcquireOption) *lockd.Lease {
	t.Helper()
	l, err := c.Acquire(t.Context(), "job", opts...)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// A lease that was expired or ended by force is free at once, its token is used up, and its holder
// learns of it at the next renewal.
func TestLoss(t *testing.T) {
	for name, end := range map[string]func(*lockdtest.Server, *testing.T){
		"Expire":       func(s *lockdtest.Server, t *testing.T) { s.Expire(t, "job") },
		"ForceRelease": func(s *lockdtest.Server, t *testing.T) { s.ForceRelease(t, "job", "a test") },
	} {
		t.Run(name, func(t *testing.T) {
			server := lockdtest.Start(t)
			first := acquire(t, server.Client(t), lockd.WithTTL(ttl))
			end(server, t)
			second, err := server.Client(t).TryAcquire(t.Context(), "job")
			if err != nil {
				t.Fatalf("TryAcquire = %v, want the name to be free", err)
			}
			if second.Token() <= first.Token() {
				t.Errorf("token went from %d to %d, want larger", first.Token(), second.Token())
			}
			<-first.Context().Done()
			if got := context.Cause(first.Context()); !errors.Is(got, lockd.ErrLost) {
				t.Errorf("cause = %v, want an ErrLost", got)
			}
		})
	}
}

// A holder whose lease is ended by force is told who did it and why.
func TestForceReleaseBy(t *testing.T) {
	server := lockdtest.Start(t)
	l := acquire(t, server.Client(t))
	server.ForceReleaseBy(t, "job", "ann", "a test")
	<-l.Context().Done()
	var why *lockd.ForcedError
	if got := context.Cause(l.Context()); !errors.As(got, &why) || *why != (lockd.ForcedError{By: "ann", Reason: "a test"}) {
		t.Errorf("cause = %v, want a *ForcedError by ann: a test", got)
	}
}

// A restart costs no lease.
func TestRestart(t *testing.T) {
	server := lockdtest.Start(t)
	c := server.Client(t)
	l := acquire(t, c)
	server.Restart(t)
	if err := l.Release(t.Context()); err != nil {
		t.Errorf("Release = %v, want nil: it was held throughout", err)
	}
	acquire(t, c)
}

// A stopped server is unreachable; started again it knows its leases.
func TestStopAndStart(t *testing.T) {
	server := lockdtest.Start(t)
	addr := server.Addr()
	held := acquire(t, server.Client(t))
	server.Stop(t)
	server.Stop(t)
	if _, err := server.Client(t).TryAcquire(t.Context(), "job"); !errors.Is(err, lockd.ErrUnavailable) {
		t.Errorf("TryAcquire of a stopped server = %v, want ErrUnavailable", err)
	}
	server.Start(t)
	server.Start(t)
	if server.Addr() != addr {
		t.Errorf("Addr = %s, want %s as before", server.Addr(), addr)
	}
	var other *lockd.HeldError
	if _, err := server.Client(t).TryAcquire(t.Context(), "job"); !errors.As(err, &other) || other.Token != held.Token() {
		t.Errorf("TryAcquire = %v, want it held with token %d", err, held.Token())
	}
	if err := held.Release(t.Context()); err != nil {
		t.Errorf("Release = %v, want nil", err)
	}
}

// The default ttl may be set.
func TestWithDefaultTTL(t *testing.T) {
	server := lockdtest.Start(t, lockdtest.WithDefaultTTL(ttl))
	if got := acquire(t, server.Client(t)).TTL(); got != ttl {
		t.Errorf("TTL = %s, want %s", got, ttl)
	}
}

// What cannot be done ends the test, and says why.
func TestFailures(t *testing.T) {
	server := lockdtest.Start(t)
	for want, f := range map[string]func(testing.TB){
		`expire "job": nobody holds it`:               func(t testing.TB) { server.Expire(t, "job") },
		`force the release of "job": nobody holds it`: func(t testing.TB) { server.ForceRelease(t, "job", "why") },
		`the default ttl is 48h0m0s`:                  func(t testing.TB) { lockdtest.Start(t, lockdtest.WithDefaultTTL(48*time.Hour)) },
	} {
		spy := &spy{TB: t}
		func() {
			defer func() { _ = recover() }()
			f(spy)
		}()
		if !strings.Contains(spy.fatal, want) {
			t.Errorf("failed with %q, want %q", spy.fatal, want)
		}
	}
}

// spy is a test that remembers how it was ended.
type spy struct {
	testing.TB
	fatal string
}

func (s *spy) Fatalf(format string, args ...any) {
	s.fatal = fmt.Sprintf(format, args...)
	panic(s) // as Fatalf ends the goroutine
}
