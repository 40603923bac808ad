package lease

import "sync"

// maxAsking bounds the acquisitions under way in a process, those in line included: some hundred MiB.
const maxAsking = 200_000

// lobby knows everybody whose acquisition is under way, so that Drain finds them. They are a list and not
// a map: most come and go within a moment.
type lobby struct {
	mu       sync.Mutex
	last     *Asking
	n        int
	draining bool
}

// guest is a place in the lobby; guarded by lobby.mu.
type guest struct {
	before, after *Asking
	in            bool
}

func newLobby() *lobby { return new(lobby) }

// enter takes a in, unless there are too many or it is closed.
func (l *lobby) enter(a *Asking) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.n >= maxAsking {
		return ErrOverloaded
	}
	l.n++
	a.guest = guest{before: l.last, in: true}
	if l.last != nil {
		l.last.guest.after = a
	}
	l.last = a
	return nil
}

func (l *lobby) leave(a *Asking) {
	l.mu.Lock()
	defer l.mu.Unlock()
	g := a.guest
	if !g.in {
		return
	}
	a.guest = guest{}
	l.n--
	if g.before != nil {
		g.before.guest.after = g.after
	}
	if g.after != nil {
		g.after.guest.before = g.before
	} else {
		l.last = g.before
	}
}

// close lets nobody wait any more and answers who is under way.
func (l *lobby) close() []*Asking {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.draining = true
	under := make([]*Asking, 0, l.n)
	for a := l.last; a != nil; a = a.guest.before {
		under = append(under, a)
	}
	return under
}

func (l *lobby) closed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.draining
}
