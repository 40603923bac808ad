package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"

	lockd "github.com/lockd/lockd/clients/go"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
	"github.com/lockd/lockd/test/proc"
)

// patience bounds what should have happened long before.
const patience = 20 * time.Second

func TestMain(m *testing.M) {
	// The race detector has a process that ends sleep for a second, for other threads' reports.
	os.Setenv("GORACE", "atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	testscript.Main(leakless{m}, map[string]func(){"lockctl": main})
}

// leakless fails tests that leave goroutines behind.
type leakless struct{ m *testing.M }

func (l leakless) Run() int {
	code := l.m.Run()
	if err := goleak.Find(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// lockctl is a process of this very program.
type lockctl struct{ proc.Process }

// start runs lockctl against the server at addr until the test ends.
func start(t *testing.T, addr string, args ...string) *lockctl {
	t.Helper()
	return runCommand(t, command(t, addr, args...))
}

// runCommand runs a lockctl, or what becomes one, until the test ends.
func runCommand(t *testing.T, cmd *exec.Cmd) *lockctl {
	t.Helper()
	l := &lockctl{proc.Process{T: t, Name: "lockctl"}}
	l.Must(l.Run(cmd))
	t.Cleanup(func() {
		l.Remove()
		if t.Failed() {
			t.Logf("%s:\n%s", strings.Join(cmd.Args, " "), l.Log())
		}
	})
	return l
}

// command is a lockctl to be started.
func command(t *testing.T, addr string, args ...string) *exec.Cmd {
	t.Helper()
	path, err := exec.LookPath("lockctl") // where testscript put it
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), serverVariable+"="+addr)
	return cmd
}

// await waits until the process has written what matches, and returns the match and its groups.
func (l *lockctl) await(pattern string) []string {
	l.T.Helper()
	found, err := l.Await(regexp.MustCompile(pattern), patience)
	l.Must(err)
	return found
}

// awaitPIDs waits for a line "NAME PID PID …" and returns the process ids.
func (l *lockctl) awaitPIDs(name string) []int {
	l.T.Helper()
	var pids []int
	for _, text := range strings.Fields(l.await(name + `((?: \d+)+)\n`)[1]) {
		pid, err := strconv.Atoi(text)
		l.Must(err)
		pids = append(pids, pid)
	}
	return pids
}

// exits waits for the end and checks the exit code.
func (l *lockctl) exits(want int) {
	l.T.Helper()
	select {
	case <-l.Exited():
		if got := l.ExitCode(); got != want {
			l.T.Errorf("lockctl ended with %d, want %d", got, want)
		}
	case <-time.After(patience):
		l.T.Fatal("lockctl does not end")
	}
}

// takeOver takes a lease as somebody else, waiting for it.
func takeOver(t *testing.T, c *lockd.Client, name string) *lockd.Lease {
	t.Helper()
	lease, err := c.Acquire(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return lease
}

// isFree reports whether nobody holds name.
func isFree(t *testing.T, c *lockd.Client, name string) bool {
	t.Helper()
	lease, err := c.TryAcquire(t.Context(), name)
	var held *lockd.HeldError
	if errors.As(err, &held) {
		return false
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := lease.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	return true
}

// standingOf is who holds name and who waits.
func standingOf(t *testing.T, c *lockd.Client, name string) *lockdv1.GetResponse {
	t.Helper()
	resp, err := lockdv1.NewLeaseServiceClient(c.Conn()).Get(t.Context(), &lockdv1.GetRequest{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// inLine is how many wait for name.
func inLine(t *testing.T, c *lockd.Client, name string) int64 {
	t.Helper()
	return standingOf(t, c, name).GetWaiterCount()
}

// tokenOf is the token in force on name.
func tokenOf(t *testing.T, c *lockd.Client, name string) int64 {
	t.Helper()
	return standingOf(t, c, name).GetLease().GetToken()
}

// eventually looks until ok says so.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	look := time.NewTicker(2 * time.Millisecond)
	defer look.Stop()
	for late := time.After(patience); !ok(); {
		select {
		case <-look.C:
		case <-late:
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}
