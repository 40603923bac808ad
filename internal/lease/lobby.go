package lease

import "sync"

// maxAsking bounds the acquisitions under way in a process, those in line included: some hundred MiB.
const maxAsking = 200_000

// lobby knows everybody whose acquisition is under way, so that Drain finds them.
type lobby struct {
	mu       sync.Mutex
	asking   map[*Asking]struct{}
	draining bool
}

func newLobby() *lobby { return &lobby{asking: make(map[*Asking]struct{})} }

// enter takes a in, unless there are too many or it is closed.
func (l *lobby) enter(a *Asking) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.asking) >= maxAsking {
		return ErrOverloaded
	}
	l.asking[a] = struct{}{}
	return nil
}

func (l *lobby) leave(a *Asking) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.asking, a)
}

// close lets nobody wait any more and answers who is under way.
func (l *lobby) close() []*Asking {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.draining = true
	under := make([]*Asking, 0, len(l.asking))
	for a := range l.asking {
		under = append(under, a)
	}
	return under
}

func (l *lobby) closed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.draining
}
