package lockd

import "sync"

// work counts what a client has under way, so that Close can wait for its end. Once it is closing no
// new acquisition begins; what gives leases back may still begin until nothing is left.
type work struct {
	mu      sync.Mutex
	running int
	closing bool
	done    chan struct{} // closed when closing and nothing runs any more
}

func newWork() *work { return &work{done: make(chan struct{})} }

// begin counts one more; the caller must call end. It reports false, and counts nothing, after close.
func (w *work) begin() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closing {
		return false
	}
	w.running++
	return true
}

// end takes back a begin.
func (w *work) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running--
	w.settle()
}

// join is begin for what gives leases back: it counts also while closing, and reports false only if
// everything has ended.
func (w *work) join() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closing && w.running == 0 {
		return false
	}
	w.running++
	return true
}

// spawn runs f on a goroutine of its own, if it may join.
func (w *work) spawn(f func()) bool {
	if !w.join() {
		return false
	}
	go func() {
		defer w.end()
		f()
	}()
	return true
}

// close lets nothing more begin. It reports whether this was the first call.
func (w *work) close() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closing {
		return false
	}
	w.closing = true
	w.running++ // the closing itself, so that spawn works until it calls end
	return true
}

func (w *work) settle() {
	if w.closing && w.running == 0 {
		close(w.done)
	}
}
