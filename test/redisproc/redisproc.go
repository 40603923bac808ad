// Package redisproc runs real redis-server processes for tests.
//
// A server listens on a unix socket in a directory of its own, or on a loopback port with TCP. It
// persists nothing unless Args say so, is ready when Start returns, and is gone, with its directory,
// when the test ends; if the test failed, its log is in the test's.
package redisproc

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lockd/lockd/test/certs"
	"github.com/lockd/lockd/test/freeport"
	"github.com/lockd/lockd/test/proc"
)

// Missing is what a test without redis-server fails with. It is never skipped.
const Missing = "redis-server is missing; install it: sudo apt-get update && sudo apt-get install -y redis-server (macOS: brew install redis)"

// readyWithin bounds a start; loading a test's data takes far less.
const readyWithin = 10 * time.Second

// An Option changes how a server is started.
type Option func(*Server)

// Args are passed to redis-server after the defaults, which they override:
// Args("--maxmemory", "1mb"), Args("--appendonly", "yes"), Args("--replicaof", host, port).
func Args(args ...string) Option {
	return func(s *Server) { s.args = append(s.args, args...) }
}

// TCP makes the server listen on a free loopback port instead of a unix socket.
func TCP() Option {
	return func(s *Server) { s.tcp = true }
}

// TLS makes the server speak TLS alone, on a free loopback port, and with its peers. by has signed its certificate, and has
// to have signed its clients'.
func TLS(t testing.TB, by *certs.Authority) Option {
	pair := by.Sign(t, "redis")
	config := by.Config(t, pair)
	return func(s *Server) {
		s.tcp, s.tls = true, config
		s.certificates = []string{
			"tls-cert-file", pair.Cert, "tls-key-file", pair.Key, "tls-ca-cert-file", by.CA, "tls-replication", "yes", "tls-cluster", "yes",
		}
	}
}

// Server is one redis-server process, or what is left of it to be started again. Its methods fail
// the test it was started for. One goroutine at a time controls it.
type Server struct {
	proc.Process
	dir  string // working directory: socket and data
	addr string // host:port, or the socket's path
	tcp  bool
	args []string
	env  []string               // beside the test's own
	conf func(s *Server) string // of a sentinel: what its configuration file begins as

	tls          *tls.Config // its clients'; nil: plain text
	certificates []string    // settings and their values, in turn
}

// Start runs a server until the test ends.
func Start(t testing.TB, opts ...Option) *Server {
	t.Helper()
	s := &Server{Process: proc.Process{T: t, Name: "redis-server"}}
	for _, opt := range opts {
		opt(s)
	}
	t.Cleanup(func() {
		s.remove()
		if t.Failed() {
			t.Logf("log of redis-server at %s, its end:\n%s", s.addr, s.Log())
		}
	})
	s.Must(s.create())
	return s
}

// Network is "tcp" or "unix", as net.Dial takes it with Addr.
func (s *Server) Network() string {
	if s.tcp {
		return "tcp"
	}
	return "unix"
}

// Addr is host:port, or the path of the socket. It stays the same through Restart.
func (s *Server) Addr() string { return s.addr }

// Port is the TCP port; "" for a socket.
func (s *Server) Port() string {
	if !s.tcp {
		return ""
	}
	_, port, _ := net.SplitHostPort(s.addr) // our own making
	return port
}

// URL is what lockd --redis and redis.ParseURL take.
func (s *Server) URL() string {
	if s.tcp {
		return s.scheme() + s.addr
	}
	return "unix://" + s.addr
}

func (s *Server) scheme() string {
	if s.tls != nil {
		return "rediss://"
	}
	return "redis://"
}

// Dir is where the server keeps its data.
func (s *Server) Dir() string { return s.dir }

// Client returns a new client of this server; the caller closes it. It does not retry.
func (s *Server) Client() *redis.Client { return redis.NewClient(s.Options()) }

// Options are Client's.
func (s *Server) Options() *redis.Options {
	return &redis.Options{
		Network: s.Network(), Addr: s.addr, MaxRetries: -1, ContextTimeoutEnabled: true, DisableIdentity: true, TLSConfig: s.tls,
	}
}

// Restart starts the server again at the same address, in the same directory and with the same
// arguments; a server that runs is killed first. Without "--appendonly yes" the data is gone.
func (s *Server) Restart() {
	if s.T != nil {
		s.T.Helper()
	}
	if s.Running() {
		s.Kill()
	}
	s.Must(s.run())
}

// create makes the directory and runs the server, on another port if somebody was faster.
func (s *Server) create() error {
	if _, err := exec.LookPath("redis-server"); err != nil {
		return errors.New(Missing)
	}
	var err error
	// Not t.TempDir: the path of a socket must be shorter than 104 bytes.
	if s.dir, err = os.MkdirTemp("", "redis"); err != nil {
		return err
	}
	s.addr = filepath.Join(s.dir, "s")
	if !s.tcp {
		return s.run()
	}
	for range 5 {
		if s.addr, err = freeport.Find(); err != nil {
			return err
		}
		if err = s.run(); !errors.Is(err, proc.ErrExited) {
			return err
		}
	}
	return err
}

// run starts the process and waits until it answers.
func (s *Server) run() error {
	var args []string
	for i, word := range s.listening() {
		if i%2 == 0 {
			word = "--" + word
		}
		args = append(args, word)
	}
	args = append(args, "--dir", s.dir, "--save", "", "--appendonly", "no")
	if s.conf != nil {
		// A sentinel keeps what it knows in its file.
		path := filepath.Join(s.dir, "sentinel.conf")
		if err := os.WriteFile(path, []byte(s.conf(s)), 0o600); err != nil {
			return err
		}
		args = []string{path, "--sentinel"}
	}
	cmd := exec.Command("redis-server", append(args, s.args...)...)
	cmd.Env = append(os.Environ(), s.env...)
	if err := s.Process.Run(cmd); err != nil {
		return err
	}
	return s.ready()
}

// listening are the settings of where it listens, and their values, in turn.
func (s *Server) listening() []string {
	switch {
	case !s.tcp:
		return []string{"port", "0", "unixsocket", s.addr}
	case s.tls != nil:
		return append([]string{"bind", "127.0.0.1", "port", "0", "tls-port", s.Port()}, s.certificates...)
	}
	return []string{"bind", "127.0.0.1", "port", s.Port()}
}

// ready asks until the server answers. Being told to authenticate is an answer; LOADING is not.
func (s *Server) ready() error {
	client := s.Client()
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), readyWithin)
	defer cancel()
	for {
		err := client.Ping(ctx).Err()
		if err == nil || strings.HasPrefix(err.Error(), "NOAUTH") {
			return nil
		}
		pause := time.NewTimer(5 * time.Millisecond)
		select {
		case <-pause.C:
		case <-s.Exited():
			return fmt.Errorf("redis-server: %w before it answered; its log:\n%s", proc.ErrExited, s.Log())
		case <-ctx.Done():
			return fmt.Errorf("redis-server did not answer for %s: %w; its log:\n%s", readyWithin, err, s.Log())
		}
	}
}

// remove ends the process if it runs and deletes its directory.
func (s *Server) remove() {
	s.Remove()
	if s.dir != "" {
		_ = os.RemoveAll(s.dir)
	}
}
