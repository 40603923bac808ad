package lockd

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
)

// largest is the largest acquisition that lockd takes.
func largest() *acquisition {
	metadata := make(map[string]string)
	for j := range maxMetadata {
		if j >= 128 && len(metadata) >= (maxMetadata-128)/2+128 {
			break
		}
		metadata[string(rune(j+1))] = ""
	}
	ttl := time.Duration(1<<62 + 1)
	return &acquisition{
		client: &Client{config: config{owner: strings.Repeat("o", maxOwner)}},
		name:   strings.Repeat("n", maxName), id: newLeaseID(), attempts: 1 << 31, request: request{ttl: &ttl, metadata: metadata},
		attempt: attempt{patience: 1<<62 + 1, way: new(stream)},
	}
}

// next returns the next message as lockd reads it, nil if there is none.
func (o *outbox) next(t *testing.T) *sessionRequest {
	t.Helper()
	p := o.take()
	if p == nil {
		return nil
	}
	if size := len(*p.data); size > 64<<10 {
		t.Errorf("a message of %d bytes, want at most 64 KiB", size)
	}
	m := new(sessionRequest)
	if err := proto.Unmarshal(*p.data, m); err != nil {
		t.Fatalf("a message that lockd cannot read: %v", err)
	}
	return m
}

// Messages stay below what lockd takes, however much is waiting, and keep the order; a cancellation comes
// after what it cancels.
func TestOutbox(t *testing.T) {
	var o outbox
	const operations, cancels, resumed = 100, 20_000, 1000
	for i := range operations {
		room := o.room()
		*room = largest().write(*room, uint64(1<<62+i))
	}
	for i := range cancels {
		o.cancels = append(o.cancels, uint64(1<<62+i%operations))
	}
	for range resumed {
		o.resumed = append(o.resumed, holding{strings.Repeat("n", maxName), 1<<53 - 1})
	}
	var seen uint64
	counts := make(map[string]int)
	for m := o.next(t); m != nil; m = o.next(t) {
		for _, op := range m.GetOperations() {
			if op.GetId() <= seen {
				t.Errorf("operation %d after %d", op.GetId(), seen)
			}
			seen = op.GetId()
		}
		for _, id := range m.GetCancels() {
			if id > seen {
				t.Fatalf("operation %d is cancelled before it is sent", id)
			}
		}
		counts["messages"]++
		counts["operations"] += len(m.GetOperations())
		counts["cancels"] += len(m.GetCancels())
		counts["resumed"] += len(m.GetResumed())
	}
	if counts["operations"] != operations || counts["cancels"] != cancels || counts["resumed"] != resumed {
		t.Errorf("sent %v, want all of it", counts)
	}
	if counts["messages"] > 40 {
		t.Errorf("%d messages, want them well filled", counts["messages"])
	}
}

// What belongs into one message is one.
func TestOutboxBatches(t *testing.T) {
	var o outbox
	for i := range 64 {
		room := o.room()
		*room = renewing{&Lease{name: fmt.Sprint(i)}}.write(*room, uint64(i+1))
	}
	o.cancels = []uint64{3}
	if m := o.next(t); len(m.GetOperations()) != 64 || len(m.GetCancels()) != 1 {
		t.Errorf("%d operations and %d cancellations in the first message, want all 64 and 1", len(m.GetOperations()), len(m.GetCancels()))
	}
	if m := o.next(t); m != nil {
		t.Errorf("then %v, want nothing", m)
	}
}

// A message that its last operation has filled goes before what cancels that one, and no empty one goes at all.
func TestOutboxFilledByTheLast(t *testing.T) {
	var o outbox
	var last uint64
	for o.operations == nil || len(*o.operations) < fullMessage {
		last++
		room := o.room()
		*room = largest().write(*room, last)
	}
	o.cancels = []uint64{last}
	var seen uint64
	for m := o.next(t); m != nil; m = o.next(t) {
		for _, op := range m.GetOperations() {
			seen = op.GetId()
		}
		if len(m.GetOperations())+len(m.GetCancels()) == 0 {
			t.Error("an empty message was sent")
		}
		if len(m.GetCancels()) > 0 && seen != last {
			t.Errorf("operation %d is cancelled after %d were sent", last, seen)
		}
	}
}
