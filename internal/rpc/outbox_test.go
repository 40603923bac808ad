package rpc

import (
	"testing"
	"testing/synctest"
	"time"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// What nobody is held up by goes with the next answer, or alone after a moment.
func TestWhatIsUnhurriedWaitsForCompany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutbox()
		time.Sleep(unhurriedFor) // a new one looks once for nothing
		synctest.Wait()
		<-o.filled
		queued := item{unhurried: true, answer: &lockdv1.Answer{Id: 1}}
		hurried := item{answer: &lockdv1.Answer{Id: 2}}
		isFilled := func() bool {
			synctest.Wait()
			select {
			case <-o.filled:
				return true
			default:
				return false
			}
		}

		o.put(queued)
		o.put(queued)
		if isFilled() {
			t.Error("what is unhurried is to be sent at once, want it to wait")
		}
		o.put(hurried)
		if !isFilled() {
			t.Error("an answer that somebody waits for is not to be sent at once")
		}
		if n := len(o.take()); n != 3 {
			t.Errorf("the message has %d answers, want all 3", n)
		}

		time.Sleep(unhurriedFor)
		isFilled() // the timer of those that have gone
		o.put(queued)
		time.Sleep(unhurriedFor)
		if !isFilled() || len(o.take()) != 1 {
			t.Errorf("alone it is not sent after %s", unhurriedFor)
		}
		o.close()
	})
}

// What a burst needed goes with it, what a few answers need is kept.
func TestAnIdleOutboxKeepsLittle(t *testing.T) {
	o := newOutbox()
	defer o.close()
	put := func(n int) {
		for range n {
			o.put(item{answer: &lockdv1.Answer{Id: 1}})
		}
	}
	sends := func(during ...int) { // and so many are put while each batch is on its way
		for _, n := range append(during, 0) {
			batch := o.take()
			put(n)
			o.done(batch)
		}
		for range 2 {
			if n := len(o.take()); n > 0 {
				t.Errorf("%d more are to be sent, want none", n)
			}
		}
	}
	for _, burst := range [][]int{{4}, {300}, {300, 200, 1}, {300, 1, 0}, {1, 300}, {maxPending, maxPending, 1, 1}} {
		put(burst[0])
		sends(burst[1:]...)
		if len(o.pending) > 0 || cap(o.pending)+cap(o.spare) > 2*maxKept {
			t.Errorf("after %d it keeps %d and has room for %d and %d, want at most %d each", burst, len(o.pending), cap(o.pending), cap(o.spare), maxKept)
		}
		for _, n := range []int{4, 1, 1} {
			put(n)
			sends()
		}
		if room := cap(o.pending) + cap(o.spare); room < 4 {
			t.Errorf("after 4 answers it keeps room for %d, want those", room)
		}
	}
}
