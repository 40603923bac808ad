package guard

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// terminal hands the foreground of the controlling terminal around. Its user ignores SIGTTOU. A nil
// terminal is none: nothing is taken and nothing given back.
type terminal struct {
	file  *os.File
	home  int // the caller's group: to be taken from and given back to nobody else
	taken bool
}

// openTerminal returns the controlling terminal or nil.
func openTerminal(home int) *terminal {
	file, err := os.OpenFile("/dev/tty", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil
	}
	return &terminal{file: file, home: home}
}

// take makes group the foreground if the caller's group is, and reports whether group now is.
func (t *terminal) take(group int) bool {
	if t == nil {
		return false
	}
	switch t.foreground() {
	case group:
		return true
	case t.home:
		t.taken = t.set(group) == nil
		return t.taken
	}
	return false
}

// giveBack gives the foreground to the caller's group if group has it, or a group of the command's
// making that has died. If anybody else has it, a shell has taken it back and moved on.
func (t *terminal) giveBack(group int) {
	if t == nil || !t.taken {
		return
	}
	t.taken = false
	if now := t.foreground(); now > 0 && (now == group || errors.Is(unix.Kill(-now, 0), unix.ESRCH)) {
		// It fails only if the terminal is gone, or home is: then there is nobody to give it to.
		_ = t.set(t.home)
	}
}

// foreground returns the group in the foreground, or 0 if the terminal is gone.
func (t *terminal) foreground() int {
	group, err := unix.IoctlGetInt(int(t.file.Fd()), unix.TIOCGPGRP)
	if err != nil {
		return 0
	}
	return group
}

func (t *terminal) set(group int) error {
	return unix.IoctlSetPointerInt(int(t.file.Fd()), unix.TIOCSPGRP, group)
}

// abandoned takes the foreground home from a group that has died and closes the terminal.
func (t *terminal) abandoned() {
	if t == nil {
		return
	}
	t.taken = true
	t.giveBack(0)
	t.file.Close()
}
