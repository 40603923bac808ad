package redisconn

import (
	"testing"
	"time"
)

// A reply that was long under way says too little of Redis's clock: an undo allows for no more.
func TestTheClockLearnsNothingFromASlowReply(t *testing.T) {
	c := NewClock()
	before := c.offset.Load()
	c.Learn(time.Now().Add(-CallTimeout-time.Millisecond), 1)
	if c.offset.Load() != before {
		t.Error("the clock believed a reply that took longer than a call")
	}
	if c.Learn(time.Now(), 1); c.offset.Load() == before {
		t.Error("the clock did not learn from a quick reply")
	}
}
