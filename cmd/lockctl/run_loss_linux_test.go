package main

import (
	"io"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lockd/lockd/clients/go/lockdtest"
	"github.com/lockd/lockd/test/proxy"
)

const (
	// deaf hears SIGTERM, says so and goes on.
	deaf = `trap 'echo term' TERM; echo command $$; while :; do sleep 0.05; done`
	// obedient ends on SIGTERM, with a code of its own.
	obedient = `trap 'echo term; exit 5' TERM; echo command $$; while :; do sleep 0.05; done`
)

// The moment somebody else holds the name, nothing of the command is alive, although lockctl heard of nothing.
func TestACommandWithoutRenewalsIsDeadBeforeTheNameMoves(t *testing.T) {
	t.Parallel()
	for _, onLoss := range []string{lossTerm, lossKill} {
		t.Run(onLoss, func(t *testing.T) {
			t.Parallel()
			server := lockdtest.Start(t)
			between := proxy.GRPC(t, server.Addr())
			l := start(t, between.Addr(), "run", "job", "--ttl", "1s", "--on-loss", onLoss, "--", "sh", "-c", deaf)
			pid := l.awaitPIDs("command")[0]
			between.HoldRequests()
			takeOver(t, server.Client(t), "job")
			if alive(pid) {
				t.Error("somebody else holds the name and the command is alive")
			}
			l.exits(exitLost)
			if onLoss == lossTerm {
				l.await("term\n")
			}
		})
	}
}

func TestACommandWithoutRenewalsMayEndByItself(t *testing.T) {
	t.Parallel()
	server := lockdtest.Start(t)
	between := proxy.GRPC(t, server.Addr())
	l := start(t, between.Addr(), "run", "job", "--ttl", "1s", "--", "sh", "-c", obedient)
	l.awaitPIDs("command")
	between.HoldRequests()
	l.await("term\n")
	l.exits(exitLost)
	l.await("could not be renewed")
}

// SIGTERM comes --kill-after before the safe deadline: neither so late that nothing can be cleaned up,
// nor while a renewal may still be answered.
func TestTheCommandHasKillAfterToEndInTime(t *testing.T) {
	t.Parallel()
	server := lockdtest.Start(t)
	between := proxy.GRPC(t, server.Addr())
	l := start(t, between.Addr(), "run", "job", "--ttl", "4s", "--", "sh", "-c", obedient)
	l.awaitPIDs("command")
	between.HoldRequests()
	left, err := time.ParseDuration(l.await(`could not be renewed and ends in (\S+): ending the command`)[1])
	l.Must(err)
	// A quarter of the ttl, less what this machine takes to notice.
	if left > time.Second || left < 400*time.Millisecond {
		t.Errorf("the command was told to end %s before the deadline, want 1s", left)
	}
	l.await("term\n")
	l.exits(exitLost)
}

func TestAnOutageShorterThanTheLeaseIsNotNoticed(t *testing.T) {
	t.Parallel()
	server := lockdtest.Start(t)
	between := proxy.GRPC(t, server.Addr())
	l := start(t, between.Addr(), "run", "job", "--ttl", "2s", "--", "sh", "-c",
		`trap 'echo term' TERM; echo command $$; for i in 1 2 3 4 5 6; do sleep 0.5; echo tick; done; exit 6`)
	l.awaitPIDs("command")
	between.HoldRequests()
	l.await("tick\n") // half a second later
	between.Release()
	l.exits(6)
}

func TestAForcedReleaseEndsTheCommandAndThenKillsIt(t *testing.T) {
	t.Parallel()
	server := lockdtest.Start(t)
	l := start(t, server.Addr(), "run", "job", "--ttl", "1s", "--kill-after", "200ms", "--", "sh", "-c", deaf)
	pid := l.awaitPIDs("command")[0]
	server.ForceRelease(t, "job", "test")
	l.await("term\n")
	termed := time.Now()
	l.exits(exitLost)
	if alive(pid) {
		t.Error("the command is alive")
	}
	// Not much more than --kill-after: the rest is this machine's.
	if took := time.Since(termed); took > 5*time.Second {
		t.Errorf("the command was killed %s after SIGTERM, want 200ms", took)
	}
	l.await(`released by force, by \S+ \(test\)`)
	if strings.Contains(l.Log(), "guard") {
		t.Error("it was not the guard that killed the command")
	}
}

// Who ended it and why is for the command's owner to read.
func TestAForcedReleaseSaysByWhomAndWhy(t *testing.T) {
	t.Parallel()
	server := lockdtest.Start(t)
	for by, want := range map[string]string{"": `\S+@\S*:\d+`, "the operator": "the operator"} {
		l := start(t, server.Addr(), "run", "job", "--", "sh", "-c", obedient)
		l.awaitPIDs("command")
		args := []string{"force-release", "job", "--reason", "host is gone", "--token", strconv.FormatInt(tokenOf(t, server.Client(t), "job"), 10)}
		if by != "" {
			args = append(args, "--by", by)
		}
		code, out, text := here(t, server.Addr(), args...)
		if code != exitOK || !regexp.MustCompile(`ended by force:\nname +job\nowner +\S+@\S*:\d+\n`).MatchString(out) {
			t.Errorf("lockctl force-release: %d, %s%s, want whom it ended", code, out, text)
		}
		l.exits(exitLost)
		l.await(`the lease on job was released by force, by ` + want + ` \(host is gone\): ending the command`)
	}
}

// Who asks for a lease has its command told, which ends by itself, and then the name is free; whoever is only to
// be warned, or takes no notice, loses it when that was announced.
func TestACommandIsToldThatItsLeaseIsAskedFor(t *testing.T) {
	t.Parallel()
	server := lockdtest.Start(t)
	request := func(name string, more ...string) {
		t.Helper()
		args := []string{"request-release", name, "--reason", "deploy", "--by", "ana", "--token", strconv.FormatInt(tokenOf(t, server.Client(t), name), 10)}
		if code, out, text := here(t, server.Addr(), append(args, more...)...); code != exitOK || !strings.Contains(out, "asked to release") {
			t.Errorf("lockctl %v: %d, %s%s, want the lease", args, code, out, text)
		}
	}
	l := start(t, server.Addr(), "run", "job", "--", "sh", "-c", obedient)
	l.awaitPIDs("command")
	request("job")
	l.await(`ana asks for the lease on job \(deploy\): telling the command \(SIGTERM\)`)
	l.exits(5)                                                              // the command's: nothing was lost
	start(t, server.Addr(), "run", "job", "-n", "--", "true").exits(exitOK) // the name is free

	l = start(t, server.Addr(), "run", "other", "--on-request", "warn", "--", "sh", "-c", obedient)
	l.awaitPIDs("command")
	request("other", "--force-in", "500ms")
	l.await(`ana asks for the lease on other \(deploy\) and ends it by force in `)
	l.await(`the lease on other was released by force, by ana \(deploy\): ending the command`)
	l.exits(exitLost)
}

// When the longest hold is about to be over lockctl says so, and tells the command if it is to be; a command that takes no
// notice is ended in time.
func TestACommandIsToldThatItsHoldEnds(t *testing.T) {
	t.Parallel()
	server := lockdtest.Start(t, lockdtest.WithMaxHold(2*time.Second))
	l := start(t, server.Addr(), "run", "job", "--ttl", "1s", "--on-hold-ending", "term", "--", "sh", "-c", obedient)
	l.awaitPIDs("command")
	l.await(`the lease on job ends in [0-9.]+m?s: it may be held for 2s in all: telling the command \(SIGTERM\)`)
	l.exits(5) // the command's: nothing was lost

	l = start(t, server.Addr(), "run", "other", "--ttl", "1s", "--", "sh", "-c", "echo command $$; sleep 60")
	l.awaitPIDs("command")
	l.await(`the lease on other ends in [0-9.]+m?s: it may be held for 2s in all\n`)
	l.await(`ending the command`)
	l.exits(exitLost)
}

// Whoever is stopped hears SIGTERM only when it is continued.
func TestAStoppedCommandHearsSIGTERM(t *testing.T) {
	t.Parallel()
	server := lockdtest.Start(t)
	l := start(t, server.Addr(), "run", "job", "--ttl", "3s", "--", "sh", "-c", obedient)
	pid := l.awaitPIDs("command")[0]
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	server.ForceRelease(t, "job", "test")
	l.await("term\n")
	l.exits(exitLost)
	if strings.Contains(l.Log(), "suspended") {
		t.Error("lockctl was suspended, too")
	}
}

func TestOnLossKillSparesNobodyForALostLease(t *testing.T) {
	t.Parallel()
	server := lockdtest.Start(t)
	l := start(t, server.Addr(), "run", "job", "--ttl", "1s", "--on-loss", "kill", "--", "sh", "-c", obedient)
	l.awaitPIDs("command")
	server.Expire(t, "job")
	l.exits(exitLost)
	if _, err := l.Await(regexp.MustCompile("term\n"), 0); err == nil {
		t.Error("the command got SIGTERM")
	}
}

func TestOnLossWarnOnlyWarns(t *testing.T) {
	t.Parallel()
	server := lockdtest.Start(t)
	cmd := command(t, server.Addr(), "run", "job", "--ttl", "1s", "--on-loss", "warn", "--", "sh", "-c",
		`trap 'echo term' TERM; echo command $$; read go; echo finished`)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	l := runCommand(t, cmd)
	l.awaitPIDs("command")
	server.Stop(t) // and lets the deadline pass
	l.await("runs on without it")
	if _, err := in.Write([]byte("go\n")); err != nil {
		t.Fatal(err)
	}
	l.await("finished\n")
	l.exits(exitLost)
}

// Between renewals only the release finds out.
func TestALossThatOnlyTheReleaseNoticesIsReported(t *testing.T) {
	t.Parallel()
	server := lockdtest.Start(t)
	l, in := startReading(t, server.Addr())
	server.Expire(t, "job")
	goOn(t, in)
	l.exits(exitLost)
	l.await("was lost before the command ended")
}

// A release whose answer is lost is repeated, and its finding nothing proves no loss.
func TestARepeatedReleaseReportsNoLoss(t *testing.T) {
	t.Parallel()
	server := lockdtest.Start(t)
	between := proxy.GRPC(t, server.Addr())
	l, in := startReading(t, between.Addr())
	between.HoldReplies()
	goOn(t, in)
	eventually(t, "the lease is released", func() bool { return isFree(t, server.Client(t), "job") })
	between.Cut()
	between.Release()
	l.exits(4)
}

// startReading runs a command under a lease on "job" that goes on when goOn says so, and exits with 4.
func startReading(t *testing.T, addr string) (*lockctl, io.Writer) {
	t.Helper()
	cmd := command(t, addr, "run", "job", "--", "sh", "-c", "echo command $$; read go; exit 4")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	l := runCommand(t, cmd)
	l.awaitPIDs("command")
	return l, in
}

func goOn(t *testing.T, in io.Writer) {
	t.Helper()
	if _, err := io.WriteString(in, "go\n"); err != nil {
		t.Fatal(err)
	}
}
