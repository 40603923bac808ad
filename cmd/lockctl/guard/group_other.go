//go:build !linux

package guard

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// group is the command with what stays in its process group.
type group struct {
	leader int // also the group's number
	reaped bool
	status syscall.WaitStatus
}

func executable() (string, error) { return os.Executable() }

// bootClock is a clock in nanoseconds that all processes share; on darwin it goes on while the
// machine is suspended.
func bootClock() int64 {
	var now unix.Timespec
	// It fails only for a clock or an address that does not exist.
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now)
	return now.Nano()
}

// adopt does nothing: there are no subreapers here.
func adopt() {}

// dieWithParent does nothing: a parent's death is not heard of here.
func dieWithParent() {}

// spawn starts a command as the leader of a new group.
func spawn(path string, args []string) (leader int, err error) {
	return syscall.ForkExec(path, args, &syscall.ProcAttr{
		Env: os.Environ(), Files: []uintptr{0, 1, 2}, Sys: &syscall.SysProcAttr{Setpgid: true},
	})
}

// look reports what the leader has done; with stopped comes the signal. It reaps the leader: here
// the group's number is safe as long as somebody is left in it, and others asks for that first.
func (g *group) look() (state, syscall.Signal) {
	pid, err := syscall.Wait4(g.leader, &g.status, syscall.WNOHANG|syscall.WUNTRACED, nil)
	switch {
	case err == syscall.ECHILD || pid == g.leader && !g.status.Stopped():
		g.reaped = true
		return ended, 0
	case pid == g.leader:
		return stopped, g.status.StopSignal()
	}
	return running, 0
}

// others is 1 if anybody but the leader is left in the group, else 0.
func (g *group) others() int {
	if !g.reaped || unix.Kill(-g.leader, 0) == unix.ESRCH {
		return 0
	}
	return 1
}

// killAll kills the group and returns the leader's id while anybody is left in it, or 0.
func (g *group) killAll() (stuck int) {
	if g.reaped && g.others() == 0 {
		return 0
	}
	g.signal(unix.SIGKILL)
	return g.leader
}

func (g *group) reap() int { return exitCode(g.status) }

// killOrphans does nothing: nobody's children become ours here.
func killOrphans([]int) (stuck int) { return 0 }

func children() []int { return nil }
