package rpc

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/lockd/lockd/internal/lease"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

func TestAWelcomeSaysWhoServes(t *testing.T) {
	s, _ := serveMemory(t)
	k := openSession(t, s)
	is, err := s.admin.Status(t.Context(), &lockdv1.StatusRequest{})
	reply(t, k.welcome, err, &lockdv1.Welcome{Instance: is.GetInstance(), Version: "v1.2.3"})
}

func TestAnAcquisitionRenewalAndReleaseOfOneMessageAreAnsweredEach(t *testing.T) {
	t.Parallel() // a release is repeated after a second, and its server waits for that
	s, store := serveMemory(t)
	k := dialSession(t, s)
	k.send(&lockdv1.SessionRequest{
		Hello:      &lockdv1.Hello{},
		Operations: []*lockdv1.Operation{operation(3, &lockdv1.AcquireRequest{Name: "a", LeaseId: id1}), operation(7, &lockdv1.AcquireRequest{Name: "b", LeaseId: id2})},
	})
	a, b := k.answer(3).GetAcquired().GetLease(), k.answer(7).GetAcquired().GetLease()
	if a.GetName() != "a" || a.GetToken() <= 0 || b.GetName() != "b" {
		t.Fatalf("acquired %v and %v, want a and b", a, b)
	}
	k.last = 7
	if r := k.answer(k.do(&lockdv1.RenewRequest{Name: "a", LeaseId: id1})); r.GetRenewed().GetLease().GetToken() != a.GetToken() {
		t.Errorf("renewed: %v, want token %d", r, a.GetToken())
	}
	for _, want := range []lockdv1.ReleaseResponse_Outcome{lockdv1.ReleaseResponse_HELD, lockdv1.ReleaseResponse_GONE} {
		if r := k.answer(k.do(&lockdv1.ReleaseRequest{Name: "a", LeaseId: id1})); r.GetReleased().GetOutcome() != want {
			t.Errorf("released: %v, want %s", r, want)
		}
	}
	if standing(t, store, "a").Held || !standing(t, store, "b").Held {
		t.Error("want a free and b held")
	}
}

// errorsOnTheWire are all that a store or the Lessor can answer.
var errorsOnTheWire = []error{
	&lease.HeldError{Holder: holder}, &lease.HeldError{Holder: holder, Place: 3, Ticket: 77}, lease.ErrSuperseded, lease.ErrLost,
	&lease.LostError{Loss: lease.Loss{Cause: lease.CauseForced, By: "ops", Reason: "fire"}},
	&lease.LostError{Loss: lease.Loss{Cause: lease.CauseExpired}}, &lease.LostError{Loss: lease.Loss{Cause: lease.CauseGrantedToAnother}},
	lease.ErrUnknown, lease.ErrUnavailable, lease.ErrGrantsRefused, lease.ErrStoreFull, lease.ErrOverloaded, lease.ErrLineFull, lease.ErrDraining,
	&lease.InvalidError{Field: "ttl", Problem: "is 0"}, errors.New("boom"), context.DeadlineExceeded, context.Canceled,
}

// said is what a unary error says, in the words of a session.
func said(err error) *lockdv1.Error {
	st := status.Convert(err)
	e := &lockdv1.Error{
		Code: int32(st.Code()), Reason: reason(err), Message: st.Message(),
		Held: detail[*lockdv1.Held](err), Loss: detail[*lockdv1.Loss](err),
	}
	if violations := detail[*errdetails.BadRequest](err).GetFieldViolations(); len(violations) == 1 {
		e.Field = violations[0].GetField()
	}
	return e
}

func TestAnOperationFailsOnASessionAsItDoesInACall(t *testing.T) {
	t.Parallel()         // a release is repeated after a second, and its server waits for that
	var over atomic.Bool // then what failed may be made up for
	defer over.Store(true)
	for _, fault := range errorsOnTheWire {
		s := serve(t, &fakeStore{
			acquire: func(context.Context, lease.Acquisition) (lease.Lease, error) { return lease.Lease{}, fault },
			renew:   func(context.Context, lease.Renewal) (lease.Lease, error) { return lease.Lease{}, fault },
			release: func(context.Context, lease.ReleaseRequest) (lease.Released, error) {
				if over.Load() {
					return lease.Released{}, nil
				}
				return lease.Released{}, fault
			},
		})
		k := openSession(t, s)
		acquire := &lockdv1.AcquireRequest{Name: "a", LeaseId: id1}
		renew := &lockdv1.RenewRequest{Name: "a", LeaseId: id1}
		release := &lockdv1.ReleaseRequest{Name: "a", LeaseId: id1}
		_, byAcquire := s.leases.Acquire(t.Context(), acquire)
		_, byRenew := s.leases.Renew(t.Context(), renew)
		_, byRelease := s.leases.Release(t.Context(), release)
		for want, request := range map[error]any{byAcquire: acquire, byRenew: renew, byRelease: release} {
			if want == nil {
				t.Fatalf("%T with %v succeeds in a call", request, fault)
			}
			got := k.answer(k.do(request)).GetError()
			if diff := cmp.Diff(said(want), got, protocmp.Transform()); diff != "" {
				t.Errorf("%T with %v: -call +session\n%s", request, fault, diff)
			}
		}
	}
}

func TestEveryFieldIsCheckedOnASessionAsInACall(t *testing.T) {
	s := serve(t, &fakeStore{})
	k := openSession(t, s)
	for _, request := range []any{
		&lockdv1.AcquireRequest{LeaseId: id1}, &lockdv1.AcquireRequest{Name: "a"},
		&lockdv1.AcquireRequest{Name: "a", LeaseId: id1, Owner: strings.Repeat("o", 257)},
		&lockdv1.RenewRequest{Name: "a//b", LeaseId: id1}, &lockdv1.ReleaseRequest{Name: "a", LeaseId: "x"},
	} {
		var err error
		switch r := request.(type) {
		case *lockdv1.AcquireRequest:
			_, err = s.leases.Acquire(t.Context(), r)
		case *lockdv1.RenewRequest:
			_, err = s.leases.Renew(t.Context(), r)
		case *lockdv1.ReleaseRequest:
			_, err = s.leases.Release(t.Context(), r)
		}
		if got := k.answer(k.do(request)).GetError(); got.GetField() == "" || cmp.Diff(said(err), got, protocmp.Transform()) != "" {
			t.Errorf("%v: %v on a session, %v in a call", request, got, err)
		}
	}
	if got := k.answer(k.do(nil)).GetError(); got.GetReason() != "INVALID_ARGUMENT" || got.GetField() != "request" {
		t.Errorf("an operation without a request answers %v, want INVALID_ARGUMENT about request", got)
	}
}

// sendBytes sends bytes as a session's first message and answers how the stream ends.
func sendBytes(t *testing.T, s *subject, data []byte) error {
	t.Helper()
	desc := &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}
	stream, err := s.conn.NewStream(t.Context(), desc, lockdv1.LeaseService_Session_FullMethodName, grpc.ForceCodecV2(rawCodec{}))
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.SendMsg(data); err != nil {
		t.Fatal(err)
	}
	return stream.RecvMsg(new([]byte))
}

func TestAStreamThatBreaksARuleEndsWithAReasonAndNoOtherNotices(t *testing.T) {
	s, _ := serveMemory(t)
	beside := openSession(t, s) // on the same connection
	hello := &lockdv1.Hello{Client: "test"}
	acquire := func(ids ...uint64) (ops []*lockdv1.Operation) {
		for _, id := range ids {
			ops = append(ops, operation(id, &lockdv1.AcquireRequest{Name: "held", LeaseId: id1}))
		}
		return ops
	}
	long := strings.Repeat("c", 257)
	for name, c := range map[string]struct {
		messages []*lockdv1.SessionRequest
		code     codes.Code
		reason   string
		field    string
	}{
		"an operation before the hello": {messages: []*lockdv1.SessionRequest{{Operations: acquire(1)}}, code: codes.InvalidArgument, reason: "PROTOCOL"},
		"a cancellation before":         {messages: []*lockdv1.SessionRequest{{Cancels: []uint64{1}}}, code: codes.InvalidArgument, reason: "PROTOCOL"},
		"a resumption before":           {messages: []*lockdv1.SessionRequest{{Resumed: []*lockdv1.Resumed{{Name: "a", Token: 1}}}}, code: codes.InvalidArgument, reason: "PROTOCOL"},
		"nothing before":                {messages: []*lockdv1.SessionRequest{{}}, code: codes.InvalidArgument, reason: "PROTOCOL"},
		"a second hello":                {messages: []*lockdv1.SessionRequest{{Hello: hello}, {Hello: hello}}, code: codes.InvalidArgument, reason: "PROTOCOL"},
		"id 0":                          {messages: []*lockdv1.SessionRequest{{Hello: hello, Operations: acquire(0)}}, code: codes.InvalidArgument, reason: "PROTOCOL"},
		"an id twice in a message":      {messages: []*lockdv1.SessionRequest{{Hello: hello, Operations: acquire(4, 4)}}, code: codes.InvalidArgument, reason: "PROTOCOL"},
		"an id twice":                   {messages: []*lockdv1.SessionRequest{{Hello: hello, Operations: acquire(4)}, {Operations: acquire(4)}}, code: codes.InvalidArgument, reason: "PROTOCOL"},
		"a smaller id":                  {messages: []*lockdv1.SessionRequest{{Hello: hello, Operations: acquire(4, 3)}}, code: codes.InvalidArgument, reason: "PROTOCOL"},
		"a cancellation of nothing":     {messages: []*lockdv1.SessionRequest{{Hello: hello, Operations: acquire(4), Cancels: []uint64{5}}}, code: codes.InvalidArgument, reason: "PROTOCOL"},
		"a cancellation of 0":           {messages: []*lockdv1.SessionRequest{{Hello: hello, Operations: acquire(4), Cancels: []uint64{0}}}, code: codes.InvalidArgument, reason: "PROTOCOL"},
		"a client's name too long":      {messages: []*lockdv1.SessionRequest{{Hello: &lockdv1.Hello{Client: long}}}, code: codes.InvalidArgument, reason: "INVALID_ARGUMENT", field: "client"},
		"a client's name in two lines":  {messages: []*lockdv1.SessionRequest{{Hello: &lockdv1.Hello{Client: "a\nb"}}}, code: codes.InvalidArgument, reason: "INVALID_ARGUMENT", field: "client"},
		"a wrong name resumed":          {messages: []*lockdv1.SessionRequest{{Hello: hello, Resumed: []*lockdv1.Resumed{{Name: "/", Token: 1}}}}, code: codes.InvalidArgument, reason: "INVALID_ARGUMENT", field: "resumed"},
		"no token resumed":              {messages: []*lockdv1.SessionRequest{{Hello: hello, Resumed: []*lockdv1.Resumed{{Name: "a"}}}}, code: codes.InvalidArgument, reason: "INVALID_ARGUMENT", field: "resumed"},
		"a token beyond 2^53 resumed":   {messages: []*lockdv1.SessionRequest{{Hello: hello, Resumed: []*lockdv1.Resumed{{Name: "a", Token: 1 << 53}}}}, code: codes.InvalidArgument, reason: "INVALID_ARGUMENT", field: "resumed"},
		"a message of more than 64 KiB": {messages: []*lockdv1.SessionRequest{{Hello: hello, Cancels: make([]uint64, maxRequest)}}, code: codes.ResourceExhausted},
		"a hello of more than 64 KiB":   {messages: []*lockdv1.SessionRequest{{Hello: &lockdv1.Hello{Client: strings.Repeat("c", maxRequest)}}}, code: codes.ResourceExhausted},
	} {
		k := dialSession(t, s)
		for _, m := range c.messages {
			_ = k.stream.Send(m) // it may have ended already: Recv says how
		}
		err := k.ends()
		if status.Code(err) != c.code || reason(err) != c.reason || said(err).GetField() != c.field {
			t.Errorf("%s: the stream ends with %v, want %s %s %s", name, err, c.code, c.reason, c.field)
		}
		beside.acquires("beside", id2)
	}
}

func TestAMalformedMessageEndsItsStreamAndNamesTheField(t *testing.T) {
	s, _ := serveMemory(t)
	beside := openSession(t, s)
	hello := entry(1, nil)
	for name, c := range map[string]struct {
		data  []byte
		field string
	}{
		"a client that is not UTF-8":  {entry(1, entry(1, []byte("a\xffb"))), "hello"},
		"a name that is not UTF-8":    {slices.Concat(hello, entry(2, slices.Concat([]byte{0x08, 1}, entry(2, entry(1, []byte("\xff")))))), "operations"},
		"an operation cut short":      {append(slices.Clone(hello), 0x12, 100), "operations"},
		"no field at all":             {[]byte{0x07}, "request"},
		"a cancellation cut short":    {append(protowire.AppendTag(hello, 3, protowire.VarintType), 0x80), "cancels"},
		"a resumption that is no one": {slices.Concat(hello, entry(4, []byte{0x0a, 9})), "resumed"},
	} {
		err := sendBytes(t, s, c.data)
		if status.Code(err) != codes.InvalidArgument || reason(err) != "INVALID_ARGUMENT" || said(err).GetField() != c.field {
			t.Errorf("%s: the stream ends with %v about %q, want INVALID_ARGUMENT about %q", name, err, said(err).GetField(), c.field)
		}
		beside.acquires("beside", id2)
	}
}

func TestASessionHasAtMost20000OperationsUnanswered(t *testing.T) {
	s := serve(t, heldByAnother(nil))
	beside := openSession(t, s)
	k := openSession(t, s)
	for first := 1; first <= maxUnanswered+1; first += 500 {
		m := new(lockdv1.SessionRequest)
		for n := first; n < first+500 && n <= maxUnanswered+1; n++ {
			m.Operations = append(m.Operations, operation(uint64(n), &lockdv1.AcquireRequest{Name: "a", LeaseId: leaseID(n), Wait: wait}))
		}
		k.send(m)
		if first <= maxUnanswered {
			k.hear("places in line", func() bool { return len(k.answers) == first+499 })
		}
	}
	if err := k.ends(); status.Code(err) != codes.ResourceExhausted || reason(err) != "OVERLOADED" {
		t.Errorf("a session with %d operations unanswered ends with %v, want RESOURCE_EXHAUSTED/OVERLOADED", maxUnanswered+1, err)
	}
	beside.queues("beside", id1)
}

func TestAFaultIsOneOperationsAndNotTheSessions(t *testing.T) {
	x := &session{service: &leaseService{gate: newGate(Bounds{})}, out: newOutbox(), ctx: t.Context(), slots: make(chan struct{}, 1)} // without a Lessor
	for id := range uint64(2) {
		if err := x.begin(operation(id+1, &lockdv1.ReleaseRequest{Name: "a", LeaseId: id1})); err != nil {
			t.Fatalf("operation %d ends the session: %v", id+1, err)
		}
	}
	answers := message(t, x.out.take()).GetAnswers()
	if len(answers) != 2 {
		t.Fatalf("%d answers, want 2", len(answers))
	}
	for _, a := range answers {
		if e := a.GetError(); e.GetReason() != "INTERNAL" || strings.Contains(e.GetMessage(), "nil pointer") {
			t.Errorf("a fault answers %v, want INTERNAL without its text", e)
		}
	}
	x.running.Wait()
}

func TestAnOperationIsOneLineWithoutSecrets(t *testing.T) {
	s, _ := serveMemory(t)
	k := openSession(t, s)
	const id = "0123456789abcdef0123456789abcdef"
	k.acquires("orders/42", id)
	line := logged(t, s, "operation")
	got := line.ContextMap()
	if line.Level.String() != "debug" || got["method"] != lockdv1.LeaseService_Acquire_FullMethodName || got["name"] != "orders/42" ||
		got["lease_id"] != "012345…" || got["code"] != "OK" {
		t.Errorf("the line of an operation = %s %v, want it at debug with method, name, code and the head of the lease id", line.Level, got)
	}
}

func TestAClientThatHasClosedItsHalfGetsItsAnswers(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	s := serve(t, &fakeStore{renew: func(context.Context, lease.Renewal) (lease.Lease, error) {
		close(entered)
		<-leave
		return holder, nil
	}})
	k := openSession(t, s)
	op := k.do(&lockdv1.RenewRequest{Name: "a", LeaseId: id1})
	<-entered
	if err := k.stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	close(leave)
	if a := k.answer(op); a.GetRenewed() == nil {
		t.Errorf("answer after the half was closed = %v, want the renewal", a)
	}
	if err := k.ends(); !errors.Is(err, io.EOF) {
		t.Errorf("the stream ends with %v, want OK when all is answered", err)
	}
}
