// Package child runs a part of the bench in a process of its own, so that what that process uses can be told
// from what everybody else does. The program starts itself; an order says what the new process is for.
package child

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/lockd/lockd/test/history"
)

// variable makes the program a child; its value is a message.
const variable = "LOCKD_BENCH_CHILD"

// within bounds how long a child may take to be ready, and to end when its window has.
const within = 60 * time.Second

// message is what a child is started with.
type message struct {
	Role  string
	Order json.RawMessage
}

// Window is when to work and what counts, on the clock of history.Now, which all processes share.
type Window struct{ Begin, From, To int64 }

// NewWindow begins in a moment; what happens in the first warmUp does not count.
func NewWindow(warmUp, measure time.Duration) Window {
	begin := history.Now() + int64(50*time.Millisecond)
	return Window{begin, begin + int64(warmUp), begin + int64(warmUp+measure)}
}

// Contains reports whether something that happened then counts.
func (w Window) Contains(at int64) bool { return w.From <= at && at < w.To }

// Length is how long what counts goes on.
func (w Window) Length() time.Duration { return time.Duration(w.To - w.From) }

// SleepUntil waits for a time of that clock.
func SleepUntil(at int64) { time.Sleep(time.Duration(at - history.Now())) }

// Process is a child.
type Process struct {
	role   string
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout *bufio.Reader
	waited bool
}

// Command is what starts one.
func Command(role string, order any) (*exec.Cmd, error) {
	text, err := json.Marshal(order)
	if err != nil {
		return nil, err
	}
	if text, err = json.Marshal(message{role, text}); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), variable+"="+string(text))
	return cmd, nil
}

// Start starts one. End must follow.
func Start(role string, order any) (*Process, error) {
	cmd, err := Command(role, order)
	if err != nil {
		return nil, err
	}
	p := &Process{role: role, cmd: cmd}
	p.cmd.Stderr = os.Stderr
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.stdout = bufio.NewReader(out)
	return p, p.cmd.Start()
}

// PID is the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Ready waits until the child says that it is. One that takes too long is killed.
func (p *Process) Ready() error {
	late := time.AfterFunc(within, func() { _ = p.cmd.Process.Kill() })
	defer late.Stop()
	if _, err := p.stdout.ReadString('\n'); err != nil {
		return fmt.Errorf("%s did not become ready: %w", p.role, errors.Join(err, p.wait()))
	}
	return nil
}

// Tell tells the child when to work.
func (p *Process) Tell(w Window) error {
	text, err := json.Marshal(w)
	if err == nil {
		_, err = p.stdin.Write(append(text, '\n'))
	}
	return err
}

// Result waits for the child's end, which comes after its window, and decodes what it tells of it.
func (p *Process) Result(into any) error {
	late := time.AfterFunc(within, func() { _ = p.cmd.Process.Kill() })
	defer late.Stop()
	text, err := io.ReadAll(p.stdout)
	if err = errors.Join(err, p.wait()); err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

func (p *Process) wait() error {
	p.waited = true
	late := time.AfterFunc(within, func() { _ = p.cmd.Process.Kill() })
	defer late.Stop()
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("child process for %s: %w", p.role, err)
	}
	return nil
}

// End kills what has not been waited for.
func (p *Process) End() {
	if !p.waited && p.cmd.Process != nil {
		_ = p.cmd.Process.Kill()
		_ = p.wait()
	}
}
