package redisstore

import (
	"sync/atomic"
	"time"
)

// clock reckons what Redis's TIME will be at a moment of ours. It is learnt from every reply that
// carries TIME, so a step of Redis's clock is forgotten with the next one.
//
// It may run ahead of Redis by as long as that reply's call was under way, at most callTimeout, and
// never behind: an execution is never refused as late before its time. Being ahead costs only that
// a late copy is accepted, and its undoing repeated, for that much longer.
type clock struct {
	base   time.Time    // carries the monotonic reading that offset counts from
	offset atomic.Int64 // µs: Redis's TIME at base
}

// newClock guesses that Redis's clock agrees with ours until it learns better.
func newClock() *clock {
	c := &clock{base: time.Now()}
	c.offset.Store(c.base.UnixMicro())
	return c
}

// learn takes the TIME, in µs, of a reply to a call that began at sent and has just ended. It learns
// nothing from one that took longer than callTimeout: that is all that an undo allows for.
func (c *clock) learn(sent time.Time, redisMicros int64) {
	if time.Since(sent) > callTimeout {
		return
	}
	c.offset.Store(redisMicros - sent.Sub(c.base).Microseconds())
}

// at answers Redis's TIME, in µs, at t.
func (c *clock) at(t time.Time) int64 {
	return c.offset.Load() + t.Sub(c.base).Microseconds()
}
