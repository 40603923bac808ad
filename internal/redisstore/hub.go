package redisstore

import (
	"context"
	"encoding/json"
	"sync"

	"github.com/lockd/lockd/internal/lease"
)

// hub passes on what the scripts publish to those who want to know it here. While nobody watches it
// runs nothing; what was forced is passed on always.
type hub struct {
	store   *Store
	running sync.WaitGroup // the vigils

	// mu is held while somebody is told: that keeps events in order, and nobody is told after its stop.
	mu     sync.Mutex
	forced func(lease.Event) // may be nil
	vigil  *vigil            // nil while nobody watches
}

func newHub(s *Store) *hub { return &hub{store: s} }

// close ends the watches and waits for what they started. Nobody is told anything any more.
func (h *hub) close() {
	h.mu.Lock()
	if h.vigil != nil {
		h.vigil.stop()
		h.vigil = nil
	}
	h.forced = nil
	h.mu.Unlock()
	h.running.Wait()
}

// take is given the messages of the events channel, in the order in which they came, and does not
// block. What is no event is ignored.
func (h *hub) take(text string) {
	var m message
	if json.Unmarshal([]byte(text), &m) != nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if m.Kind == markKind {
		if h.vigil != nil {
			h.vigil.markCame(m.Mark)
		}
		return
	}
	e, ok := m.event()
	if !ok {
		return
	}
	if e.Kind == lease.EventForced && h.forced != nil {
		h.forced(e)
	}
	if h.vigil != nil {
		h.vigil.take(e, m.px())
	}
}

// gap says that messages may be missing between those taken before and those taken after: call it
// whenever the subscription has begun, the first time included. It does not block.
func (h *hub) gap() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.vigil != nil {
		h.vigil.gap()
	}
}

// watch begins a watch, in a world where the scripts already publish for the one who has written
// mark into the watched key.
func (h *hub) watch(prefix, mark string, deliver func(lease.Event)) (stop func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.vigil == nil {
		ctx, cancel := context.WithCancel(context.Background())
		v := newVigil(h, cancel)
		h.vigil = v
		h.running.Go(func() { v.run(ctx) })
	}
	v, w := h.vigil, &watcher{prefix: prefix, deliver: deliver}
	v.kept(mark)
	v.admit(w)
	return func() { h.leave(v, w) }
}

// leave ends a watch, and the vigil with the last one.
func (h *hub) leave(v *vigil, w *watcher) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(v.watchers, w)
	if len(v.watchers) == 0 && h.vigil == v {
		v.stop()
		h.vigil = nil
	}
}
