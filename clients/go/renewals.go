package lockd

import (
	"context"
	"sync/atomic"

	"google.golang.org/grpc/status"
)

// renewals are several that were asked for together. They take one goroutine: the stream's own hands the
// answers out.
type renewals struct {
	sent instant
	left atomic.Int64  // those that have not ended
	done chan struct{} // closed when all have
}

// renewal is one of them.
type renewal struct {
	call
	of    *renewals
	lease *Lease
}

// renewAll asks for the renewal of leases, for each of which there is one of s.others, and returns when each
// has been told how that ended, or that it had no answer before ctx ended.
func (s *stream) renewAll(ctx context.Context, leases []*Lease) {
	all := &renewals{done: make(chan struct{})}
	all.left.Store(int64(len(leases)))
	asked := make([]renewal, len(leases))
	for i, l := range leases {
		r := &asked[i]
		r.of, r.lease = all, l
		r.call = call{stream: s, slots: s.others, name: l.name, owner: l.owner, until: closing, left: true, then: r}
	}
	// Read before the message is given away: the server may answer before the call returns.
	all.sent = now()
	if err := s.queueAll(asked); err != nil {
		for i := range asked {
			asked[i].ended(all.sent, terms{}, err) // the slots end with the stream
		}
		return
	}
	select {
	case <-all.done:
		return
	case <-ctx.Done():
	}
	unanswered := false
	t := now()
	for i := range asked {
		if r := &asked[i]; r.leave(nil) {
			r.ended(t, terms{}, status.FromContextError(ctx.Err()).Err())
			unanswered = true
		}
	}
	if unanswered && ctx.Err() == context.DeadlineExceeded {
		s.unheard(all.sent.mono)
	}
	<-all.done // the others are being told
}

// free takes up to n of s.others, those that can be had without waiting, and returns how many.
func (s *stream) free(n int) int {
	for i := range n {
		select {
		case s.others <- struct{}{}:
		default:
			return i
		}
	}
	return n
}

// queueAll queues renewals to be sent together.
func (s *stream) queueAll(all []renewal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.endedLocked(closing); err != nil {
		return err
	}
	for i := range all {
		s.queueLocked(&all[i].call, renewing{all[i].lease})
	}
	s.wakeWriter()
	return nil
}

// told implements listener.
func (r *renewal) told(a *answer) {
	r.ended(a.came, a.terms, r.stream.errorIn(a))
}

// ended tells the lease how it ended, at t.
func (r *renewal) ended(t instant, g terms, err error) {
	r.lease.client.renewed(t, r.lease, r.lease.heard(t, g, err, r.of.sent))
	if r.of.left.Add(-1) == 0 {
		close(r.of.done)
	}
}
