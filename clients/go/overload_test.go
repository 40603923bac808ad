package lockd

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// crowd has more operations than may be unanswered take slots again and again, for 3 s each and a millisecond
// apart, until the test ends.
func crowd(t *testing.T, slots chan struct{}) {
	for range cap(slots) + 600 {
		go func() {
			for {
				select {
				case slots <- struct{}{}:
				case <-t.Context().Done():
					return
				}
				select {
				case <-time.After(3 * time.Second):
					<-slots
				case <-t.Context().Done():
					return
				}
			}
		}()
		time.Sleep(time.Millisecond)
	}
}

// While there are more operations than may be unanswered, renewals that have to wait hold up none that need
// not: a lockd that answers is not taken for a mute one, and no lease is lost.
func TestSessionRenewsUnderOverload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		names := make([]string, 300)
		for i := range names {
			names[i] = fmt.Sprint("job/", i)
		}
		c, f, s, leases := holdingOver(t, names...)
		crowd(t, c.link.ready(true).(*stream).others)
		for range 1500 {
			time.Sleep(10 * time.Millisecond)
			for s.take(); len(s.pending) > 0; {
				op := s.operation()
				s.answer(&lockdv1.Answer{Id: op.GetId(), Result: &lockdv1.Answer_Renewed{Renewed: renewed(op.GetRenew())}})
			}
		}
		lost := 0
		for _, l := range leases {
			if l.Err() != nil {
				lost++
			}
		}
		if lost > 0 || len(f.streams) > 0 {
			t.Errorf("%d of %d leases were lost, %d streams opened beside the first, want none", lost, len(leases), len(f.streams))
		}
	})
}
