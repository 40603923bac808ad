package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lockd/lockd/clients/go/lockdtest"
)

// A terminal with a program in its foreground, and the person before it.
type terminal struct {
	t      *testing.T
	master *os.File
	ended  chan error // how the program ended

	mu   sync.Mutex
	text []byte // all that was written to it; guarded by mu
	more chan struct{}
}

// onTerminal runs a program as the leader of a session on a new terminal.
func onTerminal(t *testing.T, addr string, args ...string) *terminal {
	t.Helper()
	master, slave := openTerminalPair(t)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(command(t, addr).Env, "PS1=$ ", "ENV=")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	slave.Close()
	term := &terminal{t: t, master: master, ended: make(chan error, 1), more: make(chan struct{}, 1)}
	reading := make(chan struct{})
	go func() {
		defer close(reading)
		term.read()
	}()
	go func() { term.ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		master.Close()         // hangs up on everybody who is left
		<-reading
		if t.Failed() {
			t.Logf("on the terminal:\n%s", term.text)
		}
	})
	return term
}

func openTerminalPair(t *testing.T) (master, slave *os.File) {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return os.NewFile(uintptr(fd), "/dev/ptmx"), slave // non-blocking, so that Close ends a Read
}

func (term *terminal) read() {
	buf := make([]byte, 4096)
	for {
		n, err := term.master.Read(buf)
		term.mu.Lock()
		term.text = append(term.text, buf[:n]...)
		term.mu.Unlock()
		select {
		case term.more <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

// shows waits until what was written matches, forgets it up to there and returns the groups.
func (term *terminal) shows(pattern string) []string {
	term.t.Helper()
	re := regexp.MustCompile(pattern)
	for late := time.After(patience); ; {
		term.mu.Lock()
		at := re.FindSubmatchIndex(term.text)
		if at != nil {
			var groups []string
			for _, group := range re.FindSubmatch(term.text) {
				groups = append(groups, string(group))
			}
			term.text = bytes.Clone(term.text[at[1]:])
			term.mu.Unlock()
			return groups
		}
		term.mu.Unlock()
		select {
		case <-term.more:
		case <-late:
			term.t.Fatalf("the terminal does not show %q", pattern)
		}
	}
}

func (term *terminal) types(text string) {
	term.t.Helper()
	if _, err := term.master.WriteString(text); err != nil {
		term.t.Fatal(err)
	}
}

// foreground has a shell continue its job in the foreground once that has stopped.
func (term *terminal) foreground() {
	term.t.Helper()
	for state := ""; state != "Stopped"; {
		term.types("jobs\n")
		state = term.shows(`(Stopped|Running)`)[1]
	}
	term.types("fg\n")
}

const (
	ctrlC = "\x03"
	ctrlZ = "\x1a"
	// groups says which group it is in and which is in the foreground.
	groups = `read -r _ _ _ _ group _ _ front _ < /proc/$$/stat; echo "group $group front $front."`
)

func TestTheCommandHasTheTerminalAndGivesItBack(t *testing.T) {
	t.Parallel()
	server := lockdtest.Start(t)
	// A script takes nothing back by itself: without the foreground its read fails.
	term := onTerminal(t, server.Addr(), "sh", "-c",
		`lockctl run job -- sh -c '`+groups+`; read x; echo command read $x'; read y; echo script read $y`)
	if got := term.shows(`group (\d+) front (\d+)\.`); got[1] != got[2] {
		t.Errorf("the command's first look finds its group %s and the foreground %s, want the same", got[1], got[2])
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
