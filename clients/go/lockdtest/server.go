// Package lockdtest runs a lockd inside a test, for the tests of programs that use package lockd.
//
//	server := lockdtest.Start(t)
//	client := server.Client(t)
//
// It is the real thing on the in-memory store behind a loopback listener: what it grants, refuses
// and forgets is what a lockd process would. Two things differ. A ttl may be shorter than a second,
// so that tests need not wait long: 100 ms or more, since the client takes off 1 % and 5 ms. And
// Expire, ForceRelease, Stop and Start make happen what otherwise takes patience or an operator.
//
// A client learns at its next renewal, a third of a ttl later, that its lease is gone. So give leases
// whose loss you test a ttl of some hundred milliseconds.
package lockdtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	lockd "github.com/lockd/lockd/clients/go"
	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/internal/memstore"
	"github.com/lockd/lockd/internal/rpc"
)

// An Option changes how a Server behaves.
type Option func(*lease.Limits)

// WithDefaultTTL sets the ttl of leases that ask for none; the default is 30 s, as for lockd itself.
func WithDefaultTTL(ttl time.Duration) Option {
	return func(l *lease.Limits) { l.DefaultTTL = ttl }
}

// Server is a lockd in this process. One goroutine at a time controls it; those methods that take a
// test end it when they fail.
type Server struct {
	limits lease.Limits
	store  *memstore.Store // outlives Stop, as a Redis would
	addr   string
	lessor *lease.Lessor
	rpc    *rpc.Server // nil while stopped
	served chan error  // what Serve returned
}

// Start runs a lockd until the test ends.
func Start(t testing.TB, opts ...Option) *Server {
	t.Helper()
	s, err := New(opts...)
	must(t, err)
	t.Cleanup(func() { s.Stop(t) })
	return s
}

// New runs a lockd until Close: for TestMain and for examples, where there is no test to end it.
func New(opts ...Option) (*Server, error) {
	s := &Server{limits: lease.Limits{MinTTL: time.Millisecond}, store: memstore.New(), addr: "127.0.0.1:0"}
	for _, opt := range opts {
		opt(&s.limits)
	}
	s.limits = s.limits.WithDefaults()
	if err := s.limits.Validate(); err != nil {
		return nil, err
	}
	return s, s.start()
}

// Close ends the server. It need not be called after Start.
func (s *Server) Close() error { return s.stop() }

// Addr is where the server listens, for lockd.Dial. It stays the same through Stop and Start.
func (s *Server) Addr() string { return s.addr }

// Client returns a client of this server, closed when the test ends.
func (s *Server) Client(t testing.TB, opts ...lockd.DialOption) *lockd.Client {
	t.Helper()
	c, err := lockd.Dial(s.addr, opts...)
	must(t, err)
	t.Cleanup(func() { _ = c.Close() }) // what it cannot release ends with the server
	return c
}

// Expire lets the lease on name run out now, as if its holder had been silent for its ttl. The holder
// learns of it at its next renewal.
func (s *Server) Expire(t testing.TB, name string) {
	t.Helper()
	if !s.store.Expire(name) {
		must(t, fmt.Errorf("expire %q: nobody holds it", name))
	}
}

// ForceRelease ends the lease on name as an operator would, who has to give a reason. The holder
// learns of it at its next renewal.
func (s *Server) ForceRelease(t testing.TB, name, reason string) {
	t.Helper()
	held, ok, err := s.lessor.Get(t.Context(), lease.GetRequest{Name: name})
	if err == nil && !ok {
		err = errors.New("nobody holds it")
	}
	if err == nil {
		_, err = s.lessor.ForceRelease(t.Context(), lease.ForceRequest{Name: name, Token: held.Token, Reason: reason})
	}
	if err != nil {
		must(t, fmt.Errorf("force the release of %q: %w", name, err))
	}
}

// Stop makes the server unreachable: connections are cut, new ones refused. Leases stay and run out
// at their time, as they would in a Redis whose lockd has gone. It does nothing to a stopped server.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	must(t, s.stop())
}

// Start serves again after Stop, at the same address and with the same leases. It does nothing to a
// server that runs.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	must(t, s.start())
}

func (s *Server) start() error {
	if s.rpc != nil {
		return nil
	}
	l, err := net.Listen("tcp", s.addr)
	if err != nil {
		return err
	}
	s.addr = l.Addr().String()
	s.lessor = lease.NewLessor(s.store, s.limits)
	s.rpc = rpc.NewServer(rpc.Config{Lessor: s.lessor, Version: "lockdtest"})
	s.rpc.SetServing(true)
	served := make(chan error, 1)
	go func(server *rpc.Server) { served <- server.Serve(l) }(s.rpc)
	s.served = served
	return nil
}

func (s *Server) stop() error {
	if s.rpc == nil {
		return nil
	}
	now, cancel := context.WithCancel(context.Background())
	cancel()
	_ = s.rpc.Shutdown(now) // it reports that connections were cut, which is the point
	_ = s.lessor.Close(now) // and this what was left to its ttl
	s.rpc = nil
	return <-s.served
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("lockdtest: %v", err)
	}
}
