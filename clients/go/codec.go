package lockd

import (
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
)

// codec lets a session's messages through as this package writes and reads them: as protobuf, which is what
// lockd sees, but with no object for each operation and answer. A client that sends thousands a second would spend a
// quarter of its time on those.
type codec struct{}

// parcel is a message to be sent, written already.
type parcel struct{ data *[]byte }

// delivery is a message that was received and not read yet. Whoever has read it frees it.
type delivery struct{ mem.Buffer }

// Name implements encoding.CodecV2: on the wire there is no difference.
func (codec) Name() string { return proto.Name }

// Marshal implements encoding.CodecV2.
func (codec) Marshal(v any) (mem.BufferSlice, error) {
	if p, ok := v.(*parcel); ok {
		return mem.BufferSlice{mem.NewBuffer(p.data, mem.DefaultBufferPool())}, nil
	}
	return encoding.GetCodecV2(proto.Name).Marshal(v)
}

// Unmarshal implements encoding.CodecV2.
func (codec) Unmarshal(data mem.BufferSlice, v any) error {
	if d, ok := v.(*delivery); ok {
		d.Buffer = data.MaterializeToBuffer(mem.DefaultBufferPool())
		return nil
	}
	return encoding.GetCodecV2(proto.Name).Unmarshal(data, v)
}
