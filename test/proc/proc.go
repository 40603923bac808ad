// Package proc controls a process that a test has started: signals, its end, the end of its log.
// It dies with the test process on Linux, however that ends.
package proc

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"syscall"
	"testing"
	"time"
)

// ErrExited: the process has ended.
var ErrExited = errors.New("the process ended")

// Process is a process, or what is left of it to be run again. Its methods fail the test T. One
// goroutine at a time controls it.
type Process struct {
	T    testing.TB // nil if it belongs to no test: then a failure panics
	Name string     // for messages

	cmd    *exec.Cmd
	exited chan struct{} // closed when cmd has been waited for
	log    tail
}

// Run starts cmd, whose output goes to the log, after those that ran before it.
func (p *Process) Run(cmd *exec.Cmd) error {
	p.log.begin()
	cmd.Stdout, cmd.Stderr = &p.log, &p.log
	cmd.SysProcAttr = dieWithParent()
	if err := cmd.Start(); err != nil {
		return err
	}
	exited := make(chan struct{})
	p.cmd, p.exited = cmd, exited
	go func() {
		_ = cmd.Wait() // how it ended is in ExitCode
		close(exited)
	}()
	return nil
}

// PID is the process id of what runs or ran last.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Log is the end of what was written, over all runs.
func (p *Process) Log() string { return p.log.String() }

// Exited is closed when the process has ended.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// ExitCode is how the process ended, -1 by a signal. It must have ended.
func (p *Process) ExitCode() int { return p.cmd.ProcessState.ExitCode() }

// Await waits until what the present run has written matches re, and returns the match and its groups.
// Errors: ErrExited, or that it took longer than within; both with the log.
func (p *Process) Await(re *regexp.Regexp, within time.Duration) ([]string, error) {
	late := time.NewTimer(within)
	defer late.Stop()
	for {
		if found := re.FindStringSubmatch(p.log.run()); found != nil {
			return found, nil
		}
		select {
		case <-p.log.more:
		case <-p.exited: // all it wrote has been read by then
			if found := re.FindStringSubmatch(p.log.run()); found != nil {
				return found, nil
			}
			return nil, fmt.Errorf("%s: %w before it wrote %q; its log:\n%s", p.Name, ErrExited, re, p.Log())
		case <-late.C:
			return nil, fmt.Errorf("%s did not write %q within %s; its log:\n%s", p.Name, re, within, p.Log())
		}
	}
}

// Running reports whether the process has been started and not ended.
func (p *Process) Running() bool {
	if p.exited == nil {
		return false
	}
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// Stop ends the process with SIGTERM, as an operator does, and waits for its end.
func (p *Process) Stop() {
	p.helper()
	p.Signal(syscall.SIGCONT) // a stopped process does not see SIGTERM
	p.Signal(syscall.SIGTERM)
	<-p.exited
}

// Kill ends the process with SIGKILL and waits for its end.
func (p *Process) Kill() {
	p.helper()
	p.Signal(syscall.SIGKILL)
	<-p.exited
}

// Pause stops the process (SIGSTOP): it does nothing and closes no connection until Resume.
func (p *Process) Pause() {
	p.helper()
	p.Signal(syscall.SIGSTOP)
}

// Resume lets a paused process go on, with what has arrived meanwhile first.
func (p *Process) Resume() {
	p.helper()
	p.Signal(syscall.SIGCONT)
}

// Signal sends sig to the process.
func (p *Process) Signal(sig os.Signal) {
	p.helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.Must(fmt.Errorf("sending %v to %s: %w", sig, p.Name, err))
	}
}

// Remove ends the process if it runs.
func (p *Process) Remove() {
	if p.Running() {
		_ = p.cmd.Process.Kill() // it may have ended just now
		<-p.exited
	}
}

// Must fails the test if err is not nil.
func (p *Process) Must(err error) {
	if err == nil {
		return
	}
	if p.T == nil {
		panic(err)
	}
	p.T.Helper()
	p.T.Fatal(err)
}

func (p *Process) helper() {
	if p.T != nil {
		p.T.Helper()
	}
}
