package memstore

import (
	"context"

	"github.com/lockd/lockd/internal/lease"
)

// watched is who wants to know what happens. Events are delivered with the store's mutex held: that
// keeps their order, and whoever has stopped gets none.
type watched struct {
	by     map[*watcher]struct{}
	forced []func(lease.Event)
}

// watcher is one Watch.
type watcher struct {
	prefix  string
	deliver func(lease.Event)
}

// Watch implements lease.Store.
func (s *Store) Watch(_ context.Context, prefix string, deliver func(lease.Event)) (stop func(), err error) {
	w := &watcher{prefix, deliver}
	for {
		now := s.lock()
		more := s.forgetLocked(ringWork, now) // what ran out before is no news
		if !more {
			s.watched.by[w] = struct{}{}
		}
		s.unlock(now)
		if !more {
			return func() { s.unwatch(w) }, nil
		}
	}
}

func (s *Store) unwatch(w *watcher) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.watched.by, w)
}

// Forced implements lease.Store.
func (s *Store) Forced(deliver func(lease.Event)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watched.forced = append(s.watched.forced, deliver)
}

// Announce implements lease.Store.
func (s *Store) Announce(_ context.Context, e lease.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, deliver := range s.watched.forced {
		deliver(e)
	}
	return nil
}

// tellLocked tells everybody who wants to know.
func (s *Store) tellLocked(happened lease.Event) {
	for w := range s.watched.by {
		if lease.Under(happened.Name, w.prefix) {
			w.deliver(happened)
		}
	}
	if happened.Kind != lease.EventForced {
		return
	}
	for _, deliver := range s.watched.forced {
		deliver(happened)
	}
}
