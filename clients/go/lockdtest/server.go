// Package lockdtest runs a lockd inside a test, for the tests of programs that use package lockd.
//
//	server := lockdtest.Start(t)
//	client := server.Client(t)
//
// It is the real thing on the in-memory store behind a loopback listener: what it grants, refuses
// and forgets is what a lockd process would. Two things differ. A ttl may be shorter than a second,
// so that tests need not wait long: 100 ms or more, since the client takes off 1 % and 5 ms. And
// Expire, ForceRelease, Stop, Start and Restart make happen what otherwise takes patience or an operator.
//
// A client is told of a ForceRelease at once. That a lease has run out before its time, as after Expire,
// it learns when another is granted the name, or at its next renewal, a third of a ttl later: give such
// leases a ttl of some hundred milliseconds.
package lockdtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"testing"
	"time"

	lockd "github.com/lockd/lockd/clients/go"
	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/internal/memstore"
	"github.com/lockd/lockd/internal/rpc"
)

// An Option changes how a Server behaves.
type Option func(*Server)

// WithDefaultTTL sets the ttl of leases that ask for none; the default is 30 s, as for lockd itself.
func WithDefaultTTL(ttl time.Duration) Option {
	return func(s *Server) { s.limits.DefaultTTL = ttl }
}

// WithMaxHold sets for how long a lease may be renewed in all, as max-hold in the policy of a lockd does; the default is
// for ever.
func WithMaxHold(d time.Duration) Option {
	return func(s *Server) { s.terms.MaxHold = d }
}

// Server is a lockd in this process. One goroutine at a time controls it; those methods that take a
// test end it when they fail.
type Server struct {
	limits lease.Limits
	terms  lease.Terms     // of every name
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
		opt(s)
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
// learns of it when another is granted the name, or at its next renewal.
func (s *Server) Expire(t testing.TB, name string) {
	t.Helper()
	if !s.store.Expire(name) {
		must(t, fmt.Errorf("expire %q: nobody holds it", name))
	}
}

// ForceRelease ends the lease on name as an operator would, who has to give a reason. The holder is told
// at once: the cause of its context is a *lockd.ForcedError with that reason.
func (s *Server) ForceRelease(t testing.TB, name, reason string) {
	t.Helper()
	s.ForceReleaseBy(t, name, "lockdtest", reason)
}

// ForceReleaseBy is ForceRelease by an operator with a name.
func (s *Server) ForceReleaseBy(t testing.TB, name, by, reason string) {
	t.Helper()
	standing, err := s.lessor.Get(t.Context(), name)
	if err == nil && !standing.Held {
		err = errors.New("nobody holds it")
	}
	if err == nil {
		_, err = s.lessor.ForceRelease(t.Context(), lease.ForceRequest{Name: name, Token: standing.Lease.Token, By: by, Reason: reason})
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

// Restart ends the server as a rolling restart does and starts it again: it announces to its clients that
// it is going away, and answers what it still owes. Leases and places in line outlive it.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), drainWithin)
	defer cancel()
	must(t, s.shutdown(ctx))
	must(t, s.start())
}

// drainWithin is how long clients may hold a restart up.
const drainWithin = 10 * time.Second

func (s *Server) start() error {
	if s.rpc != nil {
		return nil
	}
	l, err := listen(s.addr)
	if err != nil {
		return err
	}
	s.addr = l.Addr().String()
	s.lessor = lease.NewLessor(s.store, s.limits)
	s.lessor.TermsFrom(func(string) lease.Terms { return s.terms })
	s.rpc = rpc.NewServer(rpc.Config{Lessor: s.lessor, Version: "lockdtest"})
	s.rpc.SetServing(true)
	served := make(chan error, 1)
	go func(server *rpc.Server) { served <- server.Serve(l) }(s.rpc)
	s.served = served
	return nil
}

// listen listens at addr. While a server is stopped another program's connection may get its port, for a moment: it is
// tried for 5 s.
func listen(addr string) (net.Listener, error) {
	for until := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		l, err := net.Listen("tcp", addr)
		if err == nil || !errors.Is(err, syscall.EADDRINUSE) || time.Now().After(until) {
			return l, err
		}
	}
}

func (s *Server) stop() error {
	now, cancel := context.WithCancel(context.Background())
	cancel()
	return s.shutdown(now)
}

// shutdown ends the server, drained until ctx ends.
func (s *Server) shutdown(ctx context.Context) error {
	if s.rpc == nil {
		return nil
	}
	_ = s.rpc.Shutdown(ctx) // it reports that connections were cut, which may be the point
	_ = s.lessor.Close(ctx) // and this what was left to its ttl
	s.rpc = nil
	return <-s.served
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("lockdtest: %v", err)
	}
}
