package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/internal/lease/leasetest"
	"github.com/lockd/lockd/internal/memstore"
	"github.com/lockd/lockd/internal/metrics"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
	"github.com/lockd/lockd/test/lockdproc"
)

const (
	id1 = "00000000000000000000000000000001"
	id2 = "00000000000000000000000000000002"
)

// eventually waits until true holds. What it waits for happens in other goroutines or processes
// that cannot be told to say so.
func eventually(t *testing.T, what string, within time.Duration, true func() bool) {
	t.Helper()
	for end := time.Now().Add(within); !true(); <-time.After(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %s", what, within)
		}
	}
}

// seen is a store that notes what is done with it, and in which order.
type seen struct {
	lease.Store
	refusal atomic.Pointer[string]
	// acquire, if set, stands before the store's.
	acquire func(context.Context, lease.Acquisition) error

	mu    sync.Mutex
	noted []string
}

func newSeen() *seen { return &seen{Store: memstore.New()} }

func (s *seen) note(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.noted = append(s.noted, what)
}

func (s *seen) notes() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.noted)
}

func (s *seen) Acquire(ctx context.Context, a lease.Acquisition) (lease.Lease, error) {
	if s.acquire != nil {
		if err := s.acquire(ctx, a); err != nil {
			return lease.Lease{}, err
		}
	}
	return s.Store.Acquire(ctx, a)
}

// Start does not wait, though what stands before Acquire may.
func (s *seen) Start(calls []*lease.Call) {
	for _, c := range calls {
		go leasetest.Start(s, []*lease.Call{c})
	}
}

func (s *seen) Undo(ctx context.Context, u lease.Undoing) error {
	if ctx.Err() != nil {
		return ctx.Err() // too late: the Lessor has been closed
	}
	defer s.note("undone " + u.Name)
	return s.Store.Undo(ctx, u)
}

func (s *seen) Status() lease.Status {
	st := s.Store.Status()
	if refusal := s.refusal.Load(); refusal != nil {
		st.Refusal = *refusal
	}
	return st
}

func (s *seen) Close() error {
	s.note("closed")
	return s.Store.Close()
}

// served is a lockd within the test's process.
type served struct {
	grpc, http string
	log        *observer.ObservedLogs
	level      zap.AtomicLevel
	conn       *grpc.ClientConn
	leases     lockdv1.LeaseServiceClient
	end        context.CancelFunc // what SIGTERM does
	ended      chan struct{}
	err        error // of serve, once ended is closed
}

func serveInProcess(t *testing.T, store lease.Store) *served {
	t.Helper()
	c, err := loaded(t, []string{"--listen=127.0.0.1:0", "--http=127.0.0.1:0"}, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	core, log := observer.New(zapcore.DebugLevel)
	ctx, end := context.WithCancel(context.Background())
	s := &served{log: log, level: zap.NewAtomicLevel(), end: end, ended: make(chan struct{})}
	go func() {
		defer close(s.ended)
		s.err = serve(ctx, c, store, host{version: "v1", log: zap.New(core), level: s.level, metrics: metrics.New("v1", metrics.Classes{})})
	}()
	eventually(t, "the ready line", 5*time.Second, func() bool { return log.FilterMessage("serving").Len() == 1 })
	line := log.FilterMessage("serving").All()[0].ContextMap()
	s.grpc, s.http = line["grpc"].(string), line["http"].(string)
	s.conn = lockdproc.Conn(t, s.grpc)
	s.leases = lockdv1.NewLeaseServiceClient(s.conn)
	t.Cleanup(func() {
		end()
		<-s.ended
		if s.err != nil {
			t.Errorf("serve() = %v, want nil", s.err)
		}
	})
	return s
}

// probe answers what a path of the HTTP server says, and 0 if nobody is there.
func probe(t *testing.T, addr, path string) (int, string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
	reply, err := client.Get("http://" + addr + path)
	if err != nil {
		return 0, err.Error()
	}
	defer reply.Body.Close()
	body, _ := io.ReadAll(reply.Body)
	return reply.StatusCode, strings.TrimSpace(string(body))
}

func healthOf(t *testing.T, conn *grpc.ClientConn) string {
	t.Helper()
	got, err := healthpb.NewHealthClient(conn).Check(t.Context(), &healthpb.HealthCheckRequest{})
	if err != nil {
		return err.Error()
	}
	return got.GetStatus().String()
}

// The end in its written order: see process.end.
func TestTheEndKeepsItsOrder(t *testing.T) {
	store := newSeen()
	entered, leave := make(chan struct{}), make(chan struct{})
	store.acquire = func(_ context.Context, a lease.Acquisition) error {
		if a.Name != "slow" {
			return nil
		}
		close(entered) // a call under way at the signal; what becomes of it is to be undone a second later
		<-leave
		store.note("answered")
		return lease.ErrUnknown
	}
	s := serveInProcess(t, store)
	acquire := func(name, id string, wait time.Duration) error {
		_, err := s.leases.Acquire(context.Background(), &lockdv1.AcquireRequest{Name: name, LeaseId: id, Wait: durationpb.New(wait)})
		return err
	}
	if err := acquire("held", id1, 0); err != nil {
		t.Fatal(err)
	}
	slow, waiting := make(chan error, 1), make(chan error, 1)
	go func() { waiting <- acquire("held", id2, time.Minute) }()
	go func() { slow <- acquire("slow", id2, 0) }()
	<-entered
	eventually(t, "a waiter in line", 5*time.Second, func() bool {
		is, err := store.Get(t.Context(), lease.GetRequest{Name: "held"})
		return err == nil && is.Waiting == 1
	})

	s.end()
	if err := <-waiting; status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "draining") {
		t.Errorf("a wait ends with %v, want DRAINING", err)
	}
	// Now the drain is under way, and held up by the slow call.
	if code, body := probe(t, s.http, "/readyz"); code != 503 || body != "draining" {
		t.Errorf("/readyz while draining = %d %q, want 503 draining", code, body)
	}
	if code, _ := probe(t, s.http, "/healthz"); code != 200 {
		t.Errorf("/healthz while draining = %d, want 200: it is no failure", code)
	}
	eventually(t, "the waiter's place given up for now", 5*time.Second, func() bool { return len(store.notes()) > 0 })
	if got, want := store.notes(), []string{"undone held"}; !slices.Equal(got, want) {
		t.Errorf("while a call is under way the store has seen %v, want %v and nothing else yet", got, want)
	}
	close(leave)
	if err := <-slow; status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), lease.ErrUnknown.Error()) {
		t.Errorf("the call under way ends with %v, want the store's own answer", err)
	}
	<-s.ended
	if got, want := store.notes(), []string{"undone held", "answered", "undone slow", "closed"}; !slices.Equal(got, want) {
		t.Errorf("the store has seen %v, want %v", got, want)
	}
	if code, _ := probe(t, s.http, "/healthz"); code != 0 {
		t.Errorf("/healthz after the end = %d, want nobody there", code)
	}
}

func TestATakenPortEndsLockdAndClosesTheStore(t *testing.T) {
	store := newSeen()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := loaded(t, []string{"--listen", l.Addr().String(), "--http="}, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	err = serve(t.Context(), c, store, host{log: zap.NewNop(), metrics: metrics.New("", metrics.Classes{})})
	if err == nil || !strings.Contains(err.Error(), l.Addr().String()) || exitCode(err) != exitOther {
		t.Errorf("serve on a taken port = %v, exit %d, want the address and 1", err, exitCode(err))
	}
	if got := store.notes(); !slices.Equal(got, []string{"closed"}) {
		t.Errorf("the store has seen %v, want it closed", got)
	}
}

func TestTheHTTPPortTakenFreesTheOther(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	socket := filepath.Join(t.TempDir(), "lockd.sock")
	c, err := loaded(t, []string{"--listen", "unix://" + socket, "--http", taken.Addr().String()}, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := serve(t.Context(), c, newSeen(), host{log: zap.NewNop(), metrics: metrics.New("", metrics.Classes{})}); err == nil || !strings.Contains(err.Error(), taken.Addr().String()) {
		t.Errorf("serve with a taken HTTP port = %v, want its address", err)
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatalf("the gRPC address is still taken: %v", err)
	}
	_ = l.Close()
}

// broken is a listener that fails while it serves.
type broken struct{ net.Listener }

func (broken) Accept() (net.Conn, error) { return nil, errors.New("out of luck") }

func TestAListenerThatFailsDrainsAndEndsLockd(t *testing.T) {
	for _, which := range []string{"gRPC", "HTTP"} {
		c, err := loaded(t, nil, nil, "")
		if err != nil {
			t.Fatal(err)
		}
		good, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		bad, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		store := newSeen()
		at := []net.Listener{good, broken{bad}}
		if which == "gRPC" {
			slices.Reverse(at)
		}
		err = newProcess(c, store, host{log: zap.NewNop(), metrics: metrics.New("", metrics.Classes{})}).run(t.Context(), at[0], at[1])
		if err == nil || !strings.Contains(err.Error(), which+" on "+bad.Addr().String()) || !strings.Contains(err.Error(), "out of luck") {
			t.Errorf("a %s listener that fails ends lockd with %v, want its address and the reason", which, err)
		}
		if got := store.notes(); !slices.Equal(got, []string{"closed"}) {
			t.Errorf("the store has seen %v, want it closed", got)
		}
	}
}
