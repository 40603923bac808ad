package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
)

// A crew is the processes of a demo: lockd and the workers. None of them outlives dismiss.
type crew struct {
	ctx    context.Context // its end kills them all
	kill   context.CancelFunc
	alive  sync.WaitGroup
	events chan Event // what the workers report
	fault  chan error // from whoever ended badly
}

func newCrew(ctx context.Context) *crew {
	c := &crew{events: make(chan Event), fault: make(chan error, 1)}
	c.ctx, c.kill = context.WithCancel(ctx)
	return c
}

// dismiss kills every process that is left, stopped ones too, and waits for their ends.
func (c *crew) dismiss() {
	c.kill()
	c.alive.Wait()
}

// A member is one process.
type member struct {
	*exec.Cmd
	name  string
	stdin io.Closer
}

// A keeper keeps what is written to it.
type keeper interface {
	io.Writer
	fmt.Stringer
}

// start starts a process in a process group of its own: ctrl-C is for the demo, which then ends the
// others by their pids. listen gets stdout and returns when that ends; stderr is shown if the process
// ends badly.
func (c *crew) start(name, program string, args []string, stderr keeper, listen func(io.Reader) error) (*member, error) {
	cmd := exec.CommandContext(c.ctx, program, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Stderr = stderr
	stdin, inErr := cmd.StdinPipe()
	stdout, outErr := cmd.StdoutPipe()
	if err := errors.Join(inErr, outErr, cmd.Start()); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	c.alive.Go(func() {
		err := listen(stdout)
		if err = errors.Join(err, cmd.Wait()); err != nil {
			c.report(fmt.Errorf("%s (pid %d) ended: %w\n%s", name, cmd.Process.Pid, err, strings.TrimSpace(stderr.String())))
		}
	})
	return &member{cmd, name, stdin}, nil
}

// report keeps the first fault: what comes after it is its consequence.
func (c *crew) report(err error) {
	select {
	case c.fault <- err:
	default:
	}
}

// startServer starts lockd with nothing configured, that is in memory, on free ports, and returns
// its address once it serves.
func (c *crew) startServer(program string) (*member, string, error) {
	log := &readyLog{address: make(chan string, 1)}
	drain := func(stdout io.Reader) error {
		_, _ = io.Copy(io.Discard, stdout) // until its end, which is lockd's
		return errors.New("the demo still needs it")
	}
	args := []string{"--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--log-format", "console"}
	server, err := c.start("lockd", program, args, log, drain)
	if err != nil {
		return nil, "", err
	}
	select {
	case address := <-log.address:
		return server, address, nil
	case err := <-c.fault:
		return nil, "", err
	case <-c.ctx.Done():
		return nil, "", fmt.Errorf("waiting for lockd to serve: %w\n%s", context.Cause(c.ctx), log)
	}
}

// startWorker starts a worker, whose events come out of c.events.
func (c *crew) startWorker(name, program string, args ...string) (*member, error) {
	return c.start(name, program, args, &bytes.Buffer{}, func(stdout io.Reader) error {
		for events := json.NewDecoder(stdout); ; {
			var e Event
			switch err := events.Decode(&e); {
			case err == io.EOF:
				return nil
			case err != nil:
				return fmt.Errorf("read its events: %w", err)
			}
			select {
			case c.events <- e:
			case <-c.ctx.Done():
				return nil
			}
		}
	})
}

// stop stops m where it stands, as a long pause of its machine would, and returns once it has
// stopped. Nothing of m runs until resume.
func (m *member) stop() error {
	if err := m.Process.Signal(syscall.SIGSTOP); err != nil {
		return fmt.Errorf("stop %s: %w", m.name, err)
	}
	for {
		var status syscall.WaitStatus
		switch _, err := syscall.Wait4(m.Process.Pid, &status, syscall.WUNTRACED, nil); {
		case err == syscall.EINTR:
		case err != nil:
			return fmt.Errorf("stop %s: %w", m.name, err)
		case !status.Stopped():
			return fmt.Errorf("stop %s: it ended instead", m.name)
		default:
			return nil
		}
	}
}

// resume lets m run on.
func (m *member) resume() error {
	if err := m.Process.Signal(syscall.SIGCONT); err != nil {
		return fmt.Errorf("resume %s: %w", m.name, err)
	}
	return nil
}

// A readyLog keeps lockd's log and picks its address out of the line that says it serves.
type readyLog struct {
	address chan string // room for one

	mu   sync.Mutex
	text []byte
	told bool
}

var readyLine = regexp.MustCompile(`\bmsg=serving grpc=(\S+).*\n`)

func (l *readyLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	if found := readyLine.FindSubmatch(l.text); found != nil && !l.told {
		l.told = true
		l.address <- string(found[1])
	}
	return len(p), nil
}

func (l *readyLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text)
}
