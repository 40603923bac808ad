package rpc

import "sync"

// sessions knows the sessions of a server, so that Shutdown can tell them.
type sessions struct {
	// tails are reads and writes of sessions, which can outlive their handler by a moment.
	tails sync.WaitGroup

	mu       sync.Mutex
	open     map[*session]struct{}
	draining bool
	none     chan struct{} // closed when draining and none is open
}

func newSessions() *sessions {
	return &sessions{open: make(map[*session]struct{}), none: make(chan struct{})}
}

// enter takes x in; one that comes while draining is told at once.
func (s *sessions) enter(x *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[x] = struct{}{}
	if s.draining {
		x.drain()
	}
}

func (s *sessions) leave(x *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, x)
	s.closeIfNoneLocked()
}

// drain has every session say that the server is going away, and answers a channel that is closed when
// none is open any more. Call it once.
func (s *sessions) drain() (none <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.draining = true
	for x := range s.open {
		x.drain()
	}
	s.closeIfNoneLocked()
	return s.none
}

func (s *sessions) closeIfNoneLocked() {
	if !s.draining || len(s.open) > 0 {
		return
	}
	select {
	case <-s.none: // already
	default:
		close(s.none)
	}
}
