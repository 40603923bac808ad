package guard

import (
	"os"
	"slices"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// group is the command with all its descendants.
type group struct {
	leader int // also the group's number; reaped by reap alone
}

// executable is this program, also after its file was replaced.
func executable() (string, error) { return "/proc/self/exe", nil }

// bootClock is a clock in nanoseconds that all processes share and that goes on while the machine is suspended.
func bootClock() int64 {
	var now unix.Timespec
	// It fails only for a clock or an address that does not exist.
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &now)
	return now.Nano()
}

// adopt makes orphans among this process's descendants its children.
func adopt() {
	// Without it (before Linux 3.4) the group alone is killed, as on other systems.
	_ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
}

// dieWithParent has the calling thread's process killed when its parent dies, also after an exec in this
// thread.
func dieWithParent() {
	// It fails only for a signal that does not exist.
	_ = unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0)
}

// spawn starts a command as the leader of a new group, to be killed if the calling thread dies.
func spawn(path string, args []string) (leader int, err error) {
	return syscall.ForkExec(path, args, &syscall.ProcAttr{
		Env: os.Environ(), Files: []uintptr{0, 1, 2},
		Sys: &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL},
	})
}

// look reaps adopted orphans and reports what the leader has done; with stopped comes the signal.
func (g *group) look() (state, syscall.Signal) {
	for {
		child, ok := waitid(unix.P_ALL, 0, unix.WEXITED|unix.WNOWAIT)
		if !ok {
			break
		}
		if child.pid() == g.leader {
			return ended, 0
		}
		reap(child.pid())
	}
	if child, ok := waitid(unix.P_PID, g.leader, unix.WSTOPPED); ok {
		return stopped, syscall.Signal(child.fields.status)
	}
	return running, 0
}

// others counts the living in the group besides the leader, and reaps the dead.
func (g *group) others() (n int) {
	for p := range processes() {
		switch {
		case p.pid == g.leader:
		case p.parent == os.Getpid() && p.dead:
			reap(p.pid)
		case p.group == g.leader && !p.dead:
			n++
		}
	}
	return n
}

// killAll kills the group and every other child; theirs become ours and are for the next call. It
// returns one of those that are still there, or 0.
func (g *group) killAll() (stuck int) {
	g.signal(unix.SIGKILL)
	for p := range ourChildren() {
		switch {
		case p.pid != g.leader:
			if !killChild(p.pid) {
				stuck = p.pid
			}
		case !p.dead:
			stuck = p.pid
		}
	}
	return stuck
}

// reap takes the leader's exit code after its end.
func (g *group) reap() int {
	var status syscall.WaitStatus
	for {
		if _, err := syscall.Wait4(g.leader, &status, 0, nil); err != syscall.EINTR {
			return exitCode(status)
		}
	}
}

// killOrphans kills all descendants of this process but spared ones and theirs, as far as they can
// be killed within a second. It returns one that could not, or 0.
func killOrphans(spared []int) (stuck int) {
	look := time.NewTicker(lookKilling)
	defer look.Stop()
	for until := time.Now().Add(stuckAfter); time.Now().Before(until); <-look.C {
		stuck = 0
		idle := true
		for p := range ourChildren() {
			if slices.Contains(spared, p.pid) {
				continue
			}
			idle = false // even if it is reaped now: its children become ours
			if !killChild(p.pid) {
				stuck = p.pid
			}
		}
		if idle {
			return 0
		}
	}
	return stuck
}

// children lists the children of this process.
func children() (pids []int) {
	for p := range ourChildren() {
		pids = append(pids, p.pid)
	}
	return pids
}

// killChild kills a child of this process and reports whether it is dead and reaped. It cannot have
// been replaced by another: nobody else reaps it.
func killChild(pid int) bool {
	_ = unix.Kill(pid, unix.SIGKILL) // a refusal shows in its being there
	return reap(pid)
}

// reap reports whether a child had ended and is reaped.
func reap(pid int) bool {
	got, err := unix.Wait4(pid, nil, unix.WNOHANG, nil)
	return got == pid || err == unix.ECHILD
}

// childInfo is what the kernel writes into a siginfo_t about a child.
type childInfo struct {
	_      [3]int32
	fields struct {
		_      [0]uintptr // a union, aligned like a pointer
		pid    int32
		_      uint32
		status int32
	}
}

func (c childInfo) pid() int { return int(c.fields.pid) }

// waitid asks for a child that has changed, without waiting for one.
func waitid(kind, id, options int) (childInfo, bool) {
	var info unix.Siginfo
	for {
		switch err := unix.Waitid(kind, id, &info, options|unix.WNOHANG, nil); err {
		case unix.EINTR:
		case nil:
			child := *(*childInfo)(unsafe.Pointer(&info))
			return child, child.pid() != 0
		default:
			return childInfo{}, false
		}
	}
}
