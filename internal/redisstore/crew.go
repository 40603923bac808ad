package redisstore

import (
	"sync"
	"time"
)

// lingerFor is how often a crew looks for goroutines that it has not needed since the last time.
const lingerFor = 100 * time.Millisecond

// crew are goroutines that do tasks, in the order in which they were given. Who has done one stays for the
// next: a new goroutine has to grow its stack first, which would cost a busy server a seventh of its
// processor time. Who was not needed for a while goes.
type crew struct {
	most  int       // goroutines
	wake  chan bool // for one of the idle: whether to begin the oldest task, or to go; closed at the end
	hands sync.WaitGroup

	mu     sync.Mutex
	queue  fifo[func()] // of at most maxQueued
	ended  bool
	all    int         // goroutines
	idle   int         // who has nothing to do and was not woken
	spare  int         // the least of idle since the last look
	looks  bool        // there will be another look
	looker *time.Timer // nil until the first one
}

func newCrew(most int) *crew { return &crew{most: most, wake: make(chan bool, most)} }

// start has task done and reports whether it will be: not if too much is to be done already, or after stop.
func (c *crew) start(task func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended || c.queue.len() >= maxQueued {
		return false
	}
	c.queue.push(task)
	switch {
	case c.idle > 0:
		c.idle--
		c.spare = min(c.spare, c.idle)
		c.wake <- true
	case c.all < c.most:
		c.all++
		c.hands.Go(c.work)
	}
	return true
}

// next takes the oldest task; nil, and there is one more idle, if there is none.
func (c *crew) next() func() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.queue.len() == 0 {
		c.restLocked()
		return nil
	}
	task := c.queue.waiting()[0]
	c.queue.take(1)
	return task
}

// work does one task after another.
func (c *crew) work() {
	for {
		for task := c.next(); task != nil; task = c.next() {
			task()
		}
		if more := <-c.wake; !more {
			return
		}
	}
}

// restLocked counts one more idle.
func (c *crew) restLocked() {
	c.idle++
	if c.looks || c.ended {
		return
	}
	c.looks = true
	if c.looker == nil {
		c.looker = time.AfterFunc(lingerFor, c.look)
	} else {
		c.looker.Reset(lingerFor)
	}
}

// look lets those go that were idle all the time since the last look.
func (c *crew) look() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return
	}
	for ; c.spare > 0; c.spare-- {
		c.idle--
		c.all--
		c.wake <- false
	}
	c.spare = c.idle
	if c.looks = c.idle > 0; c.looks {
		c.looker.Reset(lingerFor)
	}
}

// stop takes no task any more, and returns when those that were taken are done.
func (c *crew) stop() {
	c.mu.Lock()
	c.ended = true
	if c.looker != nil {
		c.looker.Stop()
	}
	close(c.wake)
	c.mu.Unlock()
	c.hands.Wait()
}
