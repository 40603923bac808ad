package main

import (
	"os"
	"os/signal"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// fullScreen is a terminal that shows one text after another in the same place, and tells each key that is pressed. It is as it
// was before once it is closed.
//
// There is no library for it on purpose: what bubbletea needs for the widths of characters takes 40 ms at the start of every
// lockctl, and of the guard that "run" starts.
type fullScreen struct {
	out     *os.File
	keys    chan byte // closed when the terminal has gone
	resized chan os.Signal

	restore func()
	over    atomic.Bool
	reading sync.WaitGroup
}

const (
	keyCtrlC = 3
	// What every terminal since the VT100, or its emulator, understands: another screen to draw on, without a cursor.
	enterScreen = "\x1b[?1049h\x1b[?25l"
	leaveScreen = "\x1b[?25h\x1b[?1049l"
	home        = "\x1b[H"
	restOfLine  = "\x1b[K"
	restBelow   = "\x1b[J"
	// lookForEnd is how often who waits for a key looks whether it is over, in ms.
	lookForEnd = 50
)

func openFullScreen(in, out *os.File) (*fullScreen, error) {
	before, err := term.MakeRaw(int(in.Fd()))
	if err != nil {
		return nil, err
	}
	s := &fullScreen{out: out, keys: make(chan byte), resized: make(chan os.Signal, 1)}
	// It fails only if the terminal is gone.
	s.restore = func() { _ = term.Restore(int(in.Fd()), before) }
	signal.Notify(s.resized, unix.SIGWINCH)
	s.reading.Go(func() { s.read(in) })
	if _, err = out.WriteString(enterScreen); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// close gives the terminal back.
func (s *fullScreen) close() {
	s.over.Store(true)
	signal.Stop(s.resized)
	for range s.keys { // who reads may have one to tell
	}
	s.reading.Wait()
	_, _ = s.out.WriteString(leaveScreen)
	s.restore()
}

// read tells keys until it is over or the terminal has gone. It never waits in a read, which nothing would end.
func (s *fullScreen) read(in *os.File) {
	defer close(s.keys)
	fds := []unix.PollFd{{Fd: int32(in.Fd()), Events: unix.POLLIN}}
	for !s.over.Load() {
		n, err := unix.Poll(fds, lookForEnd)
		if n == 0 || err == unix.EINTR {
			continue
		}
		var key [1]byte
		if n, err := unix.Read(int(in.Fd()), key[:]); n != 1 || err != nil {
			return
		}
		s.keys <- key[0]
	}
}

// size is how many columns and lines there are, or are taken to be if the terminal does not say.
func (s *fullScreen) size() (columns, lines int) {
	columns, lines, err := term.GetSize(int(s.out.Fd()))
	if err != nil || columns <= 0 || lines <= 0 {
		return someColumns, someLines
	}
	return columns, lines
}

// someLines is how high a terminal is taken to be that does not say.
const someLines = 24

// draw shows text, lines of which none is longer than the screen is wide, in place of what was there.
func (s *fullScreen) draw(text string) error {
	lines := strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", restOfLine+"\r\n")
	_, err := s.out.WriteString(home + lines + restOfLine + restBelow)
	return err
}
