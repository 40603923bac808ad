package redisconn

import (
	"sync/atomic"
	"time"
)

// Clock reckons what Redis's TIME will be at a moment of ours. It is learnt from every reply that
// carries TIME, so a step of Redis's clock is forgotten with the next one.
//
// It may run ahead of Redis by as long as that reply's call was under way, at most CallTimeout, and
// never behind: an execution is never refused as late before its time. Being ahead costs only that
// a late copy is accepted, and its undoing repeated, for that much longer.
type Clock struct {
	Base   time.Time    // carries the monotonic reading that offset counts from
	offset atomic.Int64 // µs: Redis's TIME at base
}

// NewClock guesses that Redis's clock agrees with ours until it learns better.
func NewClock() *Clock {
	c := &Clock{Base: time.Now()}
	c.offset.Store(c.Base.UnixMicro())
	return c
}

// Learn takes the TIME, in µs, of a reply to a call that began at sent and has just ended. It learns
// nothing from one that took longer than CallTimeout: that is all that an undo allows for.
func (c *Clock) Learn(sent time.Time, redisMicros int64) {
	if time.Since(sent) > CallTimeout {
		return
	}
	c.offset.Store(redisMicros - sent.Sub(c.Base).Microseconds())
}

// At answers Redis's TIME, in µs, at t.
func (c *Clock) At(t time.Time) int64 {
	return c.offset.Load() + t.Sub(c.Base).Microseconds()
}
