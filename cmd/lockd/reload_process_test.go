package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	lockd "github.com/lockd/lockd/clients/go"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
	"github.com/lockd/lockd/test/lockdproc"
	"github.com/lockd/lockd/test/proc"
)

// replace puts yaml in the place of the file at path, in one step, as editors and Kubernetes do.
func replace(t *testing.T, path, yaml string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// hangUp sends SIGHUP and waits for the line that says what came of it.
func hangUp(t *testing.T, s *lockdproc.Server, line string) {
	t.Helper()
	before := strings.Count(s.Log(), line)
	s.Signal(syscall.SIGHUP)
	eventually(t, line, 10*time.Second, func() bool { return strings.Count(s.Log(), line) > before })
}

// On one session, without a lease or a place in line lost: the limit and the level change, and go back.
func TestSIGHUPChangesLimitsAndLogLevelUnderALiveSession(t *testing.T) {
	file := write(t, "lockd.yaml", "max-ttl: 10m")
	s := lockdproc.Start(t, "--config", file)
	c, err := lockd.Dial(s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	held, err := c.Acquire(t.Context(), "held", lockd.WithTTL(10*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	waiting := make(chan error, 1)
	go func() {
		l, err := c.Acquire(t.Context(), "held")
		if err == nil {
			err = l.Release(t.Context())
		}
		waiting <- err
	}()
	leases := lockdv1.NewLeaseServiceClient(lockdproc.Conn(t, s.Addr()))
	eventually(t, "a waiter", 10*time.Second, func() bool {
		is, err := leases.Get(t.Context(), &lockdv1.GetRequest{Name: "held"})
		return err == nil && is.GetWaiterCount() == 1
	})
	long := func() error {
		l, err := c.TryAcquire(t.Context(), "long", lockd.WithTTL(20*time.Minute))
		if err == nil {
			err = l.Release(t.Context())
		}
		return err
	}
	if err := long(); !errors.Is(err, lockd.ErrInvalid) {
		t.Errorf("TryAcquire(20m) = %v before the limit is raised, want ErrInvalid", err)
	}
	if strings.Contains(s.Log(), "level=debug") {
		t.Error("calls are logged at the level info")
	}
	replace(t, file, "max-ttl: 20m\nlog-level: debug")
	hangUp(t, s, "msg=reloaded changed=2 waiting=0")
	if err := long(); err != nil {
		t.Errorf("TryAcquire(20m) = %v after the limit was raised, want a lease", err)
	}
	eventually(t, "a call in the log", 10*time.Second, func() bool { return strings.Contains(s.Log(), "level=debug") })

	// Less than what is held now: that goes on.
	replace(t, file, "max-ttl: 5m\nlog-level: info")
	hangUp(t, s, "msg=reloaded changed=2 waiting=0")
	if err := long(); !errors.Is(err, lockd.ErrInvalid) {
		t.Errorf("TryAcquire(20m) = %v after the limit was lowered, want ErrInvalid", err)
	}
	_, err = leases.Renew(t.Context(), &lockdv1.RenewRequest{Name: "held", LeaseId: held.ID(), Ttl: durationpb.New(10 * time.Minute)})
	if err != nil || held.Err() != nil {
		t.Errorf("the lease that was held all the time: Renew(10m) = %v, Err = %v; want nil", err, held.Err())
	}
	if err := held.Release(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-waiting; err != nil {
		t.Errorf("who waited all the time got %v, want the lease", err)
	}
}

func TestSIGHUPWithABadFileChangesNothingAndLockdServesOn(t *testing.T) {
	file := write(t, "lockd.yaml", "max-ttl: 10m")
	s := lockdproc.Start(t, "--config", file)
	leases := lockdv1.NewLeaseServiceClient(lockdproc.Conn(t, s.Addr()))
	for _, yaml := range []string{"max-ttl: 20m\nlog-level: loud", "max-ttl: 20m\nlisen: 127.0.0.1:1", "max-ttl: 20m\n{"} {
		replace(t, file, yaml)
		hangUp(t, s, `msg="not reloaded, nothing has changed"`)
		_, err := leases.Acquire(t.Context(), &lockdv1.AcquireRequest{Name: "a", LeaseId: id1, Ttl: durationpb.New(20 * time.Minute)})
		if status.Code(err) != codes.InvalidArgument {
			t.Errorf("with a file of %q Acquire(20m) = %v, want INVALID_ARGUMENT as before", yaml, err)
		}
	}
	if !strings.Contains(s.Log(), `did you mean \"listen\"?`) {
		t.Errorf("the log does not say what would be right:\n%s", s.Log())
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	hangUp(t, s, "no such file")
	replace(t, file, "max-ttl: 20m")
	hangUp(t, s, "msg=reloaded changed=1")
	if _, err := leases.Acquire(t.Context(), &lockdv1.AcquireRequest{Name: "a", LeaseId: id1, Ttl: durationpb.New(20 * time.Minute)}); err != nil {
		t.Errorf("Acquire(20m) = %v after a good file, want a lease", err)
	}
}

// Signals that come while a reload is under way: what was written last is in force at the end, and nobody
// is ever granted what no file allowed.
func TestManySIGHUPsEndWithWhatWasWrittenLast(t *testing.T) {
	padding := strings.Repeat("# reading this takes a while\n", maxFile/64)
	of := func(least int) string {
		return fmt.Sprintf("min-ttl: %ds\ndefault-ttl: %ds\nmax-ttl: %ds\n%s", least, least, 2*least, padding)
	}
	file := write(t, "lockd.yaml", of(1))
	s := lockdproc.Start(t, "--config", file)
	leases := lockdv1.NewLeaseServiceClient(lockdproc.Conn(t, s.Addr()))
	acquire := func(ttl time.Duration) error {
		_, err := leases.Acquire(t.Context(), &lockdv1.AcquireRequest{Name: "a", LeaseId: id1, Ttl: durationpb.New(ttl)})
		return err
	}
	for range 20 {
		for i := range 10 {
			replace(t, file, of([]int{1, 100}[i%2]))
			s.Signal(syscall.SIGHUP)
			if err := acquire(10 * time.Second); status.Code(err) != codes.InvalidArgument {
				t.Fatalf("Acquire(10s) = %v, which 1 to 2 s and 100 to 200 s both refuse", err)
			}
		}
		// The last file was written with no further signal to come.
		eventually(t, "the last file in force", 10*time.Second, func() bool { return acquire(150*time.Second) == nil })
	}
}

// SIGHUP ends no lockd, whatever it is doing.
func TestSIGHUPDoesNotEndAStartOrADrain(t *testing.T) {
	p := &proc.Process{T: t, Name: "lockd"}
	t.Cleanup(p.Remove)
	cmd := exec.Command(lockdproc.Build(t, "lockd"), "--listen=127.0.0.1:0", "--http=", "--redis=redis://127.0.0.1:1")
	if err := p.Run(cmd); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Await(regexp.MustCompile("leases are kept in redis"), 20*time.Second); err != nil {
		t.Fatal(err)
	}
	p.Signal(syscall.SIGHUP)

	s := lockdproc.Start(t)
	held := holdUp(t, s.Addr())
	defer held.Close()
	s.Signal(syscall.SIGTERM)
	eventually(t, "the drain", 5*time.Second, func() bool { return strings.Contains(s.Log(), "reason=draining") })
	s.Signal(syscall.SIGHUP)
	<-s.Exited()
	if code := s.ExitCode(); code != exitDrained || !strings.Contains(s.Log(), "msg=drained") {
		t.Errorf("a lockd that drains ends with %d after SIGHUP, want 0 and \"drained\" in the log", code)
	}

	<-p.Exited()
	if code := p.ExitCode(); code != exitUnreachable {
		t.Errorf("a lockd that could not start ends with %d after SIGHUP, want %d", code, exitUnreachable)
	}
}

func TestCheckConfigOfTheRealLockdSaysAll(t *testing.T) {
	file := filepath.Join(t.TempDir(), "lockd.yaml")
	replace(t, file, "max_ttl: 1h\nlog-level: loud")
	code, _, stderr := ends(t, 5*time.Second, "--check-config", "--config", file)
	if code != exitUsage || !strings.Contains(stderr, file+":1: ") || !strings.Contains(stderr, file+":2: ") {
		t.Errorf("lockd --check-config exits %d and says\n%s\nwant 64 and both lines", code, stderr)
	}
}
