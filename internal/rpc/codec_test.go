package rpc

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// rawCodec sends bytes as they are and ignores answers: a client that is not held to protobuf.
type rawCodec struct{}

func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(v.([]byte))}, nil
}
func (rawCodec) Unmarshal(mem.BufferSlice, any) error { return nil }
func (rawCodec) Name() string                         { return "proto" }

// sendRaw calls method with data as its request and answers the field that is said to be wrong.
func sendRaw(t *testing.T, s *subject, method string, data []byte) (field string, err error) {
	t.Helper()
	err = s.conn.Invoke(t.Context(), method, data, new([]byte), grpc.ForceCodecV2(rawCodec{}))
	if violations := detail[*errdetails.BadRequest](err).GetFieldViolations(); len(violations) == 1 {
		field = violations[0].GetField()
	}
	return field, err
}

// methods calls each with every method of lockd's own services and its request.
func methods(each func(method string, request protoreflect.MessageDescriptor)) {
	services := lockdv1.File_proto_lockd_v1_lockd_proto.Services()
	for i := range services.Len() {
		list := services.Get(i).Methods()
		for j := range list.Len() {
			each(fmt.Sprintf("/%s/%s", services.Get(i).FullName(), list.Get(j).Name()), list.Get(j).Input())
		}
	}
}

func entry(field protowire.Number, value []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, field, protowire.BytesType), value)
}

func TestEveryTextThatIsNotUTF8IsRefusedByName(t *testing.T) {
	s := serve(t, &fakeStore{})
	texts := 0
	methods(func(method string, request protoreflect.MessageDescriptor) {
		for i := range request.Fields().Len() {
			field := request.Fields().Get(i)
			var bad [][]byte
			switch {
			case field.IsMap(): // an empty string is fine, so each half is broken alone
				bad = [][]byte{entry(1, []byte("\xff")), append(entry(1, []byte("k")), entry(2, []byte("\xff"))...)}
			case field.Kind() == protoreflect.StringKind:
				bad = [][]byte{[]byte("a\xffb")}
			}
			for _, value := range bad {
				texts++
				got, err := sendRaw(t, s, method, entry(field.Number(), value))
				if status.Code(err) != codes.InvalidArgument || reason(err) != "INVALID_ARGUMENT" || got != string(field.Name()) || !strings.Contains(err.Error(), "UTF-8") {
					t.Errorf("%s with %s %q answers %v about %q, want INVALID_ARGUMENT about %q and UTF-8", method, field.Name(), value, err, got, field.Name())
				}
			}
		}
	})
	if texts < 14 {
		t.Errorf("%d texts tried, want at least 14", texts)
	}
}

func TestAMalformedMessageIsRefusedByField(t *testing.T) {
	s := serve(t, &fakeStore{})
	good, err := proto.Marshal(&lockdv1.AcquireRequest{Name: "a", LeaseId: id1})
	if err != nil {
		t.Fatal(err)
	}
	for field, bad := range map[string][]byte{
		"name":     {0x0a, 100, 'a'},                                                // says 100 bytes, has one
		"ttl":      entry(5, []byte{0x08}),                                          // a duration without its number
		"wait":     append(good, entry(6, []byte{0x0a, 9})...),                      // after fields that are right
		"field 99": protowire.AppendTag(nil, 99, protowire.BytesType),               // nobody's, and cut short
		"request":  {0x07},                                                          // no field at all
		"metadata": entry(7, []byte{0x0a, 5, 'k'}),                                  // an entry cut short
		"token":    append(protowire.AppendTag(nil, 8, protowire.VarintType), 0x80), // a number cut short
	} {
		got, err := sendRaw(t, s, lockdv1.LeaseService_Acquire_FullMethodName, bad)
		if status.Code(err) != codes.InvalidArgument || got != field {
			t.Errorf("Acquire(%x) answers %v about %q, want INVALID_ARGUMENT about %q", bad, err, got, field)
		}
	}
}

func FuzzFaultOf(f *testing.F) {
	f.Add([]byte("\x0a\x01\xff"))
	f.Add([]byte{0x2a, 0x01, 0x08})
	f.Add([]byte{0x0b, 0x0c})
	f.Fuzz(func(t *testing.T, data []byte) {
		m := new(lockdv1.AcquireRequest)
		if err := faultOf(data, m); err == nil {
			t.Errorf("faultOf(%x) = nil, want an error always", data)
		}
	})
}
