package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/lockd/lockd/clients/go/lockdtest"
	"github.com/lockd/lockd/cmd/lockctl/guard"
)

func TestKillAfterIsAQuarterOfTheTTLAndAtMost5s(t *testing.T) {
	t.Parallel()
	for ttl, want := range map[time.Duration]time.Duration{
		time.Second: 250 * time.Millisecond, 20 * time.Second: 5 * time.Second, time.Hour: 5 * time.Second,
	} {
		var policy lossPolicy
		if err := policy.fit(ttl); err != nil || policy.killAfter != want {
			t.Errorf("--kill-after for a ttl of %s = %s, %v, want %s", ttl, policy.killAfter, err, want)
		}
	}
	for killAfter, fits := range map[time.Duration]bool{0: true, 3 * time.Second: true, 3*time.Second + 1: false} {
		policy := lossPolicy{killAfter: killAfter, set: true}
		if err := policy.fit(9 * time.Second); (err == nil) != fits || policy.killAfter != killAfter {
			t.Errorf("--kill-after %s with a ttl of 9s: %v, %s, want it to fit: %t", killAfter, err, policy.killAfter, fits)
		}
	}
}

func TestInterruptedBetweenGrantAndStartNothingIsStartedAndNothingHeld(t *testing.T) {
	t.Parallel()
	server := lockdtest.Start(t)
	lease := takeOver(t, server.Client(t), "job")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(&interrupted{syscall.SIGTERM})
	stopped := false
	s, err := takeCharge(ctx, func() { stopped = true }, lease, &lossPolicy{onLoss: lossTerm}, io.Discard)
	if by := (*interrupted)(nil); s != nil || !errors.As(err, &by) || by.signal != syscall.SIGTERM {
		t.Errorf("takeCharge = %v, %v, want no supervisor, interrupted by SIGTERM", s, err)
	}
	if !stopped {
		t.Error("ctx's signals are still listened for")
	}
	if !isFree(t, server.Client(t), "job") {
		t.Error("the lease is still held")
	}
}

// A lease that turns out too short for --kill-after, of the server's default ttl, is given back.
func TestAPolicyThatDoesNotFitTheGrantedLeaseStartsNothing(t *testing.T) {
	t.Parallel()
	server := lockdtest.Start(t, lockdtest.WithDefaultTTL(3*time.Second))
	ran := filepath.Join(t.TempDir(), "ran")
	l := start(t, server.Addr(), "run", "job", "--kill-after", "2s", "--", "touch", ran)
	l.exits(exitUsage)
	l.await("want at most a third of the ttl, 1s")
	if _, err := os.Stat(ran); err == nil {
		t.Error("the command was started")
	}
	if !isFree(t, server.Client(t), "job") {
		t.Error("the lease is still held")
	}
}

// The signal may have come before anybody looked. Not in parallel: it goes to this whole process.
func TestASignalBeforeStopIsTheCause(t *testing.T) {
	seen := make(chan os.Signal, 1)
	signal.Notify(seen, syscall.SIGHUP)
	defer signal.Stop(seen)
	for range 100 {
		ctx, stop := untilInterrupted(t.Context())
		if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		<-seen
		stop()
		if by := (*interrupted)(nil); !errors.As(context.Cause(ctx), &by) || by.signal != syscall.SIGHUP {
			t.Fatalf("the cause is %v, want SIGHUP", context.Cause(ctx))
		}
	}
}

// Whoever got the name would share it with what is left of the command.
func TestTheLeaseIsNotReleasedWhilePartOfTheCommandRunsOn(t *testing.T) {
	t.Parallel()
	server := lockdtest.Start(t)
	for how, report := range map[string]func(*supervisor){
		"the guard says so":          func(s *supervisor) { _, _, _ = s.handle(guard.Event{Kind: guard.Stuck, Number: 7}) },
		"it is found when abandoned": func(s *supervisor) { s.stuck = true },
	} {
		lease := takeOver(t, server.Client(t), how)
		s := newSupervisor(lease, lossPolicy{onLoss: lossTerm}, io.Discard)
		signal.Stop(s.signals)
		report(s)
		err := s.result(0, nil)
		if known := (*exitError)(nil); !errors.As(err, &known) || known.code != exitLost {
			t.Errorf("%s: result() = %v, want the exit code %d", how, err, exitLost)
		}
		if isFree(t, server.Client(t), how) {
			t.Errorf("%s: the lease was released", how)
		}
	}
}
