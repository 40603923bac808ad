package lockd

import (
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// holdingOver returns a client that holds leases of those names, for 12 s each, over the stream.
func holdingOver(t *testing.T, names ...string) (*Client, *fakeServers, *fakeStream, []*Lease) {
	t.Helper()
	f, c := newServers(t)
	var s *fakeStream
	var leases []*Lease
	for _, name := range names {
		done := acquiring(t.Context(), c, name, WithTTL(12*time.Second))
		if s == nil {
			s = f.stream("a")
		}
		s.grant()
		leases = append(leases, (<-done).lease)
	}
	return c, f, s, leases
}

// renewNow renews leases as if the schedule had found them due.
func (c *Client) renewNow(leases []*Lease) {
	c.schedule.mu.Lock()
	c.schedule.inFlight += len(leases)
	for _, l := range leases {
		l.plan(l.Deadline(), time.Time{})
		c.schedule.leases.fix(l.index)
	}
	c.schedule.mu.Unlock()
	c.renewAll(leases)
}

// Renewals that are due together are one message, and each ends for itself: answered, refused, or without a
// word, which is tried again.
func TestSessionRenewsTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, s, leases := holdingOver(t, "good", "lost", "mute")
		good, gone, mute := leases[0], leases[1], leases[2]
		time.Sleep(time.Second)
		deadline, before := good.Deadline(), s.messages
		c.renewNow(leases)
		s.take()
		time.Sleep(100 * time.Millisecond) // a deadline counts from the sending
		for _, l := range leases {
			op := s.operation()
			switch r := op.GetRenew(); {
			case r.GetName() != l.Name() || r.GetLeaseId() != l.ID() || r.GetToken() != l.Token() || r.GetTtl().AsDuration() != 12*time.Second:
				t.Fatalf("%v was sent, want the renewal of %v", op, l)
			case l == good:
				s.answer(&lockdv1.Answer{Id: op.GetId(), Result: &lockdv1.Answer_Renewed{Renewed: renewed(r)}})
			case l == gone:
				s.answer(errorOf(op.GetId(), &lockdv1.Error{Code: 9, Reason: reasonLost}))
			}
		}
		if n := s.messages - before; n != 1 {
			t.Errorf("the renewals are %d messages, want 1", n)
		}
		synctest.Wait()
		if moved := good.Deadline().Sub(deadline); moved != time.Second || good.Err() != nil {
			t.Errorf("the deadline of who was answered moved by %s, %v, want 1s", moved, good.Err())
		}
		if !errors.Is(gone.Err(), ErrLost) {
			t.Errorf("Err of who was refused = %v, want ErrLost", gone.Err())
		}
		time.Sleep(renewWithin(12*time.Second) + renewalPause(1, 12*time.Second)*2)
		if op := s.operation(); op.GetRenew().GetName() != mute.Name() || mute.Err() != nil {
			t.Errorf("%v was sent, want the renewal without an answer once more", op)
		}
		c.schedule.mu.Lock()
		defer c.schedule.mu.Unlock()
		if n := c.schedule.inFlight; n != 1 {
			t.Errorf("%d renewals count as under way, want the one", n)
		}
	})
}

// A stream that ends with renewals under way ends none of the leases; they are renewed over the next.
func TestSessionRenewsAgainOverAnotherStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, f, s, leases := holdingOver(t, "a", "b")
		c.renewNow(leases)
		s.operation()
		s.end(io.EOF)
		next := f.stream("b")
		time.Sleep(2 * time.Second)
		names := map[string]bool{}
		for next.take(); len(next.pending) > 0; {
			names[next.operation().GetRenew().GetName()] = true
		}
		if len(names) != 2 || leases[0].Err() != nil || leases[1].Err() != nil {
			t.Errorf("renewed %v, want both that were under way", names)
		}
	})
}

// Who has ended while there was no stream is not renewed over the next.
func TestSessionRenewsNoneThatHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, f, s, leases := holdingOver(t, "ended", "held")
		s.end(io.EOF)
		synctest.Wait()
		c.renewNow(leases)
		leases[0].end(ErrLost)
		next := f.stream("b")
		if op := next.operation(); op.GetRenew().GetName() != "held" || len(next.pending) > 0 {
			t.Errorf("%v was sent, and %v, want the renewal of what is held", op, next.pending)
		}
		synctest.Wait()
		c.schedule.mu.Lock()
		defer c.schedule.mu.Unlock()
		if n := c.schedule.inFlight; n != 1 {
			t.Errorf("%d renewals count as under way, want the one", n)
		}
	})
}
