package rpc

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // registers the codec that ours wraps
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/lockd/lockd/internal/lease"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// grpc-go answers INTERNAL to a request that is no valid message, such as one with a name that is
// not UTF-8, and has sent that answer before any handler or interceptor is asked. But the fault is
// the client's, and ours to explain. So the handlers of our services hand the codec an envelope that
// takes the failure in place of gRPC, and the call goes on to be refused like any other bad argument.

// envelope is a request on its way through the codec.
type envelope struct {
	message proto.Message
	fault   error // why message could not be read; an *lease.InvalidError
}

// codec is gRPC's own, but for envelopes, and for the messages of a session: those that are frequent are read and written
// by hand (read.go, write.go). On the wire there is no difference.
type codec struct{ encoding.CodecV2 }

func newCodec() codec { return codec{encoding.GetCodecV2("proto")} }

// Marshal implements encoding.CodecV2.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	p, ok := v.(*parcel)
	if !ok {
		return c.CodecV2.Marshal(v)
	}
	if p.fault != nil {
		return nil, p.fault
	}
	return mem.BufferSlice{mem.Copy(p.data, mem.DefaultBufferPool())}, nil
}

// Unmarshal implements encoding.CodecV2.
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	e, ok := v.(*envelope)
	if !ok {
		return c.CodecV2.Unmarshal(data, v)
	}
	if req, ok := e.message.(*lockdv1.SessionRequest); ok {
		whole := data.MaterializeToBuffer(mem.DefaultBufferPool())
		defer whole.Free()
		if plainRequest(whole.ReadOnlyData(), req) {
			return nil
		}
	}
	if c.CodecV2.Unmarshal(data, e.message) != nil {
		e.fault = faultOf(data.Materialize(), e.message)
	}
	return nil
}

// register registers a service whose requests travel in envelopes.
func register(to grpc.ServiceRegistrar, desc grpc.ServiceDesc, service any) {
	desc.Methods = slices.Clone(desc.Methods)
	for i, method := range desc.Methods {
		desc.Methods[i].Handler = func(srv any, ctx context.Context, dec func(any) error, around grpc.UnaryServerInterceptor) (any, error) {
			var e envelope
			decode := func(v any) error {
				e.message = v.(proto.Message)
				return dec(&e)
			}
			// Innermost, so that a refusal is mapped and logged like every other.
			refuse := func(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
				return around(ctx, req, info, func(ctx context.Context, req any) (any, error) {
					if e.fault != nil {
						return nil, e.fault
					}
					return next(ctx, req)
				})
			}
			return method.Handler(srv, ctx, decode, refuse)
		}
	}
	desc.Streams = slices.Clone(desc.Streams)
	for i, stream := range desc.Streams {
		desc.Streams[i].Handler = func(srv any, s grpc.ServerStream) error {
			return stream.Handler(srv, &openingStream{ServerStream: s})
		}
	}
	to.RegisterService(&desc, service)
}

// openingStream is a stream whose messages come in envelopes. Its handler gets them opened.
type openingStream struct {
	grpc.ServerStream
	envelope envelope // of the message that is being received: one at a time, says gRPC
}

// RecvMsg implements grpc.ServerStream.
func (s *openingStream) RecvMsg(m any) error {
	s.envelope = envelope{message: m.(proto.Message)}
	if err := s.ServerStream.RecvMsg(&s.envelope); err != nil {
		return err
	}
	return s.envelope.fault
}

// faultOf says which field keeps data from being a message like m, by reading each on its own.
func faultOf(data []byte, m proto.Message) error {
	desc := m.ProtoReflect().Descriptor()
	for len(data) > 0 {
		number, kind, tag := protowire.ConsumeTag(data)
		if tag < 0 {
			break
		}
		name := fmt.Sprintf("field %d", number)
		if field := desc.Fields().ByNumber(number); field != nil {
			name = string(field.Name())
		}
		value := protowire.ConsumeFieldValue(number, kind, data[tag:])
		if value < 0 {
			return invalid(name, "is cut short or malformed; want a %s in protobuf encoding", desc.FullName())
		}
		err := proto.Unmarshal(data[:tag+value], m.ProtoReflect().New().Interface())
		var text interface{ InvalidUTF8() bool }
		switch {
		case errors.As(err, &text) && text.InvalidUTF8():
			return invalid(name, "is not valid UTF-8")
		case err != nil:
			return invalid(name, "is malformed; want a %s in protobuf encoding", desc.FullName())
		}
		data = data[tag+value:]
	}
	return invalid("request", "is malformed; want a %s in protobuf encoding", desc.FullName())
}

func invalid(field, format string, args ...any) error {
	return &lease.InvalidError{Field: field, Problem: fmt.Sprintf(format, args...)}
}
