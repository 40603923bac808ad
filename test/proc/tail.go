package proc

import "sync"

// tailBytes is how much of a log is worth showing.
const tailBytes = 16 << 10

// tail is a writer that keeps the end of what is written to it. Safe for concurrent use.
type tail struct {
	mu    sync.Mutex
	buf   []byte
	start int           // in buf, of what the present run wrote
	more  chan struct{} // holds a value when something has been written; made by begin
}

// begin starts a new run: what was written before stays in the log.
func (t *tail) begin() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.start = len(t.buf)
	t.more = make(chan struct{}, 1)
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	if over := len(t.buf) - tailBytes; over > 0 {
		t.buf = append(t.buf[:0], t.buf[over:]...)
		t.start = max(0, t.start-over)
	}
	select {
	case t.more <- struct{}{}:
	default:
	}
	return len(p), nil
}

// String is the end of all runs.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.buf)
}

// run is the end of what the present run wrote.
func (t *tail) run() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.buf[t.start:])
}
