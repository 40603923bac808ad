package lockd

import (
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

const (
	// fullMessage is when a message takes no more operations, in bytes: the last has less than 8 KiB, and
	// lockd refuses messages over 64 KiB. Cancellations, of up to 10 bytes, may fill it to maxMessage.
	fullMessage = 48 << 10
	maxMessage  = 62 << 10
	// overhead is what an operation takes beside its texts, and entry an entry of its metadata; in
	// bytes, rounded up.
	overhead = 96
	entry    = 12
)

// outbox is what a stream has yet to send.
type outbox struct {
	operations []*lockdv1.Operation
	sizes      []int // of operations, in bytes, not less than they have
	resumed    []*lockdv1.Resumed
	cancels    []uint64
}

// take returns the next message, nil if there is nothing to send. What belongs into one message is one:
// a lone operation waits for nobody, and many cost one message.
func (o *outbox) take() *sessionRequest {
	if len(o.operations)+len(o.resumed)+len(o.cancels) == 0 {
		return nil
	}
	m := new(sessionRequest)
	size, n := 0, 0
	for n < len(o.operations) && size < fullMessage {
		size += o.sizes[n]
		n++
	}
	m.Operations, o.operations, o.sizes = cut(o.operations, n), o.operations[n:], o.sizes[n:]
	for n = 0; n < len(o.resumed) && size < fullMessage; n++ {
		size += overhead + len(o.resumed[n].GetName())
	}
	m.Resumed, o.resumed = cut(o.resumed, n), o.resumed[n:]
	// A cancellation comes after what it cancels, in this message or in one before.
	if len(o.operations) == 0 {
		n = min(len(o.cancels), max(0, maxMessage-size)/10)
		m.Cancels, o.cancels = cut(o.cancels, n), o.cancels[n:]
	}
	o.forget(len(m.Operations))
	return m
}

// cut returns the first n of s, so that nothing appended to the rest ever shows in it.
func cut[T any](s []T, n int) []T { return s[:n:n] }

// forget lets go of what has been sent, sent operations among it: the next message will have about as many.
func (o *outbox) forget(sent int) {
	if len(o.operations) == 0 {
		o.operations, o.sizes = make([]*lockdv1.Operation, 0, sent), make([]int, 0, sent)
	}
	if len(o.resumed) == 0 {
		o.resumed = nil
	}
	if len(o.cancels) == 0 {
		o.cancels = nil
	}
}

func sizeOfAcquire(r *lockdv1.AcquireRequest) int {
	size := overhead + len(r.GetName()) + len(r.GetLeaseId()) + len(r.GetOwner())
	for key, value := range r.GetMetadata() {
		size += entry + len(key) + len(value)
	}
	return size
}

// An operation is one object with what is between it and its request.

func acquireOperation(r *lockdv1.AcquireRequest) *lockdv1.Operation {
	var one struct {
		op   lockdv1.Operation
		kind lockdv1.Operation_Acquire
	}
	one.kind.Acquire, one.op.Request = r, &one.kind
	return &one.op
}

func renewOperation(r *lockdv1.RenewRequest) *lockdv1.Operation {
	var one struct {
		op   lockdv1.Operation
		kind lockdv1.Operation_Renew
	}
	one.kind.Renew, one.op.Request = r, &one.kind
	return &one.op
}

func releaseOperation(r *lockdv1.ReleaseRequest) *lockdv1.Operation {
	var one struct {
		op   lockdv1.Operation
		kind lockdv1.Operation_Release
	}
	one.kind.Release, one.op.Request = r, &one.kind
	return &one.op
}
