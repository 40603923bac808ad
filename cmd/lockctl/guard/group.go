package guard

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// state is what the leader of a group has done since the last look.
type state int

const (
	running state = iota
	stopped
	ended
)

// exitCode is the code by which a shell would report how a process ended.
func exitCode(status syscall.WaitStatus) int {
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}

// signal reaches everybody in the group. The leader is reaped last, so that the group's number is not
// another's. It fails only where the group has ended or may not be signalled; killAll reports the latter.
func (g *group) signal(sig syscall.Signal) {
	_ = unix.Kill(-g.leader, sig)
}
