package rpc

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/lockd/lockd/internal/auth"
	"github.com/lockd/lockd/internal/lease"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// domain is the ErrorInfo domain of every error that lockd itself answers.
const domain = "lockd"

// refusalOf is the one switch from errors to what is said on the wire, as the head of lockd.proto
// lists it, whether as the status of a call or as an answer on a session. ctx is the caller's own: if
// that has ended, nothing else is worth saying, and a bound of ours that ended a moment later must
// not be reported as the caller's.
func refusalOf(ctx context.Context, err error) refusal {
	if gone := ctx.Err(); gone != nil {
		return spoken(status.FromContextError(gone))
	}
	var argument *lease.InvalidError
	var held *lease.HeldError
	var token *lease.TokenError
	var lost *lease.LostError
	var over *lease.LimitError
	switch {
	case errors.As(err, &argument):
		return refusal{code: codes.InvalidArgument, reason: "INVALID_ARGUMENT", err: err, field: argument}
	case errors.As(err, &held):
		return refusal{code: codes.Aborted, reason: "LEASE_HELD", err: err, held: encodeHeld(held), retry: retryAfter(held.Holder)}
	case errors.As(err, &token) && token.InForce != nil:
		return refusal{code: codes.FailedPrecondition, reason: "TOKEN_NOT_IN_FORCE", err: err, held: encodeHolder(*token.InForce)}
	case token != nil:
		return refusal{code: codes.FailedPrecondition, reason: "TOKEN_NOT_IN_FORCE", err: err}
	case errors.As(err, new(*auth.UnauthenticatedError)):
		return refusal{code: codes.Unauthenticated, reason: "UNAUTHENTICATED", err: err}
	case errors.As(err, new(*auth.DeniedError)), errors.Is(err, errNotAdmitted):
		return refusal{code: codes.PermissionDenied, reason: "PERMISSION_DENIED", err: err}
	case errors.Is(err, lease.ErrSuperseded):
		return refusal{code: codes.Aborted, reason: "SUPERSEDED", err: err}
	case errors.As(err, &lost):
		return refusal{code: codes.FailedPrecondition, reason: "LEASE_LOST", err: err, loss: encodeLoss(lost.Loss)}
	case errors.Is(err, lease.ErrLost):
		return refusal{code: codes.FailedPrecondition, reason: "LEASE_LOST", err: err}
	case errors.Is(err, lease.ErrGrantsRefused):
		return refusal{code: codes.Unavailable, reason: "GRANTS_REFUSED", err: err}
	case errors.Is(err, lease.ErrDraining):
		return refusal{code: codes.Unavailable, reason: "DRAINING", err: err}
	case errors.As(err, &over):
		return refusal{code: codes.ResourceExhausted, reason: "OVER_LIMIT", err: err, retry: retryIn(over.RetryIn)}
	case errors.Is(err, lease.ErrStoreFull):
		return refusal{code: codes.ResourceExhausted, reason: "STORE_FULL", err: err}
	case errors.Is(err, lease.ErrOverloaded):
		return refusal{code: codes.ResourceExhausted, reason: "OVERLOADED", err: err}
	case errors.Is(err, lease.ErrLineFull):
		return refusal{code: codes.ResourceExhausted, reason: "LINE_FULL", err: err}
	case errors.Is(err, errSlowReader):
		return refusal{code: codes.ResourceExhausted, reason: "SLOW_READER", err: err}
	case errors.Is(err, errProtocol):
		return refusal{code: codes.InvalidArgument, reason: "PROTOCOL", err: err}
	case errors.Is(err, lease.ErrUnknown), errors.Is(err, lease.ErrUnavailable):
		return refusal{code: codes.Unavailable, reason: "STORE_UNAVAILABLE", err: err}
	case errors.Is(err, errCancelled):
		return spoken(status.New(codes.Canceled, err.Error()))
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		// The caller's context stands, so this was our own bound: the store did not answer in time.
		return refusal{code: codes.Unavailable, reason: "STORE_UNAVAILABLE", err: lease.ErrUnknown}
	}
	if st, ok := status.FromError(err); ok {
		return spoken(st) // of gRPC itself, or of the health or reflection service, which speak it themselves
	}
	return refusal{code: codes.Internal, reason: "INTERNAL", err: errInternal}
}

var (
	// errInternal is all that a client learns of a fault: its text may hold anything, so it goes to the
	// log alone.
	errInternal = errors.New("a fault of the server; its log says more")
	// errSlowReader and errProtocol end a stream.
	errSlowReader = errors.New("the client does not read what it is sent")
	errProtocol   = errors.New("the stream's rules are broken")
	// errCancelled answers an acquisition on a session that its client has given up.
	errCancelled = errors.New("cancelled by the client")
)

// refusal is an error on its way to a client.
type refusal struct {
	code   codes.Code
	reason string
	err    error
	held   *lockdv1.Held         // who is in the way
	retry  *errdetails.RetryInfo // when to ask again
	loss   *lockdv1.Loss         // why the lease is gone
	field  *lease.InvalidError   // what is wrong
	status *status.Status        // what somebody else has said already
}

func spoken(st *status.Status) refusal {
	return refusal{code: st.Code(), err: errors.New(st.Message()), status: st}
}

// statusOf answers how a call ends.
func statusOf(ctx context.Context, err error) *status.Status {
	if err == nil {
		return nil
	}
	r := refusalOf(ctx, err)
	if r.status != nil {
		return r.status
	}
	st := status.New(r.code, clip(r.err.Error(), maxText))
	details := []protoadapt.MessageV1{&errdetails.ErrorInfo{Domain: domain, Reason: r.reason}}
	if r.field != nil {
		details = append(details, badRequest(r.field))
	}
	if r.held != nil {
		details = append(details, r.held)
	}
	if r.retry != nil {
		details = append(details, r.retry)
	}
	if r.loss != nil {
		details = append(details, r.loss)
	}
	// It fails only for code OK and for details that cannot be marshalled; then the code must do.
	if with, err := st.WithDetails(details...); err == nil {
		return with
	}
	return st
}

// answer says the same on a session.
func (r refusal) answer() *lockdv1.Error {
	e := &lockdv1.Error{Code: int32(r.code), Reason: r.reason, Message: clip(r.err.Error(), maxText), Held: r.held, Loss: r.loss}
	if r.field != nil {
		e.Field = r.field.Field
	}
	if r.held == nil { // a session says of who is in the way when the name is free
		e.RetryIn = r.retry.GetRetryDelay()
	}
	return e
}

// Errors travel as trailers, and many clients (Java, C) take no more than 8 KiB of them. The text is
// sent twice, escaped and within the details, which are sent in base64: 3·maxText + 4/3·(2·maxText +
// maxHeld) and the rest stay below that.
const (
	maxText = 512
	maxHeld = 2500
)

func badRequest(err *lease.InvalidError) *errdetails.BadRequest {
	return &errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{{
		Field: err.Field, Description: clip(err.Problem, maxText),
	}}}
}

// encodeHolder says who is in the way; without metadata if, in very many small pieces, they are too
// long for a trailer. Get answers them whole.
func encodeHolder(holder lease.Lease) *lockdv1.Held {
	held := &lockdv1.Held{Lease: &lockdv1.Lease{Name: holder.Name}, ExpiresIn: durationpb.New(holder.FreeIn())}
	if holder.Token == 0 { // who it is is not for the caller
		if holder.Closed > 0 {
			held.Lease.ClosedFor = durationpb.New(holder.Closed)
		}
		return held
	}
	held.Lease = encodeLease(holder)
	if proto.Size(held) > maxHeld {
		held.Lease.Metadata = nil
	}
	return held
}

// encodeHeld says as well which place in line the caller has.
func encodeHeld(err *lease.HeldError) *lockdv1.Held {
	held := encodeHolder(err.Holder)
	held.Place, held.Ticket = int64(err.Place), err.Ticket
	return held
}

// retryAfter is when asking again makes sense: when the name falls free, but no later than in a
// second, since a holder may release long before; of a closed name, not before it is open.
func retryAfter(holder lease.Lease) *errdetails.RetryInfo {
	if holder.Closed > 0 {
		return retryIn(holder.Closed)
	}
	return retryIn(max(0, min(holder.FreeIn(), time.Second)))
}

func retryIn(d time.Duration) *errdetails.RetryInfo {
	return &errdetails.RetryInfo{RetryDelay: durationpb.New(d)}
}

// clip makes text fit for the wire and the log: valid UTF-8 and no longer than limit bytes.
func clip(text string, limit int) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) <= limit {
		return text
	}
	const more = "…"
	end := limit - len(more)
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + more
}
