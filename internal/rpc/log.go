package rpc

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"

	"github.com/lockd/lockd/internal/audit"
	"github.com/lockd/lockd/internal/lease"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// maxLogged bounds each logged text that a client chose or a fault left, in bytes.
const (
	maxLogged = 256
	maxFault  = 8 << 10
)

// accessLog is where every call and every operation of a session is noted.
type accessLog struct {
	to     *zap.Logger
	audit  *audit.Log // nil: none is kept
	meters *meters    // nil: nobody measures
}

// call is one that has ended.
type call struct {
	method  string
	session bool // an operation of a session: method is the unary RPC that means the same
	request any  // nil for a stream
	took    time.Duration
	code    codes.Code // what was answered
	err     error      // what the handler returned

	granted *lease.Lease // of an acquisition on a session
	reply   any          // of a unary call
}

// readsAll reports whether anybody reads of calls that went well: usually not, and a session has very many.
func (l *accessLog) readsAll() bool { return l.to.Core().Enabled(zapcore.DebugLevel) }

// end measures what has ended, and notes it wherever somebody wants to read of it.
func (l *accessLog) end(ctx context.Context, c call) {
	if !c.session { // else it has been
		l.meters.ended(c.method, c.code, c.took)
	}
	l.record(ctx, c)
	l.note(ctx, c)
}

// note writes one line a call: at debug, a fault at error, a forced or requested release, tried or done, at warn.
// Never a whole lease id, no metadata.
func (l *accessLog) note(ctx context.Context, c call) {
	force, forced := c.request.(forceful)
	level, text := zapcore.DebugLevel, "call"
	var panicked *panicError
	switch {
	case c.code == codes.Internal, errors.As(c.err, &panicked): // a panic also when the caller has gone
		level, text = zapcore.ErrorLevel, "fault"
	case forced:
		level, text = zapcore.WarnLevel, "forced release"
		if _, later := force.(*lockdv1.RequestReleaseRequest); later {
			text = "release requested"
		}
	case c.session:
		text = "operation"
	}
	entry := l.to.Check(level, text)
	if entry == nil {
		return // before anything is built: at the usual level a call costs nothing here
	}
	fields := append(make([]zap.Field, 0, 11),
		zap.String("method", c.method), zap.Stringer("code", c.code), zap.Duration("took", c.took))
	if from, ok := peer.FromContext(ctx); ok {
		fields = append(fields, zap.Stringer("peer", from.Addr))
	}
	if principal, _ := callerOf(ctx).Check(time.Now()); principal != "" {
		fields = append(fields, zap.String("principal", principal))
	}
	if r, ok := c.request.(interface{ GetName() string }); ok {
		fields = append(fields, zap.String("name", clip(r.GetName(), maxLogged)))
	}
	if r, ok := c.request.(interface{ GetLeaseId() string }); ok {
		fields = append(fields, zap.Stringer("lease_id", lease.ID(r.GetLeaseId())))
	}
	if forced {
		fields = append(fields, zap.Int64("token", force.GetToken()),
			zap.String("by", clip(force.GetBy(), maxLogged)), zap.String("reason", clip(force.GetReason(), maxLogged)))
	}
	if c.err != nil {
		fields = append(fields, zap.String("error", clip(c.err.Error(), maxFault)))
	}
	entry.Write(fields...)
}
