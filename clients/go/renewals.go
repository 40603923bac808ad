package lockd

import (
	"context"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// renewals are several that were asked for together. They take one goroutine: the stream's own hands the
// answers out.
type renewals struct {
	sent instant
	left atomic.Int64  // those that have not ended
	done chan struct{} // closed when all have
}

// renewal is one of them, in one piece: of those that a client sends most are renewals.
type renewal struct {
	call
	of    *renewals
	lease *Lease
	op    lockdv1.Operation
	kind  lockdv1.Operation_Renew
	req   lockdv1.RenewRequest
	ttl   durationpb.Duration
}

// renewAll asks for the renewal of leases, for each of which there is one of s.others, and returns when each
// has been told how that ended, or that it had no answer before ctx ended.
func (s *stream) renewAll(ctx context.Context, leases []*Lease) {
	all := &renewals{done: make(chan struct{})}
	all.left.Store(int64(len(leases)))
	asked := make([]*renewal, 0, len(leases))
	for _, l := range leases {
		asked = append(asked, newRenewal(s, all, l))
	}
	// Read before the message is given away: the server may answer before the call returns.
	all.sent = now()
	if err := s.queueAll(asked); err != nil {
		for _, r := range asked {
			r.ended(nil, err) // the slots end with the stream
		}
		return
	}
	select {
	case <-all.done:
		return
	case <-ctx.Done():
	}
	unanswered := false
	for _, r := range asked {
		if r.leave(nil) {
			r.ended(nil, status.FromContextError(ctx.Err()).Err())
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

func newRenewal(s *stream, all *renewals, l *Lease) *renewal {
	r := &renewal{call: call{stream: s, slots: s.others, until: closing, left: true}, of: all, lease: l}
	r.then = r
	r.req.Name, r.req.LeaseId, r.req.Token = l.name, l.id, l.token
	if l.asked != nil {
		r.ttl.Seconds, r.ttl.Nanos = int64(*l.asked/time.Second), int32(*l.asked%time.Second)
		r.req.Ttl = &r.ttl
	}
	r.kind.Renew = &r.req
	r.op.Request = &r.kind
	return r
}

// queueAll queues renewals to be sent together.
func (s *stream) queueAll(all []*renewal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.endedLocked(closing); err != nil {
		return err
	}
	for _, r := range all {
		s.queueLocked(&r.call, &r.op, overhead+len(r.req.GetName())+len(r.req.GetLeaseId()))
	}
	s.wakeWriter()
	return nil
}

// told implements listener.
func (r *renewal) told(a *answer) {
	r.ended(a.GetRenewed(), r.stream.errorIn(a))
}

// ended tells the lease how it ended.
func (r *renewal) ended(resp *lockdv1.RenewResponse, err error) {
	r.lease.client.renewed(r.lease, r.lease.heard(resp, err, r.of.sent))
	if r.of.left.Add(-1) == 0 {
		close(r.of.done)
	}
}
