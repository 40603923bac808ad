package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

// asLedger makes the test binary run as the program itself, so that tests and the workers that a
// demo starts need no other one.
const asLedger = "LEDGER_RUN_AS_PROGRAM"

// lockdProgram is the server, built once.
var lockdProgram string

func TestMain(m *testing.M) {
	if os.Getenv(asLedger) != "" {
		main()
		os.Exit(0)
	}
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "ledger-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	lockdProgram = filepath.Join(dir, "lockd")
	build := exec.Command("go", "build", "-o", lockdProgram, "./cmd/lockd")
	build.Dir = "../.." // the server belongs to another module, with dependencies of its own
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build lockd: %v\n%s", err, out)
		return 1
	}
	if code := m.Run(); code != 0 {
		return code
	}
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// A ledger is a run of the program, with a directory for temporary files of its own.
type ledger struct {
	*exec.Cmd
	temp           string
	stdout, stderr bytes.Buffer
}

func newLedger(t *testing.T, args ...string) *ledger {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	l := &ledger{Cmd: exec.CommandContext(t.Context(), self, args...), temp: t.TempDir()}
	l.Env = append(os.Environ(), asLedger+"=1", "TMPDIR="+l.temp)
	l.Stdout, l.Stderr = &l.stdout, &l.stderr
	return l
}

// exitCode runs the program, or waits for it if it runs already, and returns how it ended.
func (l *ledger) exitCode(t *testing.T) int {
	t.Helper()
	wait := l.Run
	if l.Process != nil {
		wait = l.Wait
	}
	if _, ended := errors.AsType[*exec.ExitError](wait()); l.ProcessState == nil && !ended {
		t.Fatalf("ledger %v did not run", l.Args[1:])
	}
	return l.ProcessState.ExitCode()
}

var pids = regexp.MustCompile(`\(pid (\d+)\)`)

// leftNothing fails if a process that the program told of is alive, or a file of its is there.
func (l *ledger) leftNothing(t *testing.T, processes int) {
	t.Helper()
	started := pids.FindAllStringSubmatch(l.stdout.String(), -1)
	if len(started) != processes {
		t.Errorf("%d processes were started, want %d", len(started), processes)
	}
	for _, match := range started {
		pid, _ := strconv.Atoi(match[1])
		if err := syscall.Kill(pid, 0); err != syscall.ESRCH {
			t.Errorf("process %d is still there (%v)", pid, err)
		}
	}
	if left, err := filepath.Glob(filepath.Join(l.temp, "*")); err != nil || len(left) > 0 {
		t.Errorf("%v was left behind (%v)", left, err)
	}
}

// A wrong command line ends with 64 and says what would be right.
func TestUsage(t *testing.T) {
	for _, test := range []struct {
		args string
		want string
	}{
		{"", "Usage:"},
		{"dance", "Usage:"},
		{"demo", "--lockd is missing"},
		{"demo --lockd x y", `unexpected argument "y"`},
		{"demo --tempo 3", "flag provided but not defined"},
		{"worker", "--db is missing"},
		{"worker --db x --from bob --to bob", "want two accounts"},
		{"worker --db x --amount 0", "want more than 0"},
	} {
		t.Run(test.args, func(t *testing.T) {
			l := newLedger(t, strings.Fields(test.args)...)
			if got := l.exitCode(t); got != exitUsage {
				t.Errorf("ledger %s = %d, want %d", test.args, got, exitUsage)
			}
			if !strings.Contains(l.stderr.String(), test.want) {
				t.Errorf("ledger %s says %q, want %q in it", test.args, &l.stderr, test.want)
			}
		})
	}
}

// An audit says whether the books balance, and does not make new ones where there are none.
func TestAuditCommand(t *testing.T) {
	file := newFile(t)
	if got := newLedger(t, "audit", "--db", file).exitCode(t); got != exitFailed {
		t.Errorf("audit of no books = %d, want %d", got, exitFailed)
	}
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after an audit of no books: %v, want none", err)
	}
	b := openBooks(t, file, true)
	if got := newLedger(t, "audit", "--db", file).exitCode(t); got != 0 {
		t.Errorf("audit of new books = %d, want 0", got)
	}
	if _, err := b.db.ExecContext(t.Context(), `UPDATE accounts SET balance = 0 WHERE name = 'bob'`); err != nil {
		t.Fatal(err)
	}
	if got := newLedger(t, "audit", "--db", file).exitCode(t); got != exitFailed {
		t.Errorf("audit of false books = %d, want %d", got, exitFailed)
	}
}
