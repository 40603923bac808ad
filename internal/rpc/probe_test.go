package rpc

import (
	"context"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"
)

// probe is a service of the tests' own, registered like the real ones: what stands around every call
// is seen best with handlers that do as they are told.
type probe struct {
	unary  func(context.Context) error
	stream func(grpc.ServerStream) error
}

var probeDesc = grpc.ServiceDesc{
	ServiceName: "test.Probe",
	HandlerType: (*any)(nil),
	Methods: []grpc.MethodDesc{{
		MethodName: "Unary",
		Handler: func(srv any, ctx context.Context, dec func(any) error, around grpc.UnaryServerInterceptor) (any, error) {
			in := new(emptypb.Empty)
			if err := dec(in); err != nil {
				return nil, err
			}
			info := &grpc.UnaryServerInfo{Server: srv, FullMethod: "/test.Probe/Unary"}
			return around(ctx, in, info, func(ctx context.Context, _ any) (any, error) {
				return new(emptypb.Empty), srv.(*probe).unary(ctx)
			})
		},
	}},
	Streams: []grpc.StreamDesc{{
		StreamName: "Stream", ServerStreams: true, ClientStreams: true,
		Handler: func(srv any, stream grpc.ServerStream) error { return srv.(*probe).stream(stream) },
	}},
}

// callBoth makes handle the unary and the stream handler in turn and answers what the client got.
func callBoth(t *testing.T, handle func(context.Context) error, each func(t *testing.T, s *subject, err error)) {
	p := &probe{unary: handle, stream: func(s grpc.ServerStream) error { return handle(s.Context()) }}
	t.Run("unary", func(t *testing.T) {
		s := serve(t, &fakeStore{}, withProbe(p))
		each(t, s, s.conn.Invoke(t.Context(), "/test.Probe/Unary", new(emptypb.Empty), new(emptypb.Empty)))
	})
	t.Run("stream", func(t *testing.T) {
		s := serve(t, &fakeStore{}, withProbe(p))
		each(t, s, openStream(t, t.Context(), s, "/test.Probe/Stream").RecvMsg(new(emptypb.Empty)))
	})
}

func openStream(t *testing.T, ctx context.Context, s *subject, method string) grpc.ClientStream {
	t.Helper()
	stream, err := s.conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, method)
	if err != nil {
		t.Fatal(err)
	}
	return stream
}
