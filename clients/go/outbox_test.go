package lockd

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// largest is the largest acquisition that lockd takes.
func largest() *lockdv1.AcquireRequest {
	metadata := make(map[string]string)
	for j := range maxMetadata {
		if j >= 128 && len(metadata) >= (maxMetadata-128)/2+128 {
			break
		}
		metadata[string(rune(j+1))] = ""
	}
	return &lockdv1.AcquireRequest{
		Name: strings.Repeat("n", maxName), LeaseId: newLeaseID(), Attempt: 1 << 31, Owner: strings.Repeat("o", maxOwner),
		Ttl: durationpb.New(1<<62 + 1), Wait: durationpb.New(1<<62 + 1), Metadata: metadata, Token: 1<<53 - 1,
	}
}

// Messages stay below what lockd takes, however much is waiting, and keep the order; a cancellation comes
// after what it cancels.
func TestOutbox(t *testing.T) {
	var o outbox
	const operations, cancels, resumed = 100, 20_000, 1000
	for i := range operations {
		r := largest()
		op := acquireOperation(r)
		op.Id = uint64(1<<62 + i)
		if size := proto.Size(op); size > sizeOfAcquire(r) {
			t.Fatalf("an operation has %d bytes and is taken for %d, want no more", size, sizeOfAcquire(r))
		}
		o.operations, o.sizes = append(o.operations, op), append(o.sizes, sizeOfAcquire(r))
	}
	for i := range cancels {
		o.cancels = append(o.cancels, uint64(1<<62+i%operations))
	}
	for range resumed {
		o.resumed = append(o.resumed, &lockdv1.Resumed{Name: strings.Repeat("n", maxName), Token: 1<<53 - 1})
	}
	var seen uint64
	counts := make(map[string]int)
	for m := o.take(); m != nil; m = o.take() {
		if size := proto.Size(m); size > 64<<10 {
			t.Errorf("a message of %d bytes, want at most 64 KiB", size)
		}
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
		o.operations = append(o.operations, renewOperation(&lockdv1.RenewRequest{Name: fmt.Sprint(i)}))
		o.sizes = append(o.sizes, overhead+maxName)
	}
	if m := o.take(); len(m.GetOperations()) != 64 {
		t.Errorf("%d operations in the first message, want all 64", len(m.GetOperations()))
	}
	if m := o.take(); m != nil {
		t.Errorf("then %v, want nothing", m)
	}
}
