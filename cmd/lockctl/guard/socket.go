package guard

import (
	"fmt"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// For whoever has found the hidden argument: what they are told, and the exit code.
const (
	usage  = 64
	byHand = "this is started by lockctl run, not by hand"
)

// socketPair returns the two ends of a socket. No program started inherits either, unless bequeath says so.
func socketPair() (ours, theirs *os.File, err error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	unix.CloseOnExec(fds[0])
	unix.CloseOnExec(fds[1])
	return os.NewFile(uintptr(fds[0]), "guard"), os.NewFile(uintptr(fds[1]), "caller"), nil
}

// bequeath has the programs started from now on inherit the socket, and returns how to tell one of them
// which it is. It keeps its number rather than becoming descriptor 3, which the command may have inherited
// from the caller's own parent.
func bequeath(socket *os.File) (number string, err error) {
	fd := socket.Fd()
	_, err = unix.FcntlInt(fd, unix.F_SETFD, 0)
	return strconv.Itoa(int(fd)), err
}

// inherit opens the socket that was bequeathed, which goes no further. False, said on standard error, is
// that there is none: somebody tries the hidden argument by hand.
func inherit(number string) (*os.File, bool) {
	fd, err := strconv.Atoi(number)
	if err != nil {
		fmt.Fprintln(os.Stderr, byHand)
		return nil, false
	}
	unix.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), "inherited"), true
}
