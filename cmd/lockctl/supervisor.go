package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	lockd "github.com/lockd/lockd/clients/go"
	"github.com/lockd/lockd/cmd/lockctl/guard"
)

const (
	// releaseWithin bounds the release at the end; the lease runs out by itself otherwise.
	releaseWithin = 3 * time.Second
	// guardLate is how long after the moment of SIGKILL the guard may be silent before it is taken for
	// stopped and done away with. It fits into the shortest grace that follows a lease.
	guardLate = 250 * time.Millisecond
	// suspendWithin is how long a stop takes that we ask for ourselves, if it comes at all.
	suspendWithin = 200 * time.Millisecond
)

// supervisor keeps a command no longer than its lease. The guard does the killing: it is told until
// when the command may run, again with every renewal, and needs nobody to keep that.
type supervisor struct {
	lossPolicy
	lease   *lockd.Lease
	guard   *guard.Guard
	command string
	signals chan os.Signal
	stderr  io.Writer

	told    time.Time // until when the guard was told the command may run
	ending  bool      // the command was told to end, because of the lease
	bounded bool      // its hold is about to be over
	lost    error     // why the lease does not count any more
	killAt  time.Time // when the guard is to kill; zero: no such moment is near, or it is doing so
	stuck   bool      // SIGKILL does not reach everybody
}

// newSupervisor listens for signals from here on.
func newSupervisor(lease *lockd.Lease, policy lossPolicy, stderr io.Writer) *supervisor {
	signals := append([]os.Signal{unix.SIGUSR1, unix.SIGUSR2, unix.SIGWINCH, unix.SIGTSTP}, ending...)
	return &supervisor{lossPolicy: policy, lease: lease, stderr: stderr, signals: listen(signals...)}
}

// run runs the command and returns its exit code when it and its group are gone. An error says that
// it did not run, or did not end by itself.
func (s *supervisor) run(command guard.Command) (code int, err error) {
	defer signal.Stop(s.signals)
	s.command = command.Args[0]
	s.told = s.until()
	s.guard, err = guard.Start(command, s.told)
	if err != nil {
		return 0, err
	}
	defer s.guard.Close()
	lost := s.lease.Context().Done()
	for {
		timer := time.NewTimer(s.watch())
		select {
		case event, ok := <-s.guard.Events():
			timer.Stop()
			if !ok {
				return 0, s.abandon("the guard process was killed, and the command with it")
			}
			if code, done, err := s.handle(event); done {
				return code, err
			}
		case sig := <-s.signals:
			s.guard.Signal(sig.(syscall.Signal))
		case <-lost:
			lost = nil // watch sees why
		case request := <-s.lease.ReleaseRequested():
			s.requested(request)
		case hold := <-s.lease.HoldEnding():
			s.holdEnding(hold)
		case <-timer.C:
		}
		timer.Stop()
		if s.overdue() {
			return 0, s.abandon("the guard process did not answer and was killed, and the command with it")
		}
	}
}

// until is until when the command may run as things stand: the safe deadline; never ending, zero, if
// the user only wants to be warned.
func (s *supervisor) until() time.Time {
	if s.onLoss == lossWarn {
		return time.Time{}
	}
	return s.lease.Deadline()
}

// watch does what the lease's state demands, and returns when to look again: the client renews in the
// background, and tells nobody when it has.
func (s *supervisor) watch() time.Duration {
	again := max(s.lease.TTL()/20, 10*time.Millisecond)
	if s.lost == nil {
		if err := s.lease.Err(); err != nil {
			s.leaseLost(err)
		}
	}
	if s.lost != nil || s.ending {
		return min(again, guardLate)
	}
	deadline := s.lease.Deadline()
	if until := s.until(); !until.Equal(s.told) {
		s.told = until
		s.guard.Until(until)
	}
	if s.onLoss == lossTerm {
		left := time.Until(deadline) - s.killAfter
		if left <= 0 {
			why := "could not be renewed and "
			if s.bounded {
				why = ""
			}
			s.say("the lease on %s %sends in %s: ending the command", plain(s.lease.Name()), why, rounded(time.Until(deadline)))
			s.end(deadline)
		}
		again = min(again, left)
	}
	return max(again, time.Millisecond)
}

// leaseLost ends the command because its lease has ended.
func (s *supervisor) leaseLost(err error) {
	s.lost = err
	name := plain(s.lease.Name())
	switch {
	case s.onLoss == lossWarn:
		s.say("%s; the command runs on without it (--on-loss=warn)", plainLoss(name, err))
	case s.onLoss == lossKill, errors.Is(err, lockd.ErrExpired):
		s.say("%s: killing the command", plainLoss(name, err))
		s.kill(time.Now())
	case s.ending: // SIGKILL is under way already
	default:
		s.say("%s: ending the command, killing it in %s", plainLoss(name, err), s.killAfter)
		s.end(time.Now().Add(s.killAfter))
	}
}

// requested passes a request for the release on to the command: it is its to end, and the lease stands meanwhile.
func (s *supervisor) requested(r lockd.ReleaseRequest) {
	if s.lost != nil || s.ending {
		return
	}
	text := fmt.Sprintf("%s asks for the lease on %s (%s)", plain(r.By), plain(s.lease.Name()), plain(r.Reason))
	if !r.ForcedAt.IsZero() {
		text += fmt.Sprintf(" and ends it by force in %s", rounded(time.Until(r.ForcedAt)))
	}
	s.tell(text, s.onRequest)
}

// holdEnding says that no renewal will keep the lease for much longer.
func (s *supervisor) holdEnding(h lockd.HoldEnd) {
	if s.lost != nil || s.ending {
		return
	}
	s.bounded = true
	s.tell(fmt.Sprintf("the lease on %s ends in %s: it may be held for %s in all", plain(s.lease.Name()), rounded(time.Until(h.At)), h.Max), s.onHoldEnd)
}

// tell says what is going on, and has the command get a signal, if that is to be.
func (s *supervisor) tell(text, what string) {
	if what == requestWarn {
		s.say("%s", text)
		return
	}
	s.say("%s: telling the command (SIG%s)", text, strings.ToUpper(what))
	s.guard.Signal(requestSignals[what])
	if what == requestTerm {
		s.guard.Signal(unix.SIGCONT) // a stopped command ends when it goes on
	}
}

// plainLoss says why the lease does not count any more, as far as that is known.
func plainLoss(name string, err error) string {
	var forced *lockd.ForcedError
	var over *lockd.HoldOverError
	switch {
	case errors.As(err, &over):
		return fmt.Sprintf("the lease on %s has run out: it may be held for %s in all", name, over.Max)
	case errors.As(err, &forced):
		return fmt.Sprintf("the lease on %s was released by force, by %s (%s)", name, plain(forced.By), plain(forced.Reason))
	case errors.Is(err, lockd.ErrExpired):
		return fmt.Sprintf("the lease on %s has run out: no renewal was answered in time", name)
	}
	return fmt.Sprintf("the lease on %s is gone: it ran out, or the store lost it", name)
}

// end asks the command to end, which a stopped one does when it goes on, and has it killed at killAt.
func (s *supervisor) end(killAt time.Time) {
	s.ending = true
	s.guard.Signal(unix.SIGTERM)
	s.guard.Signal(unix.SIGCONT)
	s.kill(killAt)
}

func (s *supervisor) kill(at time.Time) {
	s.killAt = at
	s.guard.Until(at)
}

// overdue reports whether the guard should be killing by now.
func (s *supervisor) overdue() bool {
	return !s.killAt.IsZero() && time.Since(s.killAt) > guardLate
}

// abandon kills what a guard that is gone, or not to be relied on, has left.
func (s *supervisor) abandon(why string) error {
	if stuck := s.guard.Abandon(); stuck != 0 {
		s.stuck = true
		why = fmt.Sprintf("%s; process %d could not be killed and runs on", why, stuck)
	}
	return errors.New(why)
}

// handle acts upon what the guard reports; done is whether it was the last thing.
func (s *supervisor) handle(event guard.Event) (code int, done bool, err error) {
	switch event.Kind {
	case guard.NotStarted:
		if event.Number == int(unix.ETIMEDOUT) {
			return 0, true, exitWith(exitLost, "the lease on %s ended before the command was started", plain(s.lease.Name()))
		}
		return 0, true, notStarted(s.command, syscall.Errno(event.Number))
	case guard.Stopped:
		s.suspend()
	case guard.LeftBehind:
		s.say("the command has ended, but not all of its group (%d left): ending it, killing it in %s", event.Number, s.killAfter)
	case guard.Killing:
		s.killAt = time.Time{}
	case guard.Stuck:
		s.stuck = true
		s.say("process %d cannot be killed; waiting for its end", event.Number)
	case guard.Ended:
		return event.Number, true, nil
	}
	return 0, false, nil
}

// suspend stops us along with the command, as the shell that started us expects it: otherwise its
// terminal would be stuck. Nobody renews meanwhile, and the guard kills at the deadline. In a group
// that no shell could continue the kernel does not stop us, and the command goes on.
func (s *supervisor) suspend() {
	s.say("suspended; the lease on %s ends in %s unless continued", plain(s.lease.Name()), rounded(time.Until(s.lease.Deadline())))
	continued := listen(unix.SIGCONT)
	defer signal.Stop(continued)
	// Our whole group, as the terminal would have done: a script that called us, the rest of a pipeline.
	// Not by SIGTSTP: once listened for, Go does not give that its default back.
	_ = unix.Kill(0, unix.SIGTTOU) // ourselves, at least, it can reach
	select {
	case <-continued:
	case <-time.After(suspendWithin):
	}
	s.guard.Continue()
}

// result releases the lease and says how lockctl ends.
func (s *supervisor) result(code int, err error) error {
	if s.stuck {
		return errors.Join(exitWith(exitLost, "the lease on %s was not released: part of the command runs on", plain(s.lease.Name())), err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), releaseWithin)
	defer cancel()
	released := s.lease.Release(ctx)
	gone := errors.Is(released, lockd.ErrLost) || errors.Is(released, lockd.ErrExpired)
	switch {
	case s.lost != nil || s.ending:
		return &exitError{code: exitLost, err: err} // it has been said
	case gone && err == nil:
		return exitWith(exitLost, "the lease on %s was lost before the command ended", plain(s.lease.Name()))
	case err != nil:
		return err
	case released != nil:
		s.say("%s", plainText(released))
	}
	if code != exitOK {
		return &exitError{code: code}
	}
	return nil
}

func (s *supervisor) say(format string, args ...any) {
	fmt.Fprintf(s.stderr, "lockctl: "+format+"\n", args...)
}
