package rpc

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

func marshal(t testing.TB, m proto.Message) []byte {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// plainMessages are those that must be read by hand, or reading by hand is for nothing.
func plainMessages() []*lockdv1.SessionRequest {
	long := strings.Repeat("ä", 128)
	most := &lockdv1.AcquireRequest{
		Name: long, LeaseId: leaseID(1), Attempt: 1<<32 - 1, Owner: long, Token: 1<<53 - 1,
		Ttl: durationpb.New(-1500), Wait: &durationpb.Duration{Seconds: 1 << 62, Nanos: -1 << 31},
	}
	return []*lockdv1.SessionRequest{
		{},
		{Operations: []*lockdv1.Operation{operation(1<<64-1, most)}},
		{Operations: []*lockdv1.Operation{operation(0, &lockdv1.AcquireRequest{}), operation(3, &lockdv1.RenewRequest{}), operation(2, &lockdv1.ReleaseRequest{})}},
		{Operations: []*lockdv1.Operation{
			operation(1, &lockdv1.AcquireRequest{Name: "a", LeaseId: id1, Attempt: 1, Owner: "me", Ttl: durationpb.New(0)}),
			operation(2, &lockdv1.RenewRequest{Name: "b", LeaseId: id2, Token: -1, Ttl: durationpb.New(1)}),
			operation(3, &lockdv1.ReleaseRequest{Name: "c", LeaseId: id1}),
		}},
	}
}

func TestPlainMessagesAreReadByHand(t *testing.T) {
	for _, want := range plainMessages() {
		got := new(lockdv1.SessionRequest)
		if !plainRequest(marshal(t, want), got) || !proto.Equal(got, want) {
			t.Errorf("plainRequest reads %v, want %v", got, want)
		}
	}
}

// oddMessages are those of which protobuf has an opinion that is not to be written twice.
func oddMessages(t testing.TB) map[string][]byte {
	request := func(request protowire.Number, body ...byte) []byte { return entry(2, entry(request, body)) }
	metadata := &lockdv1.AcquireRequest{Name: "a", Metadata: map[string]string{"k": "v"}}
	whole := marshal(t, plainMessages()[3])
	return map[string][]byte{
		"a hello":                     marshal(t, &lockdv1.SessionRequest{Hello: new(lockdv1.Hello)}),
		"cancels":                     marshal(t, &lockdv1.SessionRequest{Cancels: []uint64{1, 2}}),
		"cancels, not packed":         {3 << 3, 1},
		"resumed":                     marshal(t, &lockdv1.SessionRequest{Resumed: []*lockdv1.Resumed{{Name: "a"}}}),
		"metadata":                    marshal(t, &lockdv1.SessionRequest{Operations: []*lockdv1.Operation{operation(1, metadata)}}),
		"no request":                  entry(2, []byte{1 << 3, 1}),
		"two requests":                entry(2, append(entry(4, entry(1, []byte("a"))), entry(4, entry(2, []byte("b")))...)),
		"two kinds of requests":       entry(2, append(entry(4, entry(1, []byte("a"))), entry(3, nil)...)),
		"an unknown field":            append(whole, entry(15, []byte("a"))...),
		"an operation's":              entry(2, append(entry(4, nil), 15<<3, 1)),
		"a request's":                 request(3, 15<<3, 1),
		"a duration's":                request(3, entry(3, []byte{15 << 3, 1})...),
		"a group":                     request(4, 1<<3|3, 1<<3|4),
		"a fixed number":              request(2, 8<<3|1, 1, 2, 3, 4, 5, 6, 7, 8),
		"a text as a number":          request(2, 1<<3, 1),
		"a number as a text":          request(2, entry(8, []byte("a"))...),
		"an id as a text":             entry(2, entry(1, []byte("a"))),
		"an operation as a number":    {2 << 3, 1},
		"no field":                    {0x02, 0},
		"cut in a tag":                {0x92},
		"cut in a length":             {0x12},
		"cut in a text":               whole[:len(whole)-1],
		"cut in a number":             entry(2, []byte{1 << 3, 0x80}),
		"cut in a request":            request(4, 1<<3|2, 5, 'a'),
		"cut in a duration":           request(3, entry(3, []byte{1 << 3})...),
		"a number of 11 bytes":        entry(2, append([]byte{1 << 3}, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"...)),
		"a name that is not UTF-8":    request(4, entry(1, []byte("\xff"))...),
		"a renewal's":                 request(3, entry(1, []byte("\xff"))...),
		"an acquisition's":            request(2, entry(1, []byte("\xff"))...),
		"a lease id that is not":      request(4, entry(2, []byte("\xff"))...),
		"a renewal's id":              request(3, entry(2, []byte("\xff"))...),
		"an acquisition's id":         request(2, entry(2, []byte("\xff"))...),
		"an owner that is not":        request(2, entry(4, []byte("\xff"))...),
		"one name that is not of two": request(4, append(entry(1, []byte("\xff")), entry(1, []byte("a"))...)...),
	}
}

func TestWhatIsOddIsLeftToProtobuf(t *testing.T) {
	for what, data := range oddMessages(t) {
		got := new(lockdv1.SessionRequest)
		if plainRequest(data, got) || !proto.Equal(got, new(lockdv1.SessionRequest)) {
			t.Errorf("%s: plainRequest reads %v, want it to read nothing", what, got)
		}
		readBothWays(t, data)
	}
}

// readBothWays compares the codec with protobuf.
func readBothWays(t *testing.T, data []byte) {
	t.Helper()
	want, got := new(lockdv1.SessionRequest), new(lockdv1.SessionRequest)
	wrong := proto.Unmarshal(data, want)
	if plainRequest(data, got) && (wrong != nil || !proto.Equal(got, want)) {
		t.Errorf("%x is read as %v, want %v, %v", data, got, want, wrong)
	}
}

// Fields that come twice and numbers that are written at length are as protobuf has them.
func FuzzPlainRequest(f *testing.F) {
	for _, m := range plainMessages() {
		f.Add(marshal(f, m))
	}
	for _, data := range oddMessages(f) {
		f.Add(data)
	}
	twice := func(request protowire.Number, fields ...[]byte) {
		f.Add(entry(2, entry(request, append(append([]byte(nil), fields[0]...), fields[1]...))))
	}
	twice(2, entry(5, []byte{1 << 3, 1}), entry(5, []byte{2 << 3, 2}))
	twice(3, entry(3, []byte{1 << 3, 1}), entry(3, nil))
	twice(4, entry(1, []byte("a")), entry(1, []byte("b")))
	twice(2, []byte{3 << 3, 1}, append([]byte{3 << 3}, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"...))
	f.Add([]byte{0x92, 0, 4, 1<<3 | 0x80, 0, 0x81, 0})
	f.Fuzz(readBothWays)
}

// A name that stands in line must not keep the message alive that it came in.
func TestWhatIsReadIsNoPartOfTheMessage(t *testing.T) {
	m := plainMessages()[3]
	data := marshal(t, m)
	got := new(lockdv1.SessionRequest)
	if !plainRequest(data, got) {
		t.Fatal("the message is not read by hand")
	}
	clear(data)
	if !proto.Equal(got, m) {
		t.Errorf("when the message's bytes are used again it says %v, want %v", got, m)
	}
}
