// Package rpc is how leases are spoken: the gRPC services of proto/lockd/v1 in front of a
// lease.Lessor, beside grpc.health.v1 and, if asked for, reflection.
//
// Handlers decode, call the Lessor and encode. What all calls have in common stands around them, in
// interceptors for unary calls and streams alike: one error switch (errors.go), the access log
// (log.go), recovery from panics and a bound on every call (interceptors.go), and the question who may make it
// (admission.go). Limits on what a client may send or hold are grpc-go settings (settings.go); what is asked for nothing
// slows the connection and the address that it comes from (origin.go).
//
// The package knows no store. It listens on what it is given, and who may call what is an auth.Guard's to say.
package rpc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"

	"github.com/lockd/lockd/internal/audit"
	"github.com/lockd/lockd/internal/auth"
	"github.com/lockd/lockd/internal/diagnosis"
	"github.com/lockd/lockd/internal/lease"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// Config says what a Server serves.
type Config struct {
	Lessor     *lease.Lessor // required
	Log        *zap.Logger   // nil: no log
	Version    string        // what Status answers
	Audit      *audit.Log    // nil: none is kept
	Bounds     Bounds        // what may be asked; see SetBounds
	Reflection bool          // whether the services describe themselves (grpc.reflection.v1)
	Guard      *auth.Guard   // who may call, and what is shown over TLS; nil: everybody, and plaintext
	Meter      NewMeter      // makes what measures a method's calls; nil: nobody does

	// Diagnose looks for what endangers leases, within 2.5 s; nil: nothing is looked at.
	Diagnose func(context.Context) diagnosis.Report
}

// Server serves a Lessor over gRPC. It is safe for concurrent use and serves once: after Shutdown
// make a new one.
type Server struct {
	lessor   *lease.Lessor
	grpc     *grpc.Server
	health   *health.Server
	around   *around
	sessions *sessions
}

// NewServer returns a Server that reports NOT_SERVING until SetServing says otherwise. The Lessor
// stays the caller's: Shutdown ends its waits, closing it comes after.
func NewServer(c Config) *Server {
	if c.Log == nil {
		c.Log = zap.NewNop()
	}
	a := newAround(c)
	s := &Server{
		lessor: c.Lessor, grpc: grpc.NewServer(settings(a)...), health: health.NewServer(), around: a, sessions: newSessions(),
	}
	s.SetServing(false)
	c.Lessor.ReportForces(a.access.forced)

	is := newProcess(c.Version)
	register(s.grpc, lockdv1.LeaseService_ServiceDesc, &leaseService{lessor: c.Lessor, process: is, sessions: s.sessions, access: a.access, gate: a.gate})
	register(s.grpc, lockdv1.AdminService_ServiceDesc, &adminService{lessor: c.Lessor, process: is, diagnose: c.Diagnose, diagnosing: make(chan struct{}, maxDiagnoses)})
	register(s.grpc, lockdv1.AuthService_ServiceDesc, authService{})
	healthpb.RegisterHealthServer(s.grpc, s.health)
	if c.Reflection {
		reflection.Register(s.grpc)
	}
	a.access.meters = metersFor(s.grpc.GetServiceInfo(), c.Meter)
	return s
}

// SetBounds puts bounds in force for whatever is asked from now on. What is open stays open.
func (s *Server) SetBounds(b Bounds) { s.around.gate.bounds.Store(&b) }

// Bounds answers those in force.
func (s *Server) Bounds() Bounds { return *s.around.gate.bounds.Load() }

// Serve accepts connections on l until Shutdown and closes l. It returns nil after Shutdown, or why l
// failed.
func (s *Server) Serve(l net.Listener) error {
	if err := s.grpc.Serve(&door{Listener: l, gate: s.around.gate, log: s.around.access.to}); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		return fmt.Errorf("serve gRPC on %s: %w", l.Addr(), err)
	}
	return nil
}

// SetServing sets what grpc.health.v1 answers for the server ("") and for each lockd service. It
// refuses no call: renewals and releases go on also while a server is not fit to be sent new work.
// After Shutdown it does nothing.
func (s *Server) SetServing(serving bool) {
	is := healthpb.HealthCheckResponse_NOT_SERVING
	if serving {
		is = healthpb.HealthCheckResponse_SERVING
	}
	for _, service := range []string{"", lockdv1.LeaseService_ServiceDesc.ServiceName, lockdv1.AdminService_ServiceDesc.ServiceName, lockdv1.AuthService_ServiceDesc.ServiceName} {
		s.health.SetServingStatus(service, is)
	}
}

// Shutdown ends serving and returns when nothing of it runs any more. What is held stays held: leases
// are the store's. The order is the point:
//
//  1. health says NOT_SERVING, so that nobody new is sent here, and the connections say that new
//     calls go elsewhere; those under way are finished;
//  2. sessions say that the server is draining, so that their clients open another one;
//  3. waits end with DRAINING, since nothing else would end them; their places are kept;
//  4. sessions end when their client has closed its half, all of them after 2 s, with DRAINING; what is
//     asked on them until then is served;
//  5. the other streams end, with DRAINING;
//  6. when ctx ends, connections that are still open are cut.
//
// A ctx that ended first is the error; even then Shutdown returns only after the last handler, which
// a store call can hold up for as long as the Lessor bounds it. Call it once.
func (s *Server) Shutdown(ctx context.Context) error {
	s.health.Shutdown()
	done := make(chan struct{})
	go func() { s.grpc.GracefulStop(); close(done) }()
	none := s.sessions.drain()
	s.lessor.Drain()
	patience := time.NewTimer(sessionsEndIn)
	defer patience.Stop()
	select {
	case <-none:
	case <-patience.C:
	case <-ctx.Done():
	}
	s.around.endStreams()

	var err error
	select {
	case <-done:
	case <-ctx.Done():
		s.grpc.Stop()
		<-done
		err = fmt.Errorf("cut gRPC connections that were still open: %w", ctx.Err())
	}
	s.sessions.tails.Wait()
	return err
}
