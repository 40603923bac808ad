package main

import (
	"bytes"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/lockd/lockd/clients/go/lockdtest"
	"github.com/lockd/lockd/test/proxy"
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
		between := proxy.GRPC(t, server.Addr())
		standsBy := make(chan struct{})
		second := proxy.Nth(2, proxy.Contains("/Acquire")) // the first one asks who holds it
		gaveUp := between.DelayReply(func(request []byte) bool {
			if second(request) {
				close(standsBy)
			}
			return bytes.Contains(request, []byte("/Release"))
		})
		gaveUp.Release() // it is only to be seen
		l := start(t, between.Addr(), c.args...)
		<-standsBy
		l.Signal(c.sig)
		l.exits(128 + int(c.sig))
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
