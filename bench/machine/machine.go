// Package machine starts the programs that are measured, redis-server, this tree's lockd and etcd, and reads
// what they cost. It reads /proc, so it works on Linux only.
package machine

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"time"

	"github.com/lockd/lockd/bench/child"
	"github.com/lockd/lockd/test/freeport"
	"github.com/lockd/lockd/test/proc"
)

// readyWithin bounds a start.
const readyWithin = 20 * time.Second

// ErrNoEtcd: etcd is not installed, so it is not compared.
var ErrNoEtcd = errors.New("etcd is not installed (Debian: etcd-server)")

// Machine has a directory and what was started in it.
type Machine struct {
	dir     string
	lockd   string // the command
	counted bool   // lockd tells what it allocates
	started []*proc.Process
	dirs    []string // to be deleted, too
}

// New takes lockd for the server, or builds it from the tree that this module stands in if that is "".
func New(lockd string) (*Machine, error) {
	dir, err := os.MkdirTemp("", "lockdbench")
	if err != nil {
		return nil, err
	}
	m := &Machine{dir: dir, lockd: lockd}
	if lockd != "" {
		return m, nil
	}
	m.counted = true
	if m.lockd, err = build(dir); err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

// Close ends what was started and deletes the directory.
func (m *Machine) Close() {
	for _, p := range m.started {
		p.Remove()
	}
	for _, dir := range append(m.dirs, m.dir) {
		_ = os.RemoveAll(dir)
	}
}

// Dir is deleted by Close.
func (m *Machine) Dir() string { return m.dir }

// Server is a process that serves.
type Server struct {
	*proc.Process
	Addr string // host:port

	counts string // the socket to ask what was allocated at; "" if there is none
}

// Redis starts a redis-server without persistence on a loopback port.
func (m *Machine) Redis() (*Server, error) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		return nil, errors.New("redis-server is missing: install it with your system's package manager")
	}
	return m.serve("redis-server", regexp.MustCompile(`Ready to accept connections`), func(s *Server) *exec.Cmd {
		_, port, _ := net.SplitHostPort(s.Addr) // our own making
		return exec.Command("redis-server", "--bind", "127.0.0.1", "--port", port, "--dir", m.dir, "--save", "", "--appendonly", "no")
	})
}

// Lockd starts a lockd in front of redis, that counts for who asks for its metrics unless args say otherwise.
func (m *Machine) Lockd(redis *Server, args ...string) (*Server, error) {
	return m.serve("lockd", regexp.MustCompile(`msg=serving`), func(s *Server) *exec.Cmd {
		cmd := exec.Command(m.lockd, append([]string{"--listen", s.Addr, "--http", "127.0.0.1:0", "--redis", "redis://" + redis.Addr}, args...)...)
		cmd.Env = append(os.Environ(), "LOCKD_CONFIG=")
		if m.counted {
			s.counts = filepath.Join(m.dir, fmt.Sprintf("counts-%d", len(m.started)))
			cmd.Env = append(cmd.Env, "LOCKD_BENCH_COUNTS="+s.counts)
		}
		return cmd
	})
}

// Pair starts a Redis and a lockd in front of it.
func (m *Machine) Pair() (lockd, redis *Server, err error) {
	if redis, err = m.Redis(); err != nil {
		return nil, nil, err
	}
	if lockd, err = m.Lockd(redis); err != nil {
		redis.Remove()
		return nil, nil, err
	}
	return lockd, redis, nil
}

// Etcd starts an etcd of one node, in memory if that can be: the Redis beside it writes no disk either.
func (m *Machine) Etcd() (*Server, error) {
	if _, err := exec.LookPath("etcd"); err != nil {
		return nil, ErrNoEtcd
	}
	peers, err := freeport.Find()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(m.dir, "etcd")
	if shm, err := os.MkdirTemp("/dev/shm", "lockdbench"); err == nil {
		dir = shm
		m.dirs = append(m.dirs, shm)
	}
	return m.serve("etcd", regexp.MustCompile(`serving (insecure )?client`), func(s *Server) *exec.Cmd {
		client, peer := "http://"+s.Addr, "http://"+peers
		return exec.Command("etcd", "--name", "bench", "--data-dir", dir,
			"--listen-client-urls", client, "--advertise-client-urls", client, "--listen-peer-urls", peer,
			"--initial-advertise-peer-urls", peer, "--initial-cluster", "bench="+peer)
	})
}

// ChildServes is what a child of this program writes when it serves.
const ChildServes = "the child serves"

// Child starts this program once more, as a server: order is what it is told, with the address to serve at.
func (m *Machine) Child(role string, order func(addr string) any) (*Server, error) {
	var failed error
	s, err := m.serve(role, regexp.MustCompile(ChildServes), func(s *Server) *exec.Cmd {
		var cmd *exec.Cmd
		if cmd, failed = child.Command(role, order(s.Addr)); failed != nil {
			cmd = new(exec.Cmd) // which fails
		}
		return cmd
	})
	return s, errors.Join(failed, err)
}

// serve starts a server on a free port, another one if somebody was faster.
func (m *Machine) serve(name string, ready *regexp.Regexp, command func(s *Server) *exec.Cmd) (*Server, error) {
	for try := 1; ; try++ {
		addr, err := freeport.Find()
		if err != nil {
			return nil, err
		}
		s := &Server{Process: &proc.Process{Name: name}, Addr: addr}
		if err := s.Run(command(s)); err != nil {
			return nil, err
		}
		m.started = append(m.started, s.Process)
		if _, err = s.Await(ready, readyWithin); err == nil {
			return s, nil
		}
		if try == 5 || !errors.Is(err, proc.ErrExited) {
			return nil, err
		}
	}
}
