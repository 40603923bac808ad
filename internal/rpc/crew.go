package rpc

import (
	"slices"
	"sync"
	"time"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// maxAtOnce is how many of a session's operations are at the store at once; reading waits meanwhile.
const maxAtOnce = 256

// lingerFor is how often a session looks for goroutines that it has not needed since the last time.
const lingerFor = 100 * time.Millisecond

// task is something to ask the store: one of the last four.
type task struct {
	op      uint64
	renew   *lockdv1.RenewRequest
	release *lockdv1.ReleaseRequest
	acquire *acquiring
	giveUp  *holding
}

// do does a task.
func (x *session) do(t task) {
	switch {
	case t.renew != nil:
		x.renew(t.op, t.renew)
	case t.release != nil:
		x.release(t.op, t.release)
	case t.acquire != nil:
		t.acquire.run()
	case t.giveUp != nil:
		x.giveUp(t.giveUp.name, t.giveUp.id)
	}
}

// crew are the goroutines that do a session's tasks, one each. Who has done one stays for the next: a new
// goroutine has to grow its stack first, which would cost a busy session a seventh of its processor time.
// Who was not needed for a while goes.
type crew struct {
	do      func(task)
	over    <-chan struct{} // closed when nobody waits for a slot any more
	slots   chan struct{}   // one for each task that is not done
	wake    chan bool       // for one of the idle: whether to begin the oldest task, or to go; closed at the end
	members sync.WaitGroup

	mu     sync.Mutex
	queue  []task // those that nobody has begun, in the order sent, behind as many as begun says
	begun  int
	ended  bool
	idle   int         // who has nothing to do and was not woken
	spare  int         // the least of idle since the last look
	looks  bool        // there will be another look
	looker *time.Timer // nil until the first one
}

func newCrew(do func(task), over <-chan struct{}) *crew {
	return &crew{
		do: do, over: over,
		slots: make(chan struct{}, maxAtOnce), wake: make(chan bool, maxAtOnce),
	}
}

// start has t done, unless the crew was stopped. It waits while too many are under way.
func (c *crew) start(t task) {
	select {
	case c.slots <- struct{}{}:
	case <-c.over:
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.ended:
	case c.idle > 0:
		c.putLocked(t)
		c.idle--
		c.spare = min(c.spare, c.idle)
		c.wake <- true
	default:
		c.putLocked(t)
		c.members.Go(c.work)
	}
}

// putLocked queues a task. There are never more queued than slots, nor more that have begun before them.
func (c *crew) putLocked(t task) {
	if c.begun == maxAtOnce {
		c.queue, c.begun = slices.Delete(c.queue, 0, c.begun), 0
	}
	c.queue = append(c.queue, t)
}

// next takes the oldest task; there must be one.
func (c *crew) next() task {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.queue[c.begun]
	c.queue[c.begun] = task{}
	if c.begun++; c.begun == len(c.queue) {
		c.queue, c.begun = c.queue[:0], 0
	}
	return t
}

// work does one task after another, always the oldest: the scheduler likes to begin with whom it was
// told of last.
func (c *crew) work() {
	for more := true; more; more = <-c.wake {
		c.do(c.next())
		c.rest()
		<-c.slots // after that, so that there are never more of them than slots
	}
}

// rest counts one more idle.
func (c *crew) rest() {
	c.mu.Lock()
	defer c.mu.Unlock()
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
		c.wake <- false
	}
	c.spare = c.idle
	if c.looks = c.idle > 0; c.looks {
		c.looker.Reset(lingerFor)
	} else if len(c.queue) == 0 {
		c.queue = nil // most sessions are idle most of the time
	}
}

// stop takes no task any more; those that were taken are done.
func (c *crew) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	if c.looker != nil {
		c.looker.Stop()
	}
	close(c.wake)
}
