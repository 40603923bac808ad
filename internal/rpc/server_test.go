package rpc

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/lockd/lockd/internal/lease"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// heldByAnother is a store in which every name is taken, with nobody in line for it. tried gets a value
// when one was asked for.
func heldByAnother(tried chan<- struct{}) *fakeStore {
	return &fakeStore{acquire: func(_ context.Context, a lease.Acquisition) (lease.Lease, error) {
		select {
		case tried <- struct{}{}:
		default:
		}
		held := &lease.HeldError{Holder: holder}
		if a.Turn != nil {
			held.Place, held.Ticket = 1, 5
		}
		return lease.Lease{}, held
	}}
}

// shutdown runs Shutdown with patience and answers how it ended.
func shutdown(t *testing.T, s *subject, patience time.Duration) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return s.Shutdown(ctx)
}

func TestHealthFollowsSetServingForEveryService(t *testing.T) {
	s := serve(t, &fakeStore{})
	health := healthpb.NewHealthClient(s.conn)
	expect := func(want healthpb.HealthCheckResponse_ServingStatus) {
		t.Helper()
		for _, service := range []string{"", "lockd.v1.LeaseService", "lockd.v1.AdminService"} {
			got, err := health.Check(t.Context(), &healthpb.HealthCheckRequest{Service: service})
			if err != nil || got.GetStatus() != want {
				t.Errorf("health of %q = %v, %v, want %v", service, got.GetStatus(), err, want)
			}
		}
	}
	expect(healthpb.HealthCheckResponse_NOT_SERVING)
	s.SetServing(true)
	expect(healthpb.HealthCheckResponse_SERVING)
	s.SetServing(false)
	expect(healthpb.HealthCheckResponse_NOT_SERVING)

	if _, err := health.Check(t.Context(), &healthpb.HealthCheckRequest{Service: "nobody"}); status.Code(err) != codes.NotFound {
		t.Errorf("health of a service nobody has = %v, want NOT_FOUND as the health protocol says", err)
	}
}

func TestShutdownEndsWaitsAndStreamsWithDraining(t *testing.T) {
	tried := make(chan struct{}, 1)
	s := serve(t, heldByAnother(tried))
	s.SetServing(true)

	watch, err := healthpb.NewHealthClient(s.conn).Watch(t.Context(), &healthpb.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if first, err := watch.Recv(); err != nil || first.GetStatus() != healthpb.HealthCheckResponse_SERVING {
		t.Fatalf("Watch() begins with %v, %v, want SERVING", first, err)
	}
	waited := make(chan error, 1)
	go func() {
		_, err := s.leases.Acquire(t.Context(), &lockdv1.AcquireRequest{Name: "a", LeaseId: id1, Wait: durationpb.New(time.Minute)})
		waited <- err
	}()
	<-tried

	if err := shutdown(t, s, time.Minute); err != nil {
		t.Errorf("Shutdown() = %v, want nil when everything ended by itself", err)
	}
	if err := <-waited; status.Code(err) != codes.Unavailable || reason(err) != "DRAINING" {
		t.Errorf("a wait ends with %v, want UNAVAILABLE/DRAINING", err)
	}
	for err = nil; err == nil; {
		_, err = watch.Recv()
	}
	if status.Code(err) != codes.Unavailable || reason(err) != "DRAINING" {
		t.Errorf("a stream ends with %v, want UNAVAILABLE/DRAINING", err)
	}
}

func TestShutdownSaysNotServingBeforeItEndsAnything(t *testing.T) {
	// The wait's end is held up by its handler, and health is asked meanwhile on the same connection.
	entered, leave := make(chan struct{}), make(chan struct{})
	s := serve(t, &fakeStore{}, withProbe(&probe{unary: func(context.Context) error {
		close(entered)
		<-leave
		return nil
	}}))
	s.SetServing(true)
	watch, err := healthpb.NewHealthClient(s.conn).Watch(t.Context(), &healthpb.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	called := make(chan error, 1)
	go func() {
		called <- s.conn.Invoke(t.Context(), "/test.Probe/Unary", new(emptypb.Empty), new(emptypb.Empty))
	}()
	<-entered
	down := make(chan error, 1)
	go func() { down <- shutdown(t, s, time.Minute) }()
	for err = nil; err == nil; { // the stream has ended: Shutdown is past its first steps
		_, err = watch.Recv()
	}
	check, err := s.health.Check(t.Context(), &healthpb.HealthCheckRequest{})
	if err != nil || check.GetStatus() != healthpb.HealthCheckResponse_NOT_SERVING {
		t.Errorf("health while draining = %v, %v, want NOT_SERVING", check, err)
	}
	s.SetServing(true)
	if check, _ := s.health.Check(t.Context(), &healthpb.HealthCheckRequest{}); check.GetStatus() != healthpb.HealthCheckResponse_NOT_SERVING {
		t.Error("SetServing(true) takes effect after Shutdown, want NOT_SERVING for good")
	}
	close(leave)
	if err := <-called; err != nil {
		t.Errorf("a call under way ends with %v, want it finished", err)
	}
	if err := <-down; err != nil {
		t.Errorf("Shutdown() = %v, want nil", err)
	}
}

func TestShutdownLosesPatienceAndStillOutlivesEveryHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cut, leave := false, make(chan struct{})
		p := &probe{unary: func(ctx context.Context) error {
			<-ctx.Done() // the connection is cut
			cut = true
			<-leave
			return nil
		}}
		servePipes(t, func(s *Server, conn net.Conn) {
			client := connect(t, "passthrough:///pipe", grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) { return conn, nil }))
			go func() { _ = client.Invoke(t.Context(), "/test.Probe/Unary", new(emptypb.Empty), new(emptypb.Empty)) }()
			synctest.Wait()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second) // less than the bound of the call
			defer cancel()
			var err error
			returned := false
			go func() { err, returned = s.Shutdown(ctx), true }()
			<-time.After(time.Second)
			synctest.Wait()
			if !cut {
				t.Error("the connection of a call that does not end stands, want it cut")
			}
			if returned {
				t.Error("Shutdown returned while a handler runs, want it to wait: the store is closed next")
			}
			close(leave)
			synctest.Wait()
			if !returned || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Shutdown() out of patience = %v, returned %t, want DeadlineExceeded after the last handler", err, returned)
			}
			_ = client.Close()
		}, withProbe(p))
	})
}

func TestReflectionIsThereOnlyIfAskedFor(t *testing.T) {
	lessor := lease.NewLessor(&fakeStore{}, lease.Limits{}.WithDefaults())
	for _, on := range []bool{false, true} {
		s := NewServer(Config{Lessor: lessor, Reflection: on})
		if _, got := s.grpc.GetServiceInfo()["grpc.reflection.v1.ServerReflection"]; got != on {
			t.Errorf("NewServer(Reflection: %t) registers reflection: %t", on, got)
		}
	}
}

func TestServeAnswersWhyItsListenerFailed(t *testing.T) {
	s := NewServer(Config{Lessor: lease.NewLessor(&fakeStore{}, lease.Limits{}.WithDefaults())})
	l := &pipes{conns: nil, closed: make(chan struct{})}
	_ = l.Close()
	if err := s.Serve(l); err == nil {
		t.Error("Serve(closed listener) = nil, want an error")
	}
	s.grpc.Stop()
}
