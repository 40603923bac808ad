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
