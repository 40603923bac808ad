package guard

import (
	"syscall"
	"time"
)

// task is the first message to the guard: what to run.
type task struct {
	Path   string
	Args   []string
	Linger time.Duration
	Home   int  // the caller's process group, to which the terminal belongs
	Eager  bool // take the terminal at the start instead of on demand
}

// order is every later message to the guard. Its zero fields say nothing.
type order struct {
	Until    int64 // on bootClock; the command may run until then
	Forever  bool  // no such moment: the command may run on, unless the caller dies
	Signal   syscall.Signal
	Continue bool
}

// Kind says what an Event reports.
type Kind int

// The kinds of events, with the meaning of Event.Number.
const (
	// Started: the command runs. Number is its process id and that of its group.
	Started Kind = iota + 1
	// NotStarted: the command could not be started, the guard has ended. Number is the errno;
	// ETIMEDOUT: it was too late to.
	NotStarted
	// Stopped: job control has stopped the command, and the terminal was given back; call Continue to
	// let it go on. Number is the signal.
	Stopped
	// LeftBehind: the command has ended, and Command.Linger later Number processes are left in its group.
	// They get SIGTERM now and, after another Linger, SIGKILL.
	LeftBehind
	// Killing: the moment has come, everything gets SIGKILL. Number is 0.
	Killing
	// Stuck: SIGKILL does not reach a process. Number is its id.
	Stuck
	// Ended: the command and its group are gone, the guard too. Number is the exit code, 128+n for a signal.
	Ended
)

// Event is what the guard reports.
type Event struct {
	Kind   Kind
	Number int
}
