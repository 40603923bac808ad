package redisstore

import (
	"cmp"
	"slices"

	"github.com/lockd/lockd/internal/lease"
)

// Who waits here may have lost the place in Redis: after a beat that came too late, a wipe, a message that was
// missed. Whoever may have is marked, and asks again.

// loseAll marks everybody as one who has to ask again.
func (ws *waiters) loseAll() {
	for _, name := range ws.all() {
		ws.lose(name)
	}
}

// loseBefore does so with those who took their places before ticket, or whose ticket is not known yet.
func (ws *waiters) loseBefore(ticket int64) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for _, here := range ws.names {
		for _, w := range here {
			if w.ticket < ticket {
				ws.loseLocked(w)
			}
		}
	}
}

func (ws *waiters) lose(name string) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for _, w := range ws.names[name] {
		ws.loseLocked(w)
	}
}

func (ws *waiters) loseLocked(w *waiter) { w.lost, ws.someLost = true, true }

func (ws *waiters) anyLost() bool {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	return ws.someLost
}

// takeLost answers who has to ask again, and leaves that to the caller: by name, in the order in which
// they stood.
func (ws *waiters) takeLost() map[string][]lease.ID {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.someLost = false
	lost := make(map[string][]lease.ID)
	for name, here := range ws.names {
		var some []*waiter
		for _, w := range here {
			if w.lost {
				w.lost = false
				some = append(some, w)
			}
		}
		// Who has no ticket yet comes last.
		slices.SortFunc(some, func(a, b *waiter) int { return cmp.Compare(uint64(a.ticket-1), uint64(b.ticket-1)) })
		for _, w := range some {
			lost[name] = append(lost[name], w.a.ID)
		}
	}
	return lost
}
