package guard

import (
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// standIn is a process, the same program again, that leads the command's group and becomes the command
// when it is told to. Until then the group can be given the terminal, so that even the first thing the
// command does finds it there. The kernel has no other way: a new group is in the background, and
// a process of it that takes the foreground itself must block or ignore SIGTTOU, which the command
// would inherit.
type standIn struct {
	leader int
	socket *os.File
}

// startStandIn returns when the stand-in is ready, or has been killed.
func startStandIn(path string, args []string) (*standIn, error) {
	self, err := executable()
	if err != nil {
		return nil, err
	}
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	number, err := bequeath(theirs)
	if err != nil {
		ours.Close()
		return nil, err
	}
	leader, err := spawn(self, append([]string{os.Args[0], argument, number, path}, args...))
	if err != nil {
		ours.Close()
		return nil, err
	}
	theirs.Close() // or its end would not be seen
	s := &standIn{leader: leader, socket: ours}
	_, _ = s.hear() // nothing is heard of one that was killed: become finds the same
	return s, nil
}

// become turns the stand-in into the command and returns why that failed. One that was killed before,
// by ctrl-C for example, counts as a command that was.
func (s *standIn) become() error {
	defer s.socket.Close()
	if _, err := s.socket.Write([]byte{0}); err != nil {
		return nil
	}
	if errno, ok := s.hear(); ok {
		// It ends by itself. There is nothing to learn from how.
		_, _ = unix.Wait4(s.leader, nil, 0, nil)
		return errno
	}
	return nil // the socket was closed by exec
}

// hear returns the stand-in's next word, or false if there is none to come.
func (s *standIn) hear() (syscall.Errno, bool) {
	word := make([]byte, 1)
	n, _ := s.socket.Read(word) // an error is its end as well
	return syscall.Errno(word[0]), n == 1
}

// stand is the stand-in's own side. It returns an exit code only if it has not become the command.
func stand(args []string) int {
	// What has the command die with the guard belongs to the thread that becomes it.
	runtime.LockOSThread()
	dieWithParent()
	socket, ok := inherit(args[2])
	if !ok {
		return usage
	}
	// Stopped in the midst of it we would keep the guard waiting, and SIGQUIT would print this program's
	// stack. Exec puts both back.
	for _, sig := range []os.Signal{unix.SIGTSTP, unix.SIGQUIT} {
		if !signal.Ignored(sig) {
			signal.Notify(make(chan os.Signal, 1), sig)
		}
	}
	word := []byte{0}
	if _, err := socket.Write(word); err != nil {
		return 1
	}
	if n, _ := socket.Read(word); n == 0 {
		return 1 // the guard is gone
	}
	word[0] = byte(errnoOf(unix.Exec(args[3], args[4:], os.Environ())))
	_, _ = socket.Write(word) // if nobody reads it nobody asks
	return 1
}
