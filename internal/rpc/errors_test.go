package rpc

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/lockd/lockd/internal/lease"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

var holder = lease.Lease{
	Name: "orders/42", Token: 7, Owner: "ana@host:1", Since: time.Unix(1_700_000_000, 0),
	TTL: 30 * time.Second, Left: 200 * time.Millisecond, ExpiresIn: 700 * time.Millisecond,
	Metadata: map[string]string{"job": "nightly"},
}

// detail answers the detail of type D in err, nil if there is none.
func detail[D proto.Message](err error) (found D) {
	for _, d := range status.Convert(err).Details() {
		if d, ok := d.(D); ok {
			return d
		}
	}
	return found
}

// reason answers the reason in err's ErrorInfo if it is lockd's.
func reason(err error) string {
	if info := detail[*errdetails.ErrorInfo](err); info.GetDomain() == "lockd" {
		return info.GetReason()
	}
	return ""
}

func TestEveryErrorHasItsCodeAndReasonInUnaryCallsAndStreams(t *testing.T) {
	for _, c := range []struct {
		err    error
		code   codes.Code
		reason string
	}{
		{&lease.HeldError{Holder: holder}, codes.Aborted, "LEASE_HELD"},
		{lease.ErrSuperseded, codes.Aborted, "SUPERSEDED"},
		{lease.ErrLost, codes.FailedPrecondition, "LEASE_LOST"},
		{&lease.TokenError{Name: "a", Token: 3}, codes.FailedPrecondition, "TOKEN_NOT_IN_FORCE"},
		{&lease.TokenError{Name: "a", Token: 3, InForce: &holder}, codes.FailedPrecondition, "TOKEN_NOT_IN_FORCE"},
		{lease.ErrUnknown, codes.Unavailable, "STORE_UNAVAILABLE"},
		{lease.ErrUnavailable, codes.Unavailable, "STORE_UNAVAILABLE"},
		{lease.ErrGrantsRefused, codes.Unavailable, "GRANTS_REFUSED"},
		{lease.ErrDraining, codes.Unavailable, "DRAINING"},
		{&lease.InvalidError{Field: "ttl", Problem: "is 0"}, codes.InvalidArgument, "INVALID_ARGUMENT"},
		{lease.ErrStoreFull, codes.ResourceExhausted, "STORE_FULL"},
		{lease.ErrOverloaded, codes.ResourceExhausted, "OVERLOADED"},
		{lease.ErrLineFull, codes.ResourceExhausted, "LINE_FULL"},
		{&lease.LimitError{What: "leases", Limit: 3}, codes.ResourceExhausted, "OVER_LIMIT"},
		{&lease.LostError{Loss: lease.Loss{Cause: lease.CauseForced}}, codes.FailedPrecondition, "LEASE_LOST"},
		{errSlowReader, codes.ResourceExhausted, "SLOW_READER"},
		{errProtocol, codes.InvalidArgument, "PROTOCOL"},
		{context.DeadlineExceeded, codes.Unavailable, "STORE_UNAVAILABLE"}, // ours: the caller has none
		{context.Canceled, codes.Unavailable, "STORE_UNAVAILABLE"},
		{errors.New("boom"), codes.Internal, "INTERNAL"},
	} {
		t.Run(fmt.Sprint(c.err), func(t *testing.T) {
			wrapped := fmt.Errorf("acquire %q: %w", "a", c.err)
			callBoth(t, func(context.Context) error { return wrapped }, func(t *testing.T, _ *subject, err error) {
				if got := status.Code(err); got != c.code {
					t.Errorf("code of %v = %v, want %v", wrapped, got, c.code)
				}
				if got := reason(err); got != c.reason {
					t.Errorf("reason of %v = %q, want %q", wrapped, got, c.reason)
				}
			})
		})
	}
}

func TestAHeldLeaseIsDescribed(t *testing.T) {
	want := &lockdv1.Held{Lease: encodeLease(holder), ExpiresIn: durationpb.New(holder.ExpiresIn)}
	for _, refusal := range []error{&lease.HeldError{Holder: holder}, &lease.TokenError{InForce: &holder}} {
		err := statusOf(t.Context(), refusal).Err()
		if diff := cmp.Diff(want, detail[*lockdv1.Held](err), protocmp.Transform()); diff != "" {
			t.Errorf("Held of %T: -want +got\n%s", refusal, diff)
		}
	}
}

func TestARefusalNamesItsOperationOnce(t *testing.T) {
	s, _ := serveMemory(t)
	k := openSession(t, s)
	k.acquires("a", id1)
	_, err := s.leases.Acquire(t.Context(), &lockdv1.AcquireRequest{Name: "a", LeaseId: id2})
	if text := status.Convert(err).Message(); !strings.HasPrefix(text, `acquire "a": "a" is held by `) {
		t.Errorf("who is refused is told %q", text)
	}
	op := k.queues("a", id2)
	go func() { _ = shutdown(t, s, patience) }()
	if text := k.answer(op).GetError().GetMessage(); text != `acquire "a": the server is draining` {
		t.Errorf("who waits at a server that drains is told %q", text)
	}
	_ = k.stream.CloseSend()
	expectDraining(t, "the session", k.ends())
}

func TestARefusalSaysWhichPlaceInLineTheCallerHas(t *testing.T) {
	err := statusOf(t.Context(), &lease.HeldError{Holder: holder, Place: 3, Ticket: 77}).Err()
	if held := detail[*lockdv1.Held](err); held.GetPlace() != 3 || held.GetTicket() != 77 {
		t.Errorf("Held = %v, want place 3 and ticket 77", held)
	}
}

func TestALossSaysWhyIfThatIsKnown(t *testing.T) {
	for cause, want := range map[lease.Cause]lockdv1.Loss_Cause{
		lease.CauseExpired: lockdv1.Loss_EXPIRED, lease.CauseForced: lockdv1.Loss_FORCED,
		lease.CauseGrantedToAnother: lockdv1.Loss_GRANTED_TO_ANOTHER, 0: lockdv1.Loss_CAUSE_UNSPECIFIED,
	} {
		err := statusOf(t.Context(), &lease.LostError{Loss: lease.Loss{Cause: cause, By: "ops", Reason: "fire"}}).Err()
		if diff := cmp.Diff(&lockdv1.Loss{Cause: want, By: "ops", Reason: "fire"}, detail[*lockdv1.Loss](err), protocmp.Transform()); diff != "" {
			t.Errorf("Loss by cause %d: -want +got\n%s", cause, diff)
		}
	}
	if loss := detail[*lockdv1.Loss](statusOf(t.Context(), lease.ErrLost).Err()); loss != nil {
		t.Errorf("a loss of unknown cause says %v, want no detail", loss)
	}
}

func TestRetryInfoIsTheTimeUntilFreeButNoMoreThanASecond(t *testing.T) {
	for left, want := range map[time.Duration]time.Duration{
		-time.Second: 0, 700 * time.Millisecond: 700 * time.Millisecond, time.Hour: time.Second,
	} {
		err := statusOf(t.Context(), &lease.HeldError{Holder: lease.Lease{ExpiresIn: left}}).Err()
		if got := detail[*errdetails.RetryInfo](err).GetRetryDelay().AsDuration(); got != want {
			t.Errorf("RetryInfo for a lease with %s to go = %s, want %s", left, got, want)
		}
	}
}

func TestAWrongArgumentNamesItsField(t *testing.T) {
	err := statusOf(t.Context(), &lease.InvalidError{Field: "ttl", Problem: "is 0s; want 1s to 1h"}).Err()
	want := &errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{{
		Field: "ttl", Description: "is 0s; want 1s to 1h",
	}}}
	if diff := cmp.Diff(want, detail[*errdetails.BadRequest](err), protocmp.Transform()); diff != "" {
		t.Errorf("BadRequest: -want +got\n%s", diff)
	}
}

func TestAFaultShowsItsTextInTheLogOnly(t *testing.T) {
	for _, fault := range []func(context.Context) error{
		func(context.Context) error { return errors.New("secret-text") },
		func(context.Context) error { panic("secret-text") },
	} {
		callBoth(t, fault, func(t *testing.T, s *subject, err error) {
			if status.Code(err) != codes.Internal || strings.Contains(err.Error(), "secret") {
				t.Errorf("a fault answers %v, want INTERNAL without its text", err)
			}
			line := logged(t, s, "fault")
			if text, _ := line.ContextMap()["error"].(string); !strings.Contains(text, "secret-text") {
				t.Errorf("a fault logs %q, want its text", text)
			}
			if line.Level.String() != "error" {
				t.Errorf("a fault is logged at %s, want error", line.Level)
			}
		})
	}
}

func TestTheCallersOwnContextIsAskedFirst(t *testing.T) {
	// The handler ends with an error of ours at the very moment its caller has gone.
	for want, end := range map[codes.Code]func(context.Context) (context.Context, context.CancelFunc){
		codes.Canceled: func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			return ctx, cancel
		},
		codes.DeadlineExceeded: func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithDeadline(ctx, time.Unix(0, 0))
		},
	} {
		ctx, cancel := end(t.Context())
		if got := statusOf(ctx, lease.ErrUnknown).Code(); got != want {
			t.Errorf("code for a caller that has gone = %v, want %v", got, want)
		}
		cancel()
	}
}

func TestErrorsFitTheTrailersThatEveryClientTakes(t *testing.T) {
	const usual = 8 << 10 // of grpc-java and the C core
	tiny := map[string]string{}
	for i := range lease.MaxMetadataBytes / 2 {
		tiny[string([]byte{byte('A' + i/32), byte('A' + i%32)})] = ""
	}
	broad := lease.Lease{
		Name: strings.Repeat("\U0001f512", 64), Owner: strings.Repeat("\u200b", 85), Token: lease.MaxToken - 1,
		Since: time.Now(), TTL: time.Hour, ExpiresIn: time.Hour, Metadata: tiny,
	}
	large := broad
	large.Metadata = map[string]string{"k": strings.Repeat("v", lease.MaxMetadataBytes-1)}
	for _, refusal := range []error{
		&lease.HeldError{Holder: broad}, &lease.HeldError{Holder: large}, &lease.TokenError{InForce: &large},
		&lease.InvalidError{Field: "metadata", Problem: strings.Repeat("\xff\u00fc", 30_000)},
	} {
		p := &probe{unary: func(context.Context) error { return refusal }}
		s := serve(t, &fakeStore{}, withProbe(p), withDial(grpc.WithMaxHeaderListSize(usual)))
		err := s.conn.Invoke(t.Context(), "/test.Probe/Unary", new(lockdv1.StatusRequest), new(lockdv1.StatusResponse))
		if reason(err) == "" {
			t.Errorf("%T with the longest texts answers %.200v, want its own reason", refusal, err)
		}
		var held *lease.HeldError
		if errors.As(refusal, &held) && detail[*lockdv1.Held](err).GetLease().GetName() != broad.Name {
			t.Errorf("%T with the longest texts lost its detail", refusal)
		}
	}
	if got := encodeHolder(large).GetLease().GetMetadata(); len(got) != 1 {
		t.Errorf("metadata of 1 KiB in one piece are left out of Held, want them told")
	}
}

func TestClipKeepsWholeCharacters(t *testing.T) {
	for _, c := range []struct {
		text  string
		limit int
		want  string
	}{{"abc", 3, "abc"}, {"abcdef", 5, "ab…"}, {"äöüß", 6, "ä…"}, {"a\xffb", 9, "a\uFFFDb"}} {
		if got := clip(c.text, c.limit); got != c.want {
			t.Errorf("clip(%q, %d) = %q, want %q", c.text, c.limit, got, c.want)
		}
	}
}
