package lockd

import "time"

// recent is how old a reading of the clocks may be from which a ttl is counted. Reading both costs a system
// call; too early a reading only makes the lease end sooner, by as much.
const recent = 250 * time.Microsecond

// recentLocked returns a moment that is not after at, nor long before. Of what is queued with mu held from
// before until after, it is before the sending.
func (s *stream) recentLocked(at time.Time) instant {
	if at.Sub(s.clock.mono) > recent {
		s.clock = now()
	}
	return s.clock
}

// oweLocked has the call told that a word is overdue if none has come within that time from at on.
//
// There is one timer for all calls. It is set for the earliest due time there was, so that operations that
// follow one another, each with a second to go, set it once a second and not each.
func (s *stream) oweLocked(c *call, at time.Time, within time.Duration) {
	c.due = max(1, at.Sub(s.born)+within)
	if s.watch == 0 || c.due < s.watch {
		s.watch = c.due
		s.watcher.Reset(s.watch - at.Sub(s.born))
	}
}

// overdue looks for calls to which a word is overdue.
func (s *stream) overdue() {
	s.mu.Lock()
	at := time.Since(s.born)
	s.watch = 0
	var late []*call
	for _, c := range s.calls {
		switch {
		case c.due == 0:
		case c.due <= at:
			c.due, c.late = 0, true
			late = append(late, c)
		case s.watch == 0 || c.due < s.watch:
			s.watch = c.due
		}
	}
	if s.watch > 0 {
		// Among very many calls the next look may be a little late, so that looking takes no more than a
		// few hundredths of the time.
		s.watch = max(s.watch, at+time.Duration(len(s.calls))*time.Microsecond)
		s.watcher.Reset(s.watch - at)
	}
	s.mu.Unlock()
	for _, c := range late {
		c.signal()
	}
}
