package main

import (
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/lockd/lockd/clients/go/lockdtest"
)

// family is a command with descendants in its group, in a group of their own (timeout) and in a
// session of their own, all deaf to SIGTERM and to SIGHUP. It says who they are.
const family = `trap "" TERM HUP
sleep 1000 & a=$!
timeout 1000 sleep 1000 & b=$!
setsid sleep 1000 & c=$!
sh -c "sh -c 'echo deep \$\$; exec sleep 1000' & wait" &
echo family $$ $a $b $c
wait`

func startFamily(t *testing.T, addr string, flags ...string) (*lockctl, []int) {
	t.Helper()
	l := start(t, addr, append(append([]string{"run", "job"}, flags...), "--", "sh", "-c", family)...)
	pids := append(l.awaitPIDs("family"), l.awaitPIDs("deep")...)
	if living := anyAlive(pids); len(living) != len(pids) {
		t.Fatalf("of %v only %v are alive", pids, living)
	}
	return l, pids
}

func TestNothingRunsASecondAfterLockctlWasKilled(t *testing.T) {
	t.Parallel()
	server := lockdtest.Start(t)
	l, pids := startFamily(t, server.Addr())
	killed := time.Now()
	l.Signal(syscall.SIGKILL)
	eventually(t, "the whole family is dead", func() bool { return anyAlive(pids) == nil })
	if took := time.Since(killed); took > time.Second {
		t.Errorf("the last of the command died %s after lockctl, want at most 1s", took)
	}
}

func TestNothingRunsAfterTheGuardWasKilled(t *testing.T) {
	t.Parallel()
	server := lockdtest.Start(t)
	l, pids := startFamily(t, server.Addr())
	if err := syscall.Kill(guardOf(t, l), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	l.exits(exitOther)
	if living := anyAlive(pids); living != nil {
		t.Errorf("%v outlived lockctl", living)
	}
	if !isFree(t, server.Client(t), "job") {
		t.Error("the lease was not released")
	}
}

// Nobody is left to kill the descendants then; the kernel kills the command itself.
func TestTheCommandDiesWithGuardAndLockctl(t *testing.T) {
	t.Parallel()
	server := lockdtest.Start(t)
	l := start(t, server.Addr(), "run", "job", "--", "sh", "-c", `echo command $$; exec sleep 1000`)
	pid, guard := l.awaitPIDs("command")[0], guardOf(t, l)
	for _, stop := range []int{guard, l.PID()} { // so that neither can do anything about the other's death
		if err := syscall.Kill(stop, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Kill(guard, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	l.Kill()
	eventually(t, "the command is dead", func() bool { return !alive(pid) })
}

// Whoever stops or kills a job does so to its whole group: the guard is in none that anybody knows of.
func TestWhatHappensToLockctlsGroupDoesNotHappenToTheGuard(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGKILL} {
		server := lockdtest.Start(t)
		inner := command(t, server.Addr(), "run", "job", "--ttl", "1s", "--", "sh", "-c", `echo command $$; exec sleep 1000`)
		cmd := exec.Command("setsid", inner.Args...) // which makes it the leader of a group
		cmd.Env = inner.Env
		l := runCommand(t, cmd)
		pid := l.awaitPIDs("command")[0]
		if err := syscall.Kill(-l.PID(), sig); err != nil {
			t.Fatal(err)
		}
		takeOver(t, server.Client(t), "job")
		if alive(pid) {
			t.Errorf("after %s to lockctl's group somebody else holds the name and the command is alive", sig)
		}
	}
}

// A stopped lockctl renews nothing and kills nobody; the guard knows the deadline.
func TestTheCommandOfAStoppedLockctlIsDeadBeforeTheNameMoves(t *testing.T) {
	t.Parallel()
	server := lockdtest.Start(t)
	l, pids := startFamily(t, server.Addr(), "--ttl", "1s")
	l.Pause()
	takeOver(t, server.Client(t), "job")
	if living := anyAlive(pids); living != nil {
		t.Errorf("somebody else holds the name and %v are alive", living)
	}
	l.Resume()
	l.exits(exitLost)
}

func TestAStoppedGuardDoesNotKeepALostCommandAlive(t *testing.T) {
	t.Parallel()
	server := lockdtest.Start(t)
	l, pids := startFamily(t, server.Addr(), "--ttl", "1s")
	if err := syscall.Kill(guardOf(t, l), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	server.ForceRelease(t, "job", "test")
	l.exits(exitLost)
	if living := anyAlive(pids); living != nil {
		t.Errorf("%v outlived lockctl", living)
	}
}

// Signals to the groups of command and lockctl do not end the guard.
func TestTheGuardSurvivesSignals(t *testing.T) {
	t.Parallel()
	server := lockdtest.Start(t)
	l, pids := startFamily(t, server.Addr())
	guard := guardOf(t, l)
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGTSTP} {
		if err := syscall.Kill(guard, sig); err != nil {
			t.Fatal(err)
		}
	}
	l.Signal(syscall.SIGKILL)
	eventually(t, "the whole family is dead", func() bool { return anyAlive(pids) == nil })
}

// What the command has left in its group is ended before the lease is released; what left the group is
// let go.
func TestTheLeaseIsReleasedAfterTheLastOfTheGroup(t *testing.T) {
	t.Parallel()
	server := lockdtest.Start(t)
	script := `sh -c 'trap "" TERM; echo deaf $$; while :; do sleep 0.05; done' &
setsid sh -c 'echo detached $$; exec sleep 1000 >/dev/null 2>&1' &
read go; exit 3`
	cmd := command(t, server.Addr(), "run", "job", "--ttl", "2s", "--", "sh", "-c", script)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	l := runCommand(t, cmd)
	deaf, detached := l.awaitPIDs("deaf")[0], l.awaitPIDs("detached")[0]
	t.Cleanup(func() { _ = syscall.Kill(detached, syscall.SIGKILL) }) // our own, if it is still there
	if _, err := in.Write([]byte("go\n")); err != nil {
		t.Fatal(err)
	}
	takeOver(t, server.Client(t), "job")
	if alive(deaf) {
		t.Error("the lease was released while one of the command's group ran")
	}
	if !alive(detached) {
		t.Error("a process that had left the group was killed")
	}
	l.exits(3)
}
