package rpc

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/recovery"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/lockd/lockd/internal/auth"
	"github.com/lockd/lockd/internal/lease"
)

// around is what stands around every call. From the outside in: errors become statuses and the call
// is logged; a panic becomes an error; who may not make it is refused; it is counted, and refused if there are too many; the
// call gets its bound.
type around struct {
	access *accessLog
	guard  *auth.Guard // nil: nobody is asked
	gate   *gate
	// ending ends when streams must; endStreams ends it.
	ending     context.Context
	endStreams context.CancelFunc
}

func newAround(c Config) *around {
	a := &around{access: &accessLog{to: c.Log, audit: c.Audit}, guard: c.Guard, gate: newGate(c.Bounds)}
	a.ending, a.endStreams = context.WithCancel(context.Background())
	return a
}

// unaryCall maps and logs the end of a unary call.
func (a *around) unaryCall(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	start := time.Now()
	ctx = a.withCaller(ctx)
	reply, err := next(ctx, req)
	st := statusOf(ctx, err)
	a.access.end(ctx, call{method: info.FullMethod, request: req, reply: reply, took: time.Since(start), code: st.Code(), err: err})
	return reply, st.Err()
}

// streamCall maps and logs the end of a stream.
func (a *around) streamCall(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	ctx, start := a.withCaller(stream.Context()), time.Now()
	err := next(srv, &streamIn{stream, ctx})
	st := statusOf(ctx, err)
	a.access.end(ctx, call{method: info.FullMethod, took: time.Since(start), code: st.Code(), err: err})
	return st.Err()
}

func (a *around) recoverUnary() grpc.UnaryServerInterceptor {
	return recovery.UnaryServerInterceptor(recovery.WithRecoveryHandler(panicked))
}

func (a *around) recoverStream() grpc.StreamServerInterceptor {
	return recovery.StreamServerInterceptor(recovery.WithRecoveryHandler(panicked))
}

// panicError is a panic in a handler. No list has it, so its text goes to the log alone.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v\n%s", e.value, e.stack) }

func panicked(p any) error { return &panicError{value: p, stack: debug.Stack()} }

// boundUnary bounds a call by the wait it asks for and a margin, whatever deadline its caller has or
// has not: no handler outlives its bound because a store is slow or a clock stood still.
func boundUnary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	bound := callMargin
	if r, ok := req.(interface{ GetWait() *durationpb.Duration }); ok {
		// The Lessor refuses what is out of bounds; here it must only not overflow.
		bound += max(0, min(r.GetWait().AsDuration(), longestWait))
	}
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	return next(ctx, req)
}

// longestWait is more than any Lessor can be configured to allow.
const longestWait = 24 * time.Hour

// endStream gives a stream a context that ends also when streams must: with ErrDraining, which
// sends the client to another server. A stream whose handler looks at its messages only is cut when
// Shutdown's patience ends.
func (a *around) endStream(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	defer context.AfterFunc(a.ending, cancel)()

	err := next(srv, &streamIn{stream, ctx})
	if err != nil && a.ending.Err() != nil {
		return lease.ErrDraining
	}
	return err
}

// streamIn is a stream with another context.
type streamIn struct {
	grpc.ServerStream
	ctx context.Context
}

// Context implements grpc.ServerStream.
func (s *streamIn) Context() context.Context { return s.ctx }
