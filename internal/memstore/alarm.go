package memstore

import (
	"sync"
	"time"
)

// alarm ends leases that run out while somebody waits or watches. Otherwise nobody notices until the next
// operation, and nothing runs.
type alarm struct {
	timer   *time.Timer // nil: not set
	at      time.Time
	count   int // of timers set so far: tells a timer that rings whether it is the one above
	closed  bool
	ringing sync.WaitGroup // timers that were set and neither stopped nor done
}

// ringWork is how many leases end at one ringing; for the others it rings again at once.
const ringWork = 4096

// setAlarmLocked has the alarm ring when the first lease is over, if anybody wants to know. It is moved
// to an earlier time only: one that rings too early, since the lease was renewed, is set again then.
func (s *Store) setAlarmLocked(now time.Time) {
	if _, names := s.line.Len(); names == 0 && len(s.watched.by) == 0 {
		return
	}
	first, ok := s.expiry.First()
	if !ok || s.alarm.closed || (s.alarm.timer != nil && !first.over.Before(s.alarm.at)) {
		return
	}
	s.alarm.stopLocked()
	s.alarm.ringing.Add(1)
	s.alarm.at = first.over
	s.alarm.count++
	number := s.alarm.count
	s.alarm.timer = time.AfterFunc(first.over.Sub(now), func() { s.ring(number) })
}

// ring is what a timer calls.
func (s *Store) ring(number int) {
	defer s.alarm.ringing.Done()
	s.mu.Lock()
	now := time.Now()
	if number == s.alarm.count { // or another has been set while this one came to ring
		s.alarm.timer = nil
	}
	s.forgetLocked(ringWork, now)
	s.unlock(now)
}

func (x *alarm) stopLocked() {
	if x.timer != nil && x.timer.Stop() {
		x.ringing.Done()
	}
	x.timer = nil
}

// closeLocked stops it for good. Who wants to be sure waits for ringing then.
func (x *alarm) closeLocked() {
	x.closed = true
	x.stopLocked()
}
