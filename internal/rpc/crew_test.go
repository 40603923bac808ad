package rpc

import (
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestWhoHasNothingToDoStaysForTheNextTaskAndGoesSoonAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(func(t task) { <-time.After(time.Duration(t.op)) }, nil)
		defer c.members.Wait()
		defer c.stop()
		idle := func() int {
			synctest.Wait()
			c.mu.Lock()
			defer c.mu.Unlock()
			return c.idle
		}
		all := func(n int, busy time.Duration) {
			for range n {
				c.start(task{op: uint64(busy)})
			}
		}
		all(100, time.Second)
		<-time.After(time.Second)
		if n := idle(); n != 100 {
			t.Fatalf("100 have done their tasks, %d are there, want all", n)
		}
		for range 5 { // 40 are needed now and then
			all(40, lingerFor/10)
			<-time.After(lingerFor / 2)
		}
		if n := idle(); n != 40 {
			t.Errorf("40 were needed lately, %d are there, want those", n)
		}
		<-time.After(2 * lingerFor)
		if n := idle(); n != 0 {
			t.Errorf("nobody was needed for %s, %d are there, want none", 2*lingerFor, n)
		}
		if c.queue != nil {
			t.Errorf("an idle crew keeps room for %d tasks, want none", cap(c.queue))
		}
	})
}

func TestTasksBeginInTheOrderSentAndAllThatWereTakenAreDone(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // so that who begins is seen to
	var mu sync.Mutex
	var begun []uint64
	c := newCrew(func(t task) {
		mu.Lock()
		defer mu.Unlock()
		begun = append(begun, t.op)
	}, nil)
	want := make([]uint64, 0, 3*maxAtOnce/2)
	for round := range 3 { // the first needs goroutines, the others find them there
		for range maxAtOnce / 2 {
			want = append(want, uint64(len(want)))
			c.start(task{op: want[len(want)-1]})
		}
		if round < 2 {
			eventually(t, "all are done", func() bool { return len(c.slots) == 0 })
		}
	}
	c.stop()
	c.start(task{op: 1 << 20})
	c.members.Wait()
	if !slices.Equal(begun, want) {
		t.Errorf("begun %d, want %d", begun, want)
	}
}

func TestAQueueThatIsNeverEmptyKeepsTheOrderAndItsRoom(t *testing.T) {
	c := newCrew(nil, nil)
	var sent, begun uint64
	for range 10 * maxAtOnce {
		for sent < begun+maxAtOnce {
			sent++
			c.putLocked(task{op: sent})
		}
		begun++
		if got := c.next(); got.op != begun {
			t.Fatalf("task %d is begun, want %d", got.op, begun)
		}
		if n := len(c.queue); n > 2*maxAtOnce {
			t.Fatalf("the queue takes room for %d tasks, want at most %d", n, 2*maxAtOnce)
		}
	}
}
