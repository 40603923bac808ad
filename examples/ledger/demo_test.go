package main

import (
	"bufio"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A demo starts lockd and three workers twice.
const demoProcesses = 1 + 2*3

// The demo ends with 0, having shown the late write refused, the books balancing, and what happens
// without the check; it ends in time and nothing is left of it.
func TestDemo(t *testing.T) {
	l, start := newLedger(t, "demo", "--lockd", lockdProgram), time.Now()
	if got := l.exitCode(t); got != 0 {
		t.Fatalf("demo = %d, want 0\n%s%s", got, &l.stdout, &l.stderr)
	}
	if took := time.Since(start); took >= demoLimit {
		t.Errorf("the demo took %s, want less than %s", took, demoLimit)
	}
	for _, want := range []string{
		"ann    is REFUSED: token ",
		"ok  ann's late write was refused by token: ",
		"ok  the books balance: alice 960, bob 1010, carol 1030; 3000 in all",
		"ok  ann's late write was accepted",
		"ok  the books do not balance: alice 900, bob 1100, carol 1030; 3030 in all; ",
	} {
		if !strings.Contains(l.stdout.String(), want) {
			t.Errorf("the demo does not say %q:\n%s", want, &l.stdout)
		}
	}
	l.leftNothing(t, demoProcesses)
}

// Books that do not check the token make the demo fail, and it says where.
func TestDemoFailsUnfenced(t *testing.T) {
	l := newLedger(t, "demo", "--lockd", lockdProgram, "--unfenced")
	if got := l.exitCode(t); got != exitFailed {
		t.Fatalf("demo --unfenced = %d, want %d\n%s%s", got, exitFailed, &l.stdout, &l.stderr)
	}
	if want := "not so: ann's late write was refused by token"; !strings.Contains(l.stderr.String(), want) {
		t.Errorf("demo --unfenced says %q, want %q in it", &l.stderr, want)
	}
	l.leftNothing(t, 1+3)
}

// Interrupted from the terminal while a worker is stopped, the demo kills that one too and leaves
// nothing behind.
func TestDemoInterrupted(t *testing.T) {
	l := newLedger(t, "demo", "--lockd", lockdProgram)
	l.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	l.Stdout = nil
	out, err := l.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewReader(io.TeeReader(out, &l.stdout)); ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("the demo ended before it stopped ann: %v\n%s%s", err, &l.stdout, &l.stderr)
		}
		if strings.Contains(line, "STOPS ann") {
			break
		}
	}
	if err := syscall.Kill(-l.Process.Pid, syscall.SIGINT); err != nil { // as ctrl-C does: to its group
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, out) // until its end
	if got := l.exitCode(t); got != exitInterrupted {
		t.Errorf("demo, interrupted = %d, want %d\n%s", got, exitInterrupted, &l.stderr)
	}
	l.leftNothing(t, 1+3)
}

// A server that cannot be started, or ends, ends the demo with what it said.
func TestDemoWithoutServer(t *testing.T) {
	for program, want := range map[string]string{
		"/nowhere/lockd": "start lockd: fork/exec /nowhere/lockd: no such file",
		"false":          "lockd (pid ",
		"true":           "lockd (pid ",
	} {
		l := newLedger(t, "demo", "--lockd", program)
		if got := l.exitCode(t); got != exitFailed {
			t.Errorf("demo --lockd %s = %d, want %d", program, got, exitFailed)
		}
		if !strings.Contains(l.stderr.String(), want) {
			t.Errorf("demo --lockd %s says %q, want %q in it", program, &l.stderr, want)
		}
		l.leftNothing(t, 0)
	}
}
