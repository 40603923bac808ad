package lockd

import (
	"context"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// fakeLockd stands where gRPC would, so that tests can run on synctest's clock. It grants whatever it
// is asked for; a test replaces the answers it is about. It fails the test when attempts of one lease
// id overlap or do not count up.
type fakeLockd struct {
	lockdv1.LeaseServiceClient // nil: what the client does not call
	t                          *testing.T

	acquire func(context.Context, *lockdv1.AcquireRequest) (*lockdv1.AcquireResponse, error)
	renew   func(context.Context, *lockdv1.RenewRequest) (*lockdv1.RenewResponse, error)
	release func(context.Context, *lockdv1.ReleaseRequest) (*lockdv1.ReleaseResponse, error)
	// unreachable: requests fail without having reached a connection.
	unreachable bool

	mu       sync.Mutex
	acquires []*lockdv1.AcquireRequest
	renews   []*lockdv1.RenewRequest
	releases []*lockdv1.ReleaseRequest
	times    []time.Time // of the renewals
	attempts map[string]uint32
	asking   map[string]bool // lease ids whose Acquire is under way
	renewing int             // Renew calls under way
	most     int             // of renewing
}

const fakeToken = 4711

// newFake returns a fake and a client of it, which is closed when the test ends.
func newFake(t *testing.T, opts ...DialOption) (*fakeLockd, *Client) {
	f := newLockd(t)
	c := newClient(newConfig(opts), "fake", nil, f)
	t.Cleanup(func() { _ = c.Close() })
	return f, c
}

func newLockd(t *testing.T) *fakeLockd {
	f := &fakeLockd{t: t, attempts: make(map[string]uint32), asking: make(map[string]bool)}
	f.acquire = func(_ context.Context, r *lockdv1.AcquireRequest) (*lockdv1.AcquireResponse, error) {
		return granted(r), nil
	}
	f.renew = func(_ context.Context, r *lockdv1.RenewRequest) (*lockdv1.RenewResponse, error) {
		return renewed(r), nil
	}
	f.release = func(context.Context, *lockdv1.ReleaseRequest) (*lockdv1.ReleaseResponse, error) {
		return released(lockdv1.ReleaseResponse_HELD), nil
	}
	return f
}

func (f *fakeLockd) Acquire(ctx context.Context, r *lockdv1.AcquireRequest, opts ...grpc.CallOption) (*lockdv1.AcquireResponse, error) {
	f.mu.Lock()
	f.acquires = append(f.acquires, proto.Clone(r).(*lockdv1.AcquireRequest))
	if f.asking[r.GetLeaseId()] {
		f.t.Error("an attempt was sent before the one before had ended")
	}
	f.asking[r.GetLeaseId()] = true
	f.attempts[r.GetLeaseId()]++
	if want := f.attempts[r.GetLeaseId()]; r.GetAttempt() != want {
		f.t.Errorf("attempt = %d, want %d", r.GetAttempt(), want)
	}
	answer := f.acquire
	f.mu.Unlock()
	defer func() { f.mu.Lock(); delete(f.asking, r.GetLeaseId()); f.mu.Unlock() }()
	if f.unreachable {
		<-ctx.Done()
		return nil, status.FromContextError(ctx.Err()).Err()
	}
	for _, opt := range opts {
		if p, ok := opt.(grpc.PeerCallOption); ok {
			*p.PeerAddr = peer.Peer{Addr: &net.TCPAddr{}}
		}
	}
	resp, err := answer(ctx, r)
	if err == nil && ctx.Err() != nil { // as gRPC: an ended context is the answer
		return nil, status.FromContextError(ctx.Err()).Err()
	}
	return resp, err
}

func (f *fakeLockd) Renew(ctx context.Context, r *lockdv1.RenewRequest, _ ...grpc.CallOption) (*lockdv1.RenewResponse, error) {
	f.mu.Lock()
	f.renews = append(f.renews, proto.Clone(r).(*lockdv1.RenewRequest))
	f.times = append(f.times, time.Now())
	f.renewing++
	f.most = max(f.most, f.renewing)
	answer := f.renew
	f.mu.Unlock()
	defer func() { f.mu.Lock(); f.renewing--; f.mu.Unlock() }()
	return answer(ctx, r)
}

func (f *fakeLockd) Release(ctx context.Context, r *lockdv1.ReleaseRequest, _ ...grpc.CallOption) (*lockdv1.ReleaseResponse, error) {
	f.mu.Lock()
	f.releases = append(f.releases, proto.Clone(r).(*lockdv1.ReleaseRequest))
	answer := f.release
	f.mu.Unlock()
	return answer(ctx, r)
}

// Session implements lockdv1.LeaseServiceClient: this fake speaks unary calls only.
func (f *fakeLockd) Session(context.Context, ...grpc.CallOption) (sessionClient, error) {
	return nil, status.Error(codes.Unimplemented, "the fake knows no Session")
}

// change changes what the fake answers while a client is already asking.
func (f *fakeLockd) change(to func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	to()
}

// onRenew is change for the answer to renewals.
func (f *fakeLockd) onRenew(answer func(context.Context, *lockdv1.RenewRequest) (*lockdv1.RenewResponse, error)) {
	f.change(func() { f.renew = answer })
}

// seen returns the requests so far.
func (f *fakeLockd) seen() (acquires []*lockdv1.AcquireRequest, renews []*lockdv1.RenewRequest, releases []*lockdv1.ReleaseRequest) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.acquires), slices.Clone(f.renews), slices.Clone(f.releases)
}

// renewals returns when the renewals so far were sent, and how many were under way at most.
func (f *fakeLockd) renewals() (times []time.Time, most int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.times), f.most
}

// granted answers r with the ttl that it asks for, 30 s if none.
func granted(r *lockdv1.AcquireRequest) *lockdv1.AcquireResponse {
	return &lockdv1.AcquireResponse{Lease: &lockdv1.Lease{
		Name: r.GetName(), Token: fakeToken, Owner: r.GetOwner(), Ttl: ttlOr(r.GetTtl()),
	}}
}

func renewed(r *lockdv1.RenewRequest) *lockdv1.RenewResponse {
	return &lockdv1.RenewResponse{Lease: &lockdv1.Lease{Name: r.GetName(), Token: fakeToken, Ttl: ttlOr(r.GetTtl())}}
}

func ttlOr(ttl *durationpb.Duration) *durationpb.Duration {
	if ttl == nil {
		return durationpb.New(30 * time.Second)
	}
	return ttl
}

func released(outcome lockdv1.ReleaseResponse_Outcome) *lockdv1.ReleaseResponse {
	return &lockdv1.ReleaseResponse{Outcome: outcome}
}

// refuse is an error as lockd answers it.
func refuse(code codes.Code, reason string, details ...protoadapt.MessageV1) error {
	info := &errdetails.ErrorInfo{Domain: domain, Reason: reason}
	st, err := status.New(code, "the fake says "+reason).WithDetails(append([]protoadapt.MessageV1{info}, details...)...)
	if err != nil {
		panic(err)
	}
	return st.Err()
}

var grantedAt = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// heldBy is the refusal of a name that another holds.
func heldBy(owner string) error {
	return refuse(codes.Aborted, reasonHeld, &lockdv1.Held{
		Lease:     &lockdv1.Lease{Name: "job", Token: 42, Owner: owner, Since: timestamppb.New(grantedAt)},
		ExpiresIn: durationpb.New(7 * time.Second),
	})
}

// invalid says that a field is wrong.
func invalid(field string) error {
	st, _ := status.New(codes.InvalidArgument, field+" is wrong").WithDetails(
		protoadapt.MessageV1Of(&errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{{Field: field}}}))
	return st.Err()
}

// unavailable is what gRPC says of a connection that broke.
func unavailable() error { return status.Error(codes.Unavailable, "connection reset by peer") }

// mute answers nothing until the caller gives up.
func mute(ctx context.Context) error {
	<-ctx.Done()
	return status.FromContextError(ctx.Err()).Err()
}

// acquired acquires name or ends the test.
func acquired(t *testing.T, c *Client, name string, opts ...AcquireOption) *Lease {
	t.Helper()
	l, err := c.Acquire(t.Context(), name, opts...)
	if err != nil {
		t.Fatalf("Acquire(%q) = %v", name, err)
	}
	return l
}
