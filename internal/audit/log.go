// Package audit keeps the record of who was granted and refused what, who ended another's lease, and what settings were
// changed: lines of JSON, one each, at the end of a file or on a stream.
//
// Noting never waits and never fails, so a disk that is full or slow holds nobody up: what cannot be written is kept, up to
// 16 384 records, and tried again each second; what comes beyond that is lost, and a record says how many were.
// So the record is complete as long as it has no such line; it is no reason to refuse service. What was noted
// in the last 10 ms before a crash of lockd is missing, and before one of the machine what the system had
// not written yet.
package audit

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

const (
	// maxQueued bounds the records that wait to be written, some 4 MiB.
	maxQueued = 16 << 10
	// maxKept bounds the room for lines that is kept to be used again, in bytes.
	maxKept = 256 << 10
	// gather is how long the first record waits for others: one write takes them all.
	gather = 10 * time.Millisecond
	// again is when what could not be written is tried again; silence, how often at most it is said.
	again   = time.Second
	silence = 10 * time.Second
)

// Stderr is the path of standard error.
const Stderr = "stderr"

// Log is where records go. It is safe for concurrent use. A nil Log takes none.
type Log struct {
	path   string
	notice func(error)
	wake   chan struct{} // has room for one
	ending chan struct{}
	ended  chan struct{}

	mu    sync.Mutex
	queue []Record
	lost  int      // since the last record that was taken
	next  *os.File // to go on with; nil: as before

	// The writer's own.
	file   *os.File
	unsent []byte // whole lines, but for the first one's beginning
	torn   bool   // the file ends within a line
	said   time.Time
}

// Open returns a Log that appends to the file at path, which only its owner may read if it has to be made, or to standard
// error. notice is told, every ten seconds at most, that it cannot be written; it is called by one goroutine. Close it.
func Open(path string, notice func(error)) (*Log, error) {
	l := &Log{path: path, notice: notice, wake: make(chan struct{}, 1), ending: make(chan struct{}), ended: make(chan struct{})}
	var err error
	if l.file, err = l.open(); err != nil {
		return nil, err
	}
	go l.write()
	return l, nil
}

func (l *Log) open() (*os.File, error) {
	if l.path == Stderr {
		return os.Stderr, nil
	}
	file, err := os.OpenFile(l.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("audit log: %w", err)
	}
	return file, nil
}

func closeFile(file *os.File) error {
	if file == os.Stderr {
		return nil
	}
	return file.Close()
}

// Note takes a record. If the time is not set, it is now.
func (l *Log) Note(r Record) {
	if l == nil {
		return
	}
	if r.At.IsZero() {
		r.At = time.Now()
	}
	l.mu.Lock()
	first := len(l.queue) == 0
	if len(l.queue) >= maxQueued {
		l.lost++
	} else {
		l.queue = append(l.queue, r)
	}
	l.mu.Unlock()
	if first {
		l.signal()
	}
}

func (l *Log) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Reopen opens the file anew, for who has moved it away. What was noted before may still go to the old one. After an
// error it goes on with the old one.
func (l *Log) Reopen() error {
	if l == nil {
		return nil
	}
	file, err := l.open()
	if err != nil {
		return err
	}
	l.mu.Lock()
	if l.next != nil { // nobody has written since
		_ = closeFile(l.next)
	}
	l.next = file
	l.mu.Unlock()
	l.signal()
	return nil
}

// Close writes what was noted, tries once, and closes the file. It says how many records are lost. No method may be
// under way.
func (l *Log) Close() error {
	if l == nil {
		return nil
	}
	close(l.ending)
	<-l.ended
	l.mu.Lock()
	defer l.mu.Unlock()
	left := len(l.queue) + l.lost
	for _, c := range l.unsent {
		if c == '\n' {
			left++
		}
	}
	var lost error
	if left > 0 {
		lost = fmt.Errorf("audit log: %d records could not be written and are lost", left)
	}
	if l.file != os.Stderr {
		lost = errors.Join(lost, l.file.Sync())
	}
	return errors.Join(lost, closeFile(l.file))
}

// write is the goroutine that writes.
func (l *Log) write() {
	defer close(l.ended)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-l.wake:
		case <-timer.C: // at the first time for nothing
		case <-l.ending:
			_ = l.flush()
			return
		}
		pause := gather
		if len(l.unsent) > 0 {
			pause = 0 // it has waited for long
		}
		timer.Reset(pause)
		select {
		case <-timer.C:
		case <-l.ending:
		}
		if err := l.flush(); err != nil {
			l.complain(err)
			timer.Reset(again)
		}
	}
}

// flush writes all that there is.
func (l *Log) flush() error {
	l.mu.Lock()
	if l.next != nil {
		_ = closeFile(l.file) // whatever it says, nothing more goes there
		l.file, l.next, l.torn = l.next, nil, false
	}
	l.mu.Unlock()
	for {
		if len(l.unsent) == 0 {
			l.take()
		}
		if len(l.unsent) == 0 {
			return nil
		}
		if l.torn { // the line that was begun stands alone, and is written again whole
			if _, err := l.file.Write([]byte{'\n'}); err != nil {
				return err
			}
			l.torn = false
		}
		n, err := l.file.Write(l.unsent)
		if err != nil {
			l.unsent, l.torn = rest(l.unsent, n)
			return err
		}
		if l.unsent = l.unsent[:0]; cap(l.unsent) > maxKept {
			l.unsent = nil
		}
	}
}

// rest answers what of lines is left when n bytes are written, from the beginning of the line that was not
// written whole, and whether a part of that was.
func rest(lines []byte, n int) (left []byte, torn bool) {
	whole := n
	for whole > 0 && lines[whole-1] != '\n' {
		whole--
	}
	return lines[whole:], whole < n
}

// take makes lines of what is queued.
func (l *Log) take() {
	l.mu.Lock()
	queue, lost := l.queue, l.lost
	l.queue, l.lost = nil, 0
	l.mu.Unlock()
	for i := range queue {
		l.unsent = queue[i].appendTo(l.unsent)
	}
	if lost > 0 {
		gap := Record{At: time.Now(), What: "audit", Outcome: "lost", Why: fmt.Sprintf("%d records are missing here: they could not be written in time", lost)}
		l.unsent = gap.appendTo(l.unsent)
	}
}

func (l *Log) complain(err error) {
	if time.Since(l.said) < silence {
		return
	}
	l.said = time.Now()
	l.mu.Lock()
	queued, lost := len(l.queue), l.lost
	l.mu.Unlock()
	l.notice(fmt.Errorf("audit log cannot be written: %w; more than %d records wait, %d are lost", err, queued, lost))
}
