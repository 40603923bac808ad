package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	lockd "github.com/lockd/lockd/clients/go"
	"github.com/lockd/lockd/clients/go/lockdtest"
)

func TestTheCommandHasTheTerminalAndGivesItBack(t *testing.T) {
	t.Parallel()
	server := lockdtest.Start(t)
	// A script takes nothing back by itself: without the foreground its read fails.
	term := onTerminal(t, server.Addr(), "sh", "-c",
		`for i in 1 2 3 4 5; do lockctl run job -- sh -c '`+groups+`'; done
		lockctl run job -- sh -c 'read x; echo command read $x'; read y; echo script read $y`)
	for range 5 {
		if got := term.shows(`group (\d+) front (\d+)\.`); got[1] != got[2] {
			t.Errorf("the command's first look finds its group %s and the foreground %s, want the same", got[1], got[2])
		}
	}
	term.types("one\n")
	term.shows("command read one")
	term.types("two\n")
	term.shows("script read two")
	if err := <-term.ended; err != nil {
		t.Error(err)
	}
}

// It may ask for the keyboard as the first thing it does, and is not stopped for it.
func TestTheCommandMayReadTheTerminalAtOnce(t *testing.T) {
	t.Parallel()
	server := lockdtest.Start(t)
	term := onTerminal(t, server.Addr(), "sh", "-c", `for i in 1 2 3 4 5 6 7 8 9 10; do lockctl run job -- head -n 1; done; echo all read`)
	for i := range 10 {
		line := "line " + strconv.Itoa(i)
		term.types(line + "\n")
		term.shows("\n" + line) // by head, after the terminal's own echo
	}
	term.shows("all read")
}

func TestInterruptedFromTheKeyboardTheCommandEnds(t *testing.T) {
	t.Parallel()
	server := lockdtest.Start(t)
	term := onTerminal(t, server.Addr(), "sh", "-c", `lockctl run job -- sh -c 'echo here; exec sleep 1000'; echo code $?; read y; echo script read $y`)
	term.shows("here")
	term.types(ctrlC)
	term.shows("code 130")
	term.types("two\n")
	term.shows("script read two")
}

func TestTheTerminalComesBackFromADeadGuard(t *testing.T) {
	t.Parallel()
	server := lockdtest.Start(t)
	term := onTerminal(t, server.Addr(), "sh", "-c", `lockctl run job -- sh -c 'echo guard is $PPID; sleep 1000'; echo code $?; read y; echo script read $y`)
	guard, err := strconv.Atoi(term.shows(`guard is (\d+)`)[1])
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(guard, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	term.shows("code 1")
	term.types("two\n")
	term.shows("script read two")
}

// What only exec finds out leaves the terminal where it was.
func TestACommandThatCannotBeStartedLeavesTheTerminal(t *testing.T) {
	t.Parallel()
	server := lockdtest.Start(t)
	noScript := filepath.Join(t.TempDir(), "no-script")
	if err := os.WriteFile(noScript, []byte("no script\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	term := onTerminal(t, server.Addr(), "sh", "-c", `lockctl run job -- `+noScript+`; echo code $?; read y; echo script read $y`)
	term.shows("exec format error")
	term.shows("code 126")
	term.types("two\n")
	term.shows("script read two")
	if !isFree(t, server.Client(t), "job") {
		t.Error("the lease is still held")
	}
}

// What stands in for the command until it has the terminal does not lose it its death with the guard.
func TestTheCommandOnTheTerminalDiesWithGuardAndLockctl(t *testing.T) {
	t.Parallel()
	server := lockdtest.Start(t)
	term := onTerminal(t, server.Addr(), "sh", "-c", `lockctl run job -- sh -c 'trap "" HUP; read -r _ _ _ lockctl _ </proc/$PPID/stat; echo $$ $PPID $lockctl.; exec sleep 1000'; echo code $?; read y`)
	var pids []int
	for _, text := range term.shows(`(\d+) (\d+) (\d+)\.`)[1:] {
		pid, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	command, guard, lockctl := pids[0], pids[1], pids[2]
	for _, kill := range []struct {
		pid int
		sig syscall.Signal
	}{{guard, syscall.SIGSTOP}, {lockctl, syscall.SIGSTOP}, {guard, syscall.SIGKILL}, {lockctl, syscall.SIGKILL}} {
		if err := syscall.Kill(kill.pid, kill.sig); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the command is dead", func() bool { return !alive(command) })
}

func TestSuspendedAndContinued(t *testing.T) {
	t.Parallel()
	server := lockdtest.Start(t)
	term := onTerminal(t, server.Addr(), "sh", "-i")
	term.types(`lockctl run job -- sh -c 'echo he""re; read x; echo read $x'` + "\n")
	term.shows("here")
	term.types(ctrlZ)
	term.shows("suspended; the lease on job ends in")
	term.foreground()
	term.shows("lockctl run job")
	term.types("one\n")
	term.shows("read one")
	term.types("exit\n")
}

func TestSuspendedForTooLongTheCommandIsKilled(t *testing.T) {
	t.Parallel()
	server := lockdtest.Start(t)
	term := onTerminal(t, server.Addr(), "sh", "-i")
	term.types(`lockctl run job --ttl 1s -- sh -c 'echo command $$.; read x; echo read $x'` + "\n")
	pid, err := strconv.Atoi(term.shows(`command (\d+)\.`)[1])
	if err != nil {
		t.Fatal(err)
	}
	term.types(ctrlZ)
	takeOver(t, server.Client(t), "job")
	if alive(pid) {
		t.Error("somebody else holds the name and the suspended command is alive")
	}
	term.types("fg; echo code $?.\n")
	term.shows(`code 70\.`)
	term.types("exit\n")
}

// Nobody could continue a group without a shell, so nothing stops, and nobody is stuck.
func TestWithoutAShellThereIsNoSuspending(t *testing.T) {
	t.Parallel()
	server := lockdtest.Start(t)
	path, err := exec.LookPath("lockctl")
	if err != nil {
		t.Fatal(err)
	}
	term := onTerminal(t, server.Addr(), path, "run", "job", "--", "sh", "-c", "echo here; read x; echo read $x")
	term.shows("here")
	term.types(ctrlZ)
	term.shows("suspended")
	term.types("one\n")
	term.shows("read one")
	if err := <-term.ended; err != nil {
		t.Error(err)
	}
}

func TestInTheBackgroundTheTerminalIsNotTouched(t *testing.T) {
	t.Parallel()
	server := lockdtest.Start(t)
	term := onTerminal(t, server.Addr(), "sh", "-i")
	term.types("lockctl run job -- sh -c '" + groups + "' &\n")
	if got := term.shows(`group (\d+) front (\d+)\.`); got[1] == got[2] {
		t.Errorf("the command's group is %s and the foreground %s, want another", got[1], got[2])
	}
	term.types("wait; echo wai''ted\n")
	term.shows("waited")
	// It stops when it wants the keyboard, as it would without lockctl, and gets it with fg.
	term.types(`lockctl run job -- sh -c 'echo here; read x; echo read $x' &` + "\n")
	term.shows("suspended")
	term.foreground()
	term.shows("lockctl run job")
	term.types("one\n")
	term.shows("read one")
	term.types("exit\n")
}

// A pager keeps the keyboard while the command writes to it.
func TestInAPipelineTheTerminalIsTakenOnDemand(t *testing.T) {
	t.Parallel()
	server := lockdtest.Start(t)
	term := onTerminal(t, server.Addr(), "sh", "-i")
	term.types(`lockctl run job -- sh -c 'echo here; exec sleep 1000' | sh -c 'read a; echo reader has $a; read b </dev/tty; echo reader read $b'` + "\n")
	term.shows("reader has here")
	term.types("one\n")
	term.shows("reader read one")
	term.types(ctrlC) // to the pipeline's group, and by lockctl to the command's
	term.types("echo code $?.\n")
	term.shows(`code \d+\.`)
	if !isFree(t, server.Client(t), "job") {
		t.Error("the lease is still held")
	}
	term.types(`lockctl run job -- sh -c 'read x; echo command read $x' | cat` + "\n")
	term.shows("\\$ ")
	term.types("two\n")
	term.shows("command read two")
	term.types("exit\n")
}

// While it waits it says for whom and at which place, on one line that is gone when the wait is over.
func TestOnATerminalItSaysWhoIsWaitedFor(t *testing.T) {
	t.Parallel()
	server := lockdtest.Start(t)
	client := server.Client(t, lockd.WithOwner("the holder"))
	first := takeOver(t, client, "job")
	second := standInLine(t, client, "job")
	term := onTerminal(t, server.Addr(), "sh", "-c", `lockctl run job -- echo command ran; read y`)
	term.shows(`\rwaiting for "job": held by the holder since \d\d:\d\d:\d\d, you are 2nd in line`)
	if err := first.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	term.shows(`\r +\rwaiting for "job": held by the holder since \d\d:\d\d:\d\d, you are 1st in line`)
	if err := (<-second).Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	term.shows(`^\r +\rcommand ran`)
}

// While lockd is away it says so.
func TestOnATerminalItSaysThatLockdIsAway(t *testing.T) {
	t.Parallel()
	server := lockdtest.Start(t)
	takeOver(t, server.Client(t, lockd.WithOwner("the holder")), "job")
	term := onTerminal(t, server.Addr(), "lockctl", "run", "job", "--", "true")
	term.shows(`\rwaiting for "job": held by the holder since \d\d:\d\d:\d\d, you are 1st in line`)
	server.Stop(t)
	term.shows(`\r +\rwaiting for "job": lockd cannot be reached, you were 1st in line`)
}

// A line that others follow is not written over.
func TestNothingIsSaidOfTheWait(t *testing.T) {
	t.Parallel()
	server := lockdtest.Start(t)
	client := server.Client(t)
	for how, line := range map[string]string{
		"quiet":               `lockctl run job -q -- echo command ran`,
		"in the background":   `lockctl run job -- echo command ran & wait`,
		"an acquire, quietly": `lockctl acquire job --quiet; echo command ran`,
	} {
		holder := takeOver(t, client, "job")
		term := onTerminal(t, server.Addr(), "sh", "-c", `set -m; `+line+`; read y`)
		eventually(t, how+": it stands in line", func() bool { return inLine(t, client, "job") == 1 })
		if err := holder.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		if said := term.shows(`(?s)^(.*)command ran`)[1]; strings.Contains(said, "waiting") || strings.Contains(said, "\r ") {
			t.Errorf("%s: it says %q", how, said)
		}
		if how == "an acquire, quietly" {
			server.Expire(t, "job")
		}
	}
}

// standInLine waits for name until the lease comes.
func standInLine(t *testing.T, c *lockd.Client, name string) <-chan *lockd.Lease {
	t.Helper()
	came := make(chan *lockd.Lease, 1)
	before := inLine(t, c, name)
	go func() {
		defer close(came)
		lease, err := c.Acquire(t.Context(), name)
		if err != nil {
			t.Error(err)
			return
		}
		came <- lease
	}()
	eventually(t, "somebody stands in line", func() bool { return inLine(t, c, name) > before })
	return came
}
