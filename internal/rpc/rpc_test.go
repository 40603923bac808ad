package rpc

import (
	"context"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/internal/lease/leasetest"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	id1 = "00000000000000000000000000000001"
	id2 = "00000000000000000000000000000002"
)

// fakeStore answers what a test tells it to; a method without an answer panics.
type fakeStore struct {
	acquire func(context.Context, lease.Acquisition) (lease.Lease, error)
	renew   func(context.Context, lease.Renewal) (lease.Lease, error)
	release func(context.Context, lease.ReleaseRequest) (lease.Released, error)
	force   func(context.Context, lease.ForceRequest) (lease.Lease, error)
	undo    func(lease.Undoing) // nil: nothing
	get     func(context.Context, lease.GetRequest) (lease.Standing, error)
	list    func(context.Context, lease.ListRequest) (lease.Page, error)
	watch   func(context.Context, string, func(lease.Event)) (func(), error)
	status  lease.Status
	forced  func(lease.Event)
}

func (f *fakeStore) Acquire(ctx context.Context, a lease.Acquisition) (lease.Lease, error) {
	return f.acquire(ctx, a)
}
func (f *fakeStore) Undo(_ context.Context, u lease.Undoing) error {
	if f.undo != nil {
		f.undo(u)
	}
	return nil
}
func (f *fakeStore) Renew(ctx context.Context, r lease.Renewal) (lease.Lease, error) {
	return f.renew(ctx, r)
}
func (f *fakeStore) Release(ctx context.Context, r lease.ReleaseRequest) (lease.Released, error) {
	return f.release(ctx, r)
}

// Start has every call done in a goroutine of its own, since a test's answer may wait.
func (f *fakeStore) Start(calls []*lease.Call) {
	for _, c := range calls {
		go leasetest.Start(f, []*lease.Call{c})
	}
}
func (f *fakeStore) ForceRelease(ctx context.Context, r lease.ForceRequest) (lease.Lease, error) {
	return f.force(ctx, r)
}
func (f *fakeStore) Get(ctx context.Context, r lease.GetRequest) (lease.Standing, error) {
	return f.get(ctx, r)
}
func (f *fakeStore) Watch(ctx context.Context, prefix string, deliver func(lease.Event)) (func(), error) {
	return f.watch(ctx, prefix, deliver)
}

func (f *fakeStore) Announce(context.Context, lease.Event) error { return nil }

// Forced keeps deliver for the test to call.
func (f *fakeStore) Forced(deliver func(lease.Event)) { f.forced = deliver }
func (f *fakeStore) List(ctx context.Context, r lease.ListRequest) (lease.Page, error) {
	return f.list(ctx, r)
}
func (f *fakeStore) Status() lease.Status { return f.status }
func (f *fakeStore) Close() error         { return nil }

// subject is a server over a store, with a connection to it.
type subject struct {
	*Server
	addr   string
	conn   *grpc.ClientConn
	leases lockdv1.LeaseServiceClient
	admin  lockdv1.AdminServiceClient
	log    *observer.ObservedLogs
	dial   []grpc.DialOption
	// served gets what Serve returned.
	served chan error
}

// option changes a subject before it serves.
type option func(*subject)

func withProbe(p *probe) option {
	return func(s *subject) { register(s.grpc, probeDesc, p) }
}

func withDial(opts ...grpc.DialOption) option {
	return func(s *subject) { s.dial = opts }
}

// quiet has nothing logged.
func quiet(s *subject) { s.around.access.to = zap.NewNop() }

// serve starts a server over store on loopback and connects to it; both end with the test.
func serve(t testing.TB, store lease.Store, opts ...option) *subject {
	t.Helper()
	core, log := observer.New(zapcore.DebugLevel)
	lessor := lease.NewLessor(store, lease.Limits{}.WithDefaults())
	s := &subject{log: log, Server: NewServer(Config{Lessor: lessor, Log: zap.New(core), Version: "v1.2.3", Reflection: true})}
	for _, o := range opts {
		o(s)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	s.served = make(chan error, 1)
	go func() { s.served <- s.Serve(l) }()
	s.conn = connect(t, s.addr, s.dial...)
	s.leases, s.admin = lockdv1.NewLeaseServiceClient(s.conn), lockdv1.NewAdminServiceClient(s.conn)
	t.Cleanup(func() {
		_ = s.conn.Close()
		s.grpc.Stop()
		s.sessions.tails.Wait()
		if err := <-s.served; err != nil {
			t.Errorf("Serve() = %v, want nil after Stop", err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := lessor.Close(ctx); err != nil {
			t.Errorf("lessor.Close() = %v", err)
		}
	})
	return s
}

func connect(t testing.TB, addr string, opts ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	opts = append([]grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}, opts...)
	conn, err := grpc.NewClient(addr, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}
