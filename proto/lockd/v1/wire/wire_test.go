package wire

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// What is appended is what protobuf reads, whatever the length of a message within takes.
func TestFieldsAreWhatProtobufReads(t *testing.T) {
	at := time.Unix(1_700_000_000, 5)
	for _, n := range []int{0, 1, 127, 128, 200, 16_384, 70_000} {
		for _, d := range []time.Duration{0, 1, -1, -90 * time.Second, 30 * time.Second, 1<<63 - 1} {
			text := strings.Repeat("x", n)
			want := &lockdv1.RenewResponse{Lease: &lockdv1.Lease{
				Name: text, Token: int64(n), Since: timestamppb.New(at), Ttl: durationpb.New(d),
				Metadata: map[string]string{"": "", "k": text},
			}}
			b, lease := Open(nil, 1)
			b = Number(Text(b, 1, text), 2, uint64(n))
			b = Duration(Timestamp(b, 5, at), 6, d)
			b = Shut(Entry(Entry(b, 8, "", ""), 8, "k", text), lease)
			got := new(lockdv1.RenewResponse)
			if err := proto.Unmarshal(b, got); err != nil || !proto.Equal(got, want) {
				t.Fatalf("%d bytes, %s: protobuf reads %v, %v; want %v", n, d, got, err, want)
			}
		}
	}
}
