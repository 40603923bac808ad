package lockd

import "google.golang.org/grpc/mem"

const (
	// fullMessage is when a message takes no more operations, in bytes: the last has less than 8 KiB, and
	// lockd refuses messages over 64 KiB. Cancellations, of up to 10 bytes, may fill it to maxMessage.
	fullMessage = 48 << 10
	maxMessage  = 62 << 10
	// leastMessage is the least room that is taken for a message, in bytes.
	leastMessage = 512
)

// outbox is what a stream has yet to send.
type outbox struct {
	full       []*[]byte // messages of operations
	operations *[]byte   // those after that, as fields of a message; nil: none
	usual      int       // how large a message was last, in bytes
	resumed    []holding
	cancels    []uint64
}

// room returns where to append the next operation.
func (o *outbox) room() *[]byte {
	if o.operations != nil && len(*o.operations) >= fullMessage {
		o.full, o.operations = append(o.full, o.operations), nil
	}
	o.begin()
	return o.operations
}

// begin begins a message of operations unless one is begun.
func (o *outbox) begin() {
	if o.operations == nil {
		o.operations = mem.DefaultBufferPool().Get(max(leastMessage, o.usual))
		*o.operations = (*o.operations)[:0]
	}
}

// take returns the next message, nil if there is nothing to send. What belongs into one message is one:
// a lone operation waits for nobody, and many cost one message.
func (o *outbox) take() *parcel {
	if len(o.full) > 0 {
		m := &parcel{o.full[0]}
		o.full[0], o.full = nil, o.full[1:]
		return m
	}
	if o.operations == nil && len(o.resumed)+len(o.cancels) == 0 {
		return nil
	}
	o.begin() // and no other if that is full: what cancels its operations must not come before them
	m := &parcel{o.operations}
	o.operations = nil
	n := 0
	for ; n < len(o.resumed) && len(*m.data) < fullMessage; n++ {
		*m.data = appendResumed(*m.data, o.resumed[n])
	}
	o.resumed = after(o.resumed, n)
	// A cancellation comes after what it cancels, in this message or in one before.
	if n = min(len(o.cancels), max(0, maxMessage-len(*m.data))/10); n > 0 {
		*m.data = appendCancels(*m.data, o.cancels[:n])
		o.cancels = after(o.cancels, n)
	}
	o.usual = len(*m.data)
	return m
}

// after returns s without its first n, and lets go of the array when that is all.
func after[T any](s []T, n int) []T {
	if n == len(s) {
		return nil
	}
	return s[n:]
}
