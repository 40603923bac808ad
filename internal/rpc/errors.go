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

	"github.com/lockd/lockd/internal/lease"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// domain is the ErrorInfo domain of every error that lockd itself answers.
const domain = "lockd"

// statusOf is the one switch from errors to what is said on the wire, as the head of lockd.proto
// lists it. ctx is the caller's own: if that has ended, nothing else is worth saying, and a bound of
// ours that ended a moment later must not be reported as the caller's.
func statusOf(ctx context.Context, err error) *status.Status {
	if err == nil {
		return nil
	}
	if gone := ctx.Err(); gone != nil {
		return status.FromContextError(gone)
	}
	var argument *lease.InvalidError
	var held *lease.HeldError
	var token *lease.TokenError
	switch {
	case errors.As(err, &argument):
		return refusal(codes.InvalidArgument, "INVALID_ARGUMENT", err, badRequest(argument))
	case errors.As(err, &held):
		return refusal(codes.Aborted, "LEASE_HELD", err, heldDetail(held.Holder), retryAfter(held.Holder))
	case errors.As(err, &token) && token.InForce != nil:
		return refusal(codes.FailedPrecondition, "TOKEN_NOT_IN_FORCE", err, heldDetail(*token.InForce))
	case token != nil:
		return refusal(codes.FailedPrecondition, "TOKEN_NOT_IN_FORCE", err)
	case errors.Is(err, lease.ErrSuperseded):
		return refusal(codes.Aborted, "SUPERSEDED", err)
	case errors.Is(err, lease.ErrLost):
		return refusal(codes.FailedPrecondition, "LEASE_LOST", err)
	case errors.Is(err, lease.ErrGrantsRefused):
		return refusal(codes.Unavailable, "GRANTS_REFUSED", err)
	case errors.Is(err, lease.ErrDraining):
		return refusal(codes.Unavailable, "DRAINING", err)
	case errors.Is(err, lease.ErrStoreFull):
		return refusal(codes.ResourceExhausted, "STORE_FULL", err)
	case errors.Is(err, lease.ErrOverloaded):
		return refusal(codes.ResourceExhausted, "OVERLOADED", err)
	case errors.Is(err, lease.ErrUnknown), errors.Is(err, lease.ErrUnavailable):
		return refusal(codes.Unavailable, "STORE_UNAVAILABLE", err)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		// The caller's context stands, so this was our own bound: the store did not answer in time.
		return refusal(codes.Unavailable, "STORE_UNAVAILABLE", lease.ErrUnknown)
	}
	if st, ok := status.FromError(err); ok {
		return st // of the health or reflection service, which speak gRPC themselves
	}
	return refusal(codes.Internal, "INTERNAL", errInternal)
}

// errInternal is all that a client learns of a fault: its text may hold anything, so it goes to the
// log alone.
var errInternal = errors.New("a fault of the server; its log says more")

func refusal(code codes.Code, reason string, err error, details ...protoadapt.MessageV1) *status.Status {
	st := status.New(code, clip(err.Error(), maxText))
	info := &errdetails.ErrorInfo{Domain: domain, Reason: reason}
	// It fails only for code OK and for details that cannot be marshalled; then the code must do.
	if with, err := st.WithDetails(append([]protoadapt.MessageV1{info}, details...)...); err == nil {
		return with
	}
	return st
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

// heldDetail says who is in the way; without metadata if, in very many small pieces, they are too
// long for a trailer. Get answers them whole.
func heldDetail(holder lease.Lease) *lockdv1.Held {
	detail := &lockdv1.Held{Lease: encodeLease(holder), ExpiresIn: durationpb.New(holder.ExpiresIn)}
	if proto.Size(detail) > maxHeld {
		detail.Lease.Metadata = nil
	}
	return detail
}

// retryAfter is when asking again makes sense: when the name falls free, but no later than in a
// second, since a holder may release long before.
func retryAfter(holder lease.Lease) *errdetails.RetryInfo {
	return &errdetails.RetryInfo{RetryDelay: durationpb.New(max(0, min(holder.ExpiresIn, time.Second)))}
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
