package redisstore

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
		c := newCrew(100)
		defer c.stop()
		idle := func() int {
			synctest.Wait()
			c.mu.Lock()
			defer c.mu.Unlock()
			return c.idle
		}
		all := func(n int, busy time.Duration) {
			for range n {
				c.start(func() { <-time.After(busy) })
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
	})
}

func TestTasksBeginInTheOrderSentAndAllThatWereTakenAreDone(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // so that who begins is seen to
	var mu sync.Mutex
	var begun []int
	c := newCrew(8)
	var want []int
	for round := range 3 { // the first needs goroutines, the others find them there
		for range 100 {
			n := len(want)
			want = append(want, n)
			c.start(func() {
				mu.Lock()
				defer mu.Unlock()
				begun = append(begun, n)
			})
		}
		if round < 2 {
			until(t, 5*time.Second, "all are done", func() bool {
				mu.Lock()
				defer mu.Unlock()
				return len(begun) == len(want)
			})
		}
	}
	c.stop()
	if c.start(func() { t.Error("a task was done that came after the end") }) {
		t.Error("start after stop = true, want false")
	}
	if !slices.Equal(begun, want) {
		t.Errorf("begun %d, want %d", begun, want)
	}
}
