package lockd

import (
	"time"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// ReleaseRequest says that an operator wants a lease to be released.
type ReleaseRequest struct {
	By     string // who asks, as they call themselves; "" if they did not
	Reason string // why, in their words
	// ForcedAt is about when the lease is ended by force if it still stands; the zero time: it is not.
	ForcedAt time.Time
}

// ReleaseRequested returns a channel that gets a value when somebody asks for the lease to be released, who could end it by
// force: so that its holder can come to an end in good order. It is a hint, which can be missed, and which nobody has to
// follow. The channel is the same each time, has room for the latest request, and is never closed: select
// on the lease's Context beside it.
func (l *Lease) ReleaseRequested() <-chan ReleaseRequest {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.requestsLocked()
}

// requestsLocked makes the channel when it is first needed: most leases are never asked for.
func (l *Lease) requestsLocked() chan ReleaseRequest {
	if l.requests == nil {
		l.requests = make(chan ReleaseRequest, 1)
	}
	return l.requests
}

// request passes a request on; one that nobody has looked at yet gives way.
func (l *Lease) request(r ReleaseRequest) {
	l.mu.Lock()
	defer l.mu.Unlock()
	requests := l.requestsLocked()
	select {
	case <-requests:
	default:
	}
	requests <- r // there is room, since nobody else sends
}

// releaseAsked passes on that somebody wants a lease to be released. Of leases that are not held here it is no news; who asks for one that is
// about to be held is told in vain, and whoever forces it then is not.
func (l *link) releaseAsked(notice *lockdv1.ReleaseRequested) {
	l.mu.Lock()
	lease := l.leases[holding{notice.GetName(), notice.GetToken()}]
	l.mu.Unlock()
	if lease == nil {
		return
	}
	r := ReleaseRequest{By: notice.GetBy(), Reason: notice.GetReason()}
	if in := notice.GetForceIn(); in != nil {
		r.ForcedAt = time.Now().Add(in.AsDuration())
	}
	lease.request(r)
}
