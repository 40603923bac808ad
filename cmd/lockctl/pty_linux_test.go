package main

import (
	"bytes"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
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
