// Package redisproc runs real redis-server processes for tests.
//
// A server listens on a unix socket in a directory of its own, or on a loopback port with TCP. It
// persists nothing unless Args say so, is ready when Start returns, and is gone, with its directory,
// when the test ends; if the test failed, its log is in the test's. It also dies with the test
// process on Linux, however that ends.
package redisproc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lockd/lockd/test/freeport"
)

// Missing is what a test without redis-server fails with. It is never skipped.
const Missing = "redis-server is missing; install it: sudo apt-get update && sudo apt-get install -y redis-server (macOS: brew install redis)"

// readyWithin bounds a start; loading a test's data takes far less.
const readyWithin = 10 * time.Second

// errExited: the process ended before it answered.
var errExited = errors.New("redis-server exited")

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

// Server is one redis-server process, or what is left of it to be started again. Its methods fail
// the test they were started for. One goroutine at a time controls it.
type Server struct {
	t    testing.TB // nil for the shared server
	dir  string     // working directory: socket and data
	addr string     // host:port, or the socket's path
	tcp  bool
	args []string
	log  tail

	cmd    *exec.Cmd
	exited chan struct{} // closed when cmd has been waited for
}

// Start runs a server until the test ends.
func Start(t testing.TB, opts ...Option) *Server {
	t.Helper()
	s := &Server{t: t}
	for _, opt := range opts {
		opt(s)
	}
	t.Cleanup(func() {
		s.remove()
		if t.Failed() {
			t.Logf("log of redis-server at %s, its end:\n%s", s.addr, s.log.String())
		}
	})
	s.must(s.create())
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
		return "redis://" + s.addr
	}
	return "unix://" + s.addr
}

// Dir is where the server keeps its data.
func (s *Server) Dir() string { return s.dir }

// PID is the process id of the running server.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Log is the end of what the server wrote, over all its starts.
func (s *Server) Log() string { return s.log.String() }

// Client returns a new client of this server; the caller closes it. It does not retry.
func (s *Server) Client() *redis.Client {
	return redis.NewClient(&redis.Options{
		Network: s.Network(), Addr: s.addr, MaxRetries: -1, ContextTimeoutEnabled: true, DisableIdentity: true,
	})
}

// Stop ends the server with SIGTERM, as an operator does, and waits for its end.
func (s *Server) Stop() {
	s.helper()
	s.signal(syscall.SIGCONT) // a stopped process does not see SIGTERM
	s.signal(syscall.SIGTERM)
	<-s.exited
}

// Kill ends the server with SIGKILL and waits for its end.
func (s *Server) Kill() {
	s.helper()
	s.signal(syscall.SIGKILL)
	<-s.exited
}

// Restart starts the server again at the same address, in the same directory and with the same
// arguments; a server that runs is killed first. Without "--appendonly yes" the data is gone.
func (s *Server) Restart() {
	s.helper()
	if s.running() {
		s.Kill()
	}
	s.must(s.run())
}

// Pause stops the process (SIGSTOP): it accepts no command and closes no connection until Resume.
func (s *Server) Pause() {
	s.helper()
	s.signal(syscall.SIGSTOP)
}

// Resume lets a paused server go on, with what has arrived meanwhile first.
func (s *Server) Resume() {
	s.helper()
	s.signal(syscall.SIGCONT)
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
		if err = s.run(); !errors.Is(err, errExited) {
			return err
		}
	}
	return err
}

// run starts the process and waits until it answers.
func (s *Server) run() error {
	args := []string{"--port", "0", "--unixsocket", s.addr}
	if s.tcp {
		args = []string{"--bind", "127.0.0.1", "--port", s.Port()}
	}
	args = append(args, "--dir", s.dir, "--save", "", "--appendonly", "no")
	s.cmd = exec.Command("redis-server", append(args, s.args...)...)
	s.cmd.Stdout, s.cmd.Stderr = &s.log, &s.log
	s.cmd.SysProcAttr = dieWithParent()
	if err := s.cmd.Start(); err != nil {
		return err
	}
	exited := make(chan struct{})
	s.exited = exited
	go func(cmd *exec.Cmd) {
		_ = cmd.Wait() // how it ended is in the log
		close(exited)
	}(s.cmd)
	return s.ready()
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
		case <-s.exited:
			return fmt.Errorf("%w before it answered; its log:\n%s", errExited, s.log.String())
		case <-ctx.Done():
			return fmt.Errorf("redis-server did not answer for %s: %w; its log:\n%s", readyWithin, err, s.log.String())
		}
	}
}

// remove ends the process if it runs and deletes its directory.
func (s *Server) remove() {
	if s.running() {
		_ = s.cmd.Process.Kill() // it may have ended just now
		<-s.exited
	}
	if s.dir != "" {
		_ = os.RemoveAll(s.dir)
	}
}

func (s *Server) running() bool {
	if s.exited == nil {
		return false
	}
	select {
	case <-s.exited:
		return false
	default:
		return true
	}
}

func (s *Server) signal(sig os.Signal) {
	s.helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.must(fmt.Errorf("sending %v to redis-server at %s: %w", sig, s.addr, err))
	}
}

// must fails the test, or panics for the shared server, which belongs to no test.
func (s *Server) must(err error) {
	if err == nil {
		return
	}
	if s.t == nil {
		panic(err)
	}
	s.t.Helper()
	s.t.Fatal(err)
}

func (s *Server) helper() {
	if s.t != nil {
		s.t.Helper()
	}
}
