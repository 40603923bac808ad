package rpc

import (
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockd/lockd/internal/lease"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// What nobody is held up by goes with the next answer, or alone after a moment.
func TestWhatIsUnhurriedWaitsForCompany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutbox()
		time.Sleep(unhurriedFor) // a new one looks once for nothing
		synctest.Wait()
		<-o.filled
		queued, hurried := item{unhurried: true}, item{}
		isFilled := func() bool {
			synctest.Wait()
			select {
			case <-o.filled:
				return true
			default:
				return false
			}
		}

		o.put(queued, answering(&lockdv1.Answer{Id: 1}))
		o.put(queued, answering(&lockdv1.Answer{Id: 1}))
		if isFilled() {
			t.Error("what is unhurried is to be sent at once, want it to wait")
		}
		o.put(hurried, answering(&lockdv1.Answer{Id: 2}))
		if !isFilled() {
			t.Error("an answer that somebody waits for is not to be sent at once")
		}
		if n := items(o.take()); n != 3 {
			t.Errorf("the message has %d answers, want all 3", n)
		}

		time.Sleep(unhurriedFor)
		isFilled() // the timer of those that have gone
		o.put(queued, answering(&lockdv1.Answer{Id: 1}))
		time.Sleep(unhurriedFor)
		if !isFilled() || items(o.take()) != 1 {
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
			o.put(item{grant: &lease.Grant{Lease: lease.Lease{Name: "orders/42", Owner: "someone@a-host-somewhere:4711"}}}, nil)
		}
	}
	sends := func(during ...int) { // and so many are put while each message is on its way
		for _, n := range append(during, 0) {
			p := o.take()
			put(n)
			if p != nil {
				o.done(p)
			}
		}
		for range 2 {
			if n := items(o.take()); n > 0 {
				t.Errorf("%d more are to be sent, want none", n)
			}
		}
	}
	kept := func() (bytes, grants int) {
		for _, p := range o.spare {
			bytes, grants = bytes+cap(p.data), grants+cap(p.grants)
			if len(p.data)+len(p.grants)+p.items+p.finals > 0 || cap(p.grants) > 0 && !reflect.ValueOf(p.grants[:1][0]).IsZero() {
				t.Errorf("a parcel that is kept has %+v, want nothing", p)
			}
		}
		return bytes, grants
	}
	for _, burst := range [][]int{{4}, {300}, {300, 200, 1}, {300, 1, 0}, {1, 300}, {maxPending, maxPending, 1, 1}} {
		put(burst[0])
		sends(burst[1:]...)
		if bytes, grants := kept(); len(o.pending)+o.items > 0 || bytes > 2*maxKept || grants > 2*maxKeptGrants {
			t.Errorf("after %d it keeps %d and has room for %d bytes and %d grants, want at most %d and %d twice", burst, o.items, bytes, grants, maxKept, maxKeptGrants)
		}
		for _, n := range []int{4, 1, 1} {
			put(n)
			sends()
		}
		if _, grants := kept(); grants < 4 {
			t.Errorf("after 4 answers it keeps room for %d, want those", grants)
		}
	}
}
