package main

import (
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/lockd/lockd/clients/go/lockdtest"
)

func TestSignalsGoOnToTheCommandsGroup(t *testing.T) {
	t.Parallel()
	server := lockdtest.Start(t)
	for _, sig := range []struct {
		name   string
		number syscall.Signal
	}{
		{"INT", syscall.SIGINT}, {"TERM", syscall.SIGTERM}, {"HUP", syscall.SIGHUP}, {"QUIT", syscall.SIGQUIT},
		{"USR1", syscall.SIGUSR1}, {"USR2", syscall.SIGUSR2}, {"WINCH", syscall.SIGWINCH},
	} {
		t.Run(sig.name, func(t *testing.T) {
			t.Parallel()
			script := fmt.Sprintf(`trap 'echo got; exit 9' %s; echo command $$; while :; do sleep 0.05; done`, sig.name)
			l := start(t, server.Addr(), "run", sig.name, "--", "sh", "-c", script)
			l.awaitPIDs("command")
			l.Signal(sig.number)
			l.exits(9)
			l.await("got\n")
		})
	}
}

func TestACommandsDeathByASignalIs128AndItsNumber(t *testing.T) {
	t.Parallel()
	server := lockdtest.Start(t)
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGKILL, syscall.SIGSEGV, syscall.SIGTERM} {
		l := start(t, server.Addr(), "run", "job", "--", "sh", "-c", "kill -"+strconv.Itoa(int(sig))+" $$")
		l.exits(128 + int(sig))
	}
}

func TestInterruptedWhileWaitingLeavesNothing(t *testing.T) {
	t.Parallel()
	server := lockdtest.Start(t)
	client := server.Client(t)
	for _, c := range []struct {
		args []string
		sig  syscall.Signal
	}{
		{[]string{"run", "job", "--", "true"}, syscall.SIGINT},
		{[]string{"run", "job", "--", "true"}, syscall.SIGTERM},
		{[]string{"acquire", "job"}, syscall.SIGINT},
		{[]string{"acquire", "job"}, syscall.SIGHUP},
	} {
		holder := takeOver(t, client, "job")
		l := start(t, server.Addr(), c.args...)
		eventually(t, "it stands in line", func() bool { return inLine(t, client, "job") == 1 })
		l.Signal(c.sig)
		l.exits(128 + int(c.sig))
		if n := inLine(t, client, "job"); n != 0 {
			t.Errorf("lockctl %s, interrupted: %d are in line, want 0", strings.Join(c.args, " "), n)
		}
		if err := holder.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		if !isFree(t, client, "job") {
			t.Errorf("lockctl %s, interrupted: the name is taken", strings.Join(c.args, " "))
		}
	}
}

// nohup lockctl run … is nohup for the command, too.
func TestWhatIsIgnoredStaysIgnored(t *testing.T) {
	t.Parallel()
	server := lockdtest.Start(t)
	inner := command(t, server.Addr(), "run", "job", "--", "sh", "-c", `kill -HUP $$; echo survived`)
	cmd := exec.Command("sh", "-c", `trap "" HUP; exec "$@"`, "sh")
	cmd.Args = append(cmd.Args, inner.Args...)
	cmd.Env = inner.Env
	l := runCommand(t, cmd)
	l.exits(0)
	l.await("survived\n")
}

func TestTheCommandInheritsFilesBeyondTheStandardOnes(t *testing.T) {
	t.Parallel()
	server := lockdtest.Start(t)
	inner := command(t, server.Addr(), "run", "job", "--", "sh", "-c", `cat <&3; cat <&9; ls -l /proc/self/fd`)
	cmd := exec.Command("sh", "-c", `exec "$@" 3<<three 9<<nine
file three
three
file nine
nine`, "sh")
	cmd.Args = append(cmd.Args, inner.Args...)
	cmd.Env = inner.Env
	l := runCommand(t, cmd)
	l.exits(0)
	l.await("file three\n")
	l.await("file nine\n")
	if strings.Contains(l.Log(), "socket:") {
		t.Errorf("the command has lockctl's sockets:\n%s", l.Log())
	}
}
