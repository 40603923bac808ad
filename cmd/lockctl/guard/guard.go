package guard

import (
	"encoding/gob"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// argument is what makes the program a guard instead of what it otherwise is.
const argument = "guard-of-a-command"

// sendTimeout bounds a message to a guard that does not read: it is taken for dead then.
const sendTimeout = time.Second

// Command is what to run.
type Command struct {
	Path string   // the file, already looked up
	Args []string // including the name, like os.Args
	Env  []string // of two values for a name the last one counts
	// Linger is how long what the command leaves in its group has to end by itself, and then how long
	// between SIGTERM and SIGKILL.
	Linger time.Duration
}

// Guard is the caller's end. Its methods may be called from one goroutine at a time.
type Guard struct {
	process *exec.Cmd
	conn    net.Conn
	out     *gob.Encoder
	events  chan Event
	spared  []int // children that this process had before, from an exec in a shell
}

// Start starts a guard and has it start the command, with the caller's standard files, directory and
// inherited descriptors. Until is when the command may no longer run; the zero time: never. What
// became of it is the first event.
//
// If standard input and output are the terminal and the caller is in its foreground, the command
// gets the foreground; otherwise only when it stops for want of it, so that in "run … | less" the
// pager keeps the keyboard.
func Start(c Command, until time.Time) (*Guard, error) {
	spared := children()
	adopt()
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	conn, err := net.FileConn(ours)
	ours.Close()
	if err != nil {
		return nil, err
	}
	process, err := launch(c.Env, theirs)
	if err != nil {
		conn.Close()
		return nil, err
	}
	g := &Guard{process: process, conn: conn, out: gob.NewEncoder(conn), events: make(chan Event, 16), spared: spared}
	go g.read()
	first := task{Path: c.Path, Args: c.Args, Linger: c.Linger, Home: unix.Getpgrp(), Eager: inForeground()}
	if err := g.send(first); err != nil {
		g.Abandon()
		return nil, err
	}
	if err := g.Until(until); err != nil {
		g.Abandon()
		return nil, err
	}
	return g, nil
}

// launch starts this program again as a guard.
func launch(env []string, socket *os.File) (*exec.Cmd, error) {
	self, err := executable()
	if err != nil {
		return nil, err
	}
	number, err := bequeath(socket)
	if err != nil {
		return nil, err
	}
	process := &exec.Cmd{
		Path: self, Args: []string{os.Args[0], argument, number}, Env: env,
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true},
	}
	if err := process.Start(); err != nil {
		return nil, fmt.Errorf("the guard cannot be started: %w", err)
	}
	return process, nil
}

// inForeground reports whether the terminal is the caller's to give away.
func inForeground() bool {
	if !term.IsTerminal(unix.Stdin) || !term.IsTerminal(unix.Stdout) {
		return false
	}
	group, err := unix.IoctlGetInt(unix.Stdin, unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}

// read hands on what the guard reports until the guard is gone, and waits for its end.
func (g *Guard) read() {
	defer close(g.events)
	defer g.process.Wait() // how it ended says nothing that the events do not
	in := gob.NewDecoder(g.conn)
	for {
		var event Event
		if in.Decode(&event) != nil {
			return
		}
		g.events <- event
	}
}

// Events yields what the guard reports. It is closed when the guard is gone: after NotStarted or
// Ended, or because it died; then call Abandon.
func (g *Guard) Events() <-chan Event { return g.events }

// Until moves the moment when everything of the command is killed; the zero time: never. The moment is
// passed on as the caller's clock sees it now, and as a clock that goes on while the machine is suspended.
func (g *Guard) Until(t time.Time) error {
	if t.IsZero() {
		return g.send(order{Forever: true})
	}
	now := bootClock() // read first: too early is safe
	return g.send(order{Until: now + int64(time.Until(t))})
}

// Signal sends a signal to the command's group.
func (g *Guard) Signal(sig syscall.Signal) error { return g.send(order{Signal: sig}) }

// Continue lets a stopped command go on, in the foreground if that is the caller's and was the command's.
func (g *Guard) Continue() error { return g.send(order{Continue: true}) }

func (g *Guard) send(message any) error {
	if err := g.conn.SetWriteDeadline(time.Now().Add(sendTimeout)); err != nil {
		return err
	}
	return g.out.Encode(message)
}

// Abandon kills the guard, if it still lives, and everything of the command, and waits for their
// end. It returns the id of a process that SIGKILL did not reach within a second, or 0.
func (g *Guard) Abandon() (stuck int) {
	g.process.Process.Kill()
	for range g.events { // until the guard is reaped and its children are ours
	}
	g.conn.Close()
	stuck = killOrphans(g.spared)
	signal.Ignore(unix.SIGTTOU)
	defer signal.Reset(unix.SIGTTOU)
	t := openTerminal(unix.Getpgrp())
	t.abandoned()
	return stuck
}

// Close gives up the caller's end after the last event.
func (g *Guard) Close() error { return g.conn.Close() }
