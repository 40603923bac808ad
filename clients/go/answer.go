package lockd

import (
	"errors"
	"fmt"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// The reasons in ErrorInfo that a client acts upon; lockd.proto lists them all.
const (
	domain           = "lockd"
	reasonHeld       = "LEASE_HELD"
	reasonSuperseded = "SUPERSEDED"
	reasonLost       = "LEASE_LOST"
	reasonStore      = "STORE_UNAVAILABLE"
	reasonRefused    = "GRANTS_REFUSED"
	reasonDraining   = "DRAINING"
	reasonFull       = "STORE_FULL"
	reasonOverloaded = "OVERLOADED"
	reasonLineFull   = "LINE_FULL"
	reasonOverLimit  = "OVER_LIMIT"
)

// refusal is what the error of an RPC says.
type refusal struct {
	reason string     // "" if it does not come from lockd
	held   *HeldError // who is in the way, for reasonHeld
	loss   error      // why the lease ended, for reasonLost
	// again: asking again with the same lease id may help; until then nobody knows more.
	again bool
	// nothingDone: the request changed nothing, and will not.
	nothingDone bool
	// waitTooLong: lockd takes no wait of this length.
	waitTooLong bool
	err         error // for the caller
}

// readRefusal is the one place where errors from the wire become this package's.
func readRefusal(name string, err error) refusal {
	r := refusal{err: err}
	held, loss := r.readDetails(err)
	switch r.reason {
	case reasonHeld:
		r.held = heldError(name, held)
		r.err = r.held
		// Of an attempt that stands in line still, nobody knows yet.
		r.nothingDone = !errors.As(err, new(*stillQueued))
		return r
	case reasonLost:
		r.loss = lossCause(loss)
		return r
	case reasonRefused, reasonDraining, reasonFull, reasonOverloaded, reasonLineFull, reasonOverLimit:
		r.again, r.nothingDone = true, true
		return r
	}
	switch st := status.Convert(err); st.Code() {
	case codes.InvalidArgument:
		r.err, r.nothingDone = fmt.Errorf("%w: %s", ErrInvalid, st.Message()), true
		r.waitTooLong = invalidField(err) == "wait"
	case codes.Unauthenticated, codes.PermissionDenied:
		r.err, r.nothingDone = fmt.Errorf("%w: %s", ErrDenied, st.Message()), true
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled:
		// Cancelled by whom is the caller of readRefusal's to know; from here it is a connection, a
		// proxy or a server that went away in the middle.
		r.again = true
	}
	return r
}

// readDetails sets r.reason and returns what else came with the error, on whichever way.
func (r *refusal) readDetails(err error) (held *lockdv1.Held, loss *lockdv1.Loss) {
	var answered *operationError
	var waits *stillQueued
	switch {
	case errors.As(err, &answered):
		r.reason = answered.wire.GetReason()
		return answered.wire.GetHeld(), answered.wire.GetLoss()
	case errors.As(err, &waits):
		r.reason = reasonHeld
		return waits.held, nil
	}
	for _, detail := range status.Convert(err).Details() {
		switch d := detail.(type) {
		case *errdetails.ErrorInfo:
			if d.GetDomain() == domain {
				r.reason = d.GetReason()
			}
		case *lockdv1.Held:
			held = d
		case *lockdv1.Loss:
			loss = d
		}
	}
	return held, loss
}

// invalidField is the field that an INVALID_ARGUMENT is about, "" if it does not say.
func invalidField(err error) string {
	var answered *operationError
	if errors.As(err, &answered) {
		return answered.wire.GetField()
	}
	for _, detail := range status.Convert(err).Details() {
		if bad, ok := detail.(*errdetails.BadRequest); ok && len(bad.GetFieldViolations()) > 0 {
			return bad.GetFieldViolations()[0].GetField()
		}
	}
	return ""
}

// lossCause is why a lease ended, as far as lockd knows.
func lossCause(loss *lockdv1.Loss) error {
	switch loss.GetCause() {
	case lockdv1.Loss_FORCED:
		return &ForcedError{By: loss.GetBy(), Reason: loss.GetReason()}
	case lockdv1.Loss_EXPIRED:
		return ErrExpired
	}
	return ErrLost
}

func heldError(name string, held *lockdv1.Held) *HeldError {
	holder := held.GetLease()
	if holder == nil {
		return &HeldError{Name: name, Position: int(held.GetPlace())}
	}
	if holder.GetToken() == 0 { // we may not know who
		return &HeldError{
			Name: name, Position: int(held.GetPlace()), ExpiresIn: held.GetExpiresIn().AsDuration(), ClosedFor: holder.GetClosedFor().AsDuration(),
		}
	}
	return &HeldError{
		Name: name, Owner: holder.GetOwner(), Token: holder.GetToken(), Position: int(held.GetPlace()),
		Since: holder.GetSince().AsTime(), ExpiresIn: held.GetExpiresIn().AsDuration(), ClosedFor: holder.GetClosedFor().AsDuration(),
	}
}

// failed wraps err with what was being done. The package's own errors carry its name already, once
// is enough.
func failed(operation, name string, errs ...error) error {
	text := make([]string, len(errs))
	for i, err := range errs {
		text[i] = strings.TrimPrefix(err.Error(), "lockd: ")
	}
	return &failure{text: fmt.Sprintf("lockd: %s %q: %s", operation, name, strings.Join(text, "; ")), errs: errs}
}

// failure is an error with several causes and one text.
type failure struct {
	text string
	errs []error
}

func (f *failure) Error() string   { return f.text }
func (f *failure) Unwrap() []error { return f.errs }

// lost reports whether err says that a lease ended on its own.
func lost(err error) bool { return errors.Is(err, ErrLost) || errors.Is(err, ErrExpired) }
