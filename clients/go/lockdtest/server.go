// Package lockdtest runs a lockd inside a test, for the tests of programs that use package lockd.
//
//	server := lockdtest.Start(t)
//	client := server.Client(t)
//
// It is the real thing on the in-memory store behind a loopback listener: what it grants, refuses
// and forgets is what a lockd process would. Two things differ. A ttl may be as short as 1 ms, so that
// tests need not wait long; and Expire, ForceRelease, Stop and Start make happen what otherwise takes
// patience or an operator.
//
// A client learns at its next renewal, a third of a ttl later, that its lease is gone. So give leases
// whose loss you test a ttl of some hundred milliseconds.
package lockdtest

import (
	"context"
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

// Server is a lockd in this process. Its methods are for the test's own goroutine: they end the test
// when they fail.
type Server struct {
	limits lease.Limits
	store  *memstore.Store // outlives Stop, as a Redis would
	addr   string
	lessor *lease.Lessor
	rpc    *rpc.Server
	served chan error // what Serve returned
}

// Start runs a lockd until the test ends.
func Start(t testing.TB, opts ...Option) *Server {
	t.Helper()
	s := &Server{limits: lease.Limits{MinTTL: time.Millisecond}, store: memstore.New(), addr: "127.0.0.1:0"}
	for _, opt := range opts {
		opt(&s.limits)
	}
	s.limits = s.limits.WithDefaults()
	if err := s.limits.Validate(); err != nil {
		t.Fatalf("lockdtest: %v", err)
	}
	s.Start(t)
	t.Cleanup(func() { s.Stop(t) })
	return s
}

// Addr is where the server listens, for lockd.Dial. It stays the same through Stop and Start.
func (s *Server) Addr() string { return s.addr }

// Client returns a client of this server, closed when the test ends.
func (s *Server) Client(t testing.TB, opts ...lockd.DialOption) *lockd.Client {
	t.Helper()
	c, err := lockd.Dial(s.addr, opts...)
	if err != nil {
		t.Fatalf("lockdtest: %v", err)
	}
	t.Cleanup(func() { _ = c.Close() }) // what it cannot release ends with the server
	return c
}

// Expire lets the lease on name run out now, as if its holder had been silent for its ttl. The holder
// learns of it at its next renewal.
func (s *Server) Expire(t testing.TB, name string) {
	t.Helper()
	if !s.store.Expire(name) {
		t.Fatalf("lockdtest: expire %q: nobody holds it", name)
	}
}

// ForceRelease ends the lease on name as an operator would. The holder learns of it at its next
// renewal.
func (s *Server) ForceRelease(t testing.TB, name, reason string) {
	t.Helper()
	held, ok, err := s.lessor.Get(t.Context(), lease.GetRequest{Name: name})
	switch {
	case err != nil:
		t.Fatalf("lockdtest: force the release of %q: %v", name, err)
	case !ok:
		t.Fatalf("lockdtest: force the release of %q: nobody holds it", name)
	}
	if _, err := s.lessor.ForceRelease(t.Context(), lease.ForceRequest{Name: name, Token: held.Token, Reason: reason}); err != nil {
		t.Fatalf("lockdtest: force the release of %q: %v", name, err)
	}
}

// Stop makes the server unreachable: connections are cut, new ones refused. Leases stay and run out
// at their time, as they would in a Redis whose lockd has gone. It does nothing to a stopped server.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	if s.rpc == nil {
		return
	}
	now, cancel := context.WithCancel(context.Background())
	cancel()
	_ = s.rpc.Shutdown(now) // it reports that connections were cut, which is the point
	_ = s.lessor.Close(now) // and this what was left to its ttl
	if err := <-s.served; err != nil {
		t.Errorf("lockdtest: %v", err)
	}
	s.rpc = nil
}

// Start serves again after Stop, at the same address and with the same leases. It does nothing to a
// server that runs.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	if s.rpc != nil {
		return
	}
	l, err := net.Listen("tcp", s.addr)
	if err != nil {
		t.Fatalf("lockdtest: %v", err)
	}
	s.addr = l.Addr().String()
	s.lessor = lease.NewLessor(s.store, s.limits)
	s.rpc = rpc.NewServer(rpc.Config{Lessor: s.lessor, Version: "lockdtest"})
	s.rpc.SetServing(true)
	served := make(chan error, 1)
	go func(server *rpc.Server) { served <- server.Serve(l) }(s.rpc)
	s.served = served
}
