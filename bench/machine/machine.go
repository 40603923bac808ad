// Package machine starts the programs that are measured, redis-server and this tree's lockd, and reads what
// they cost. It reads /proc, so it works on Linux only.
package machine

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/lockd/lockd/test/freeport"
	"github.com/lockd/lockd/test/proc"
)

// readyWithin bounds a start.
const readyWithin = 20 * time.Second

// Machine has a directory and what was started in it.
type Machine struct {
	dir     string
	lockd   string // the command
	started []*proc.Process
}

// New takes lockd for the server, or builds it from the tree that this module stands in if that is "".
func New(lockd string) (*Machine, error) {
	dir, err := os.MkdirTemp("", "lockdbench")
	if err != nil {
		return nil, err
	}
	if lockd != "" {
		return &Machine{dir: dir, lockd: lockd}, nil
	}
	m := &Machine{dir: dir, lockd: filepath.Join(dir, "lockd")}
	root, err := output("go", "list", "-m", "-f", "{{.Dir}}", "github.com/lockd/lockd")
	if err == nil {
		_, err = output("go", "build", "-C", root, "-o", m.lockd, "./cmd/lockd")
	}
	if err != nil {
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
	_ = os.RemoveAll(m.dir)
}

// Dir is deleted by Close.
func (m *Machine) Dir() string { return m.dir }

// Server is a process that serves.
type Server struct {
	*proc.Process
	Addr string // host:port
}

// Redis starts a redis-server without persistence on a loopback port.
func (m *Machine) Redis() (*Server, error) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		return nil, errors.New("redis-server is missing: install it with your system's package manager")
	}
	return m.serve("redis-server", regexp.MustCompile(`Ready to accept connections`), func(addr string) *exec.Cmd {
		_, port, _ := net.SplitHostPort(addr) // our own making
		return exec.Command("redis-server", "--bind", "127.0.0.1", "--port", port, "--dir", m.dir, "--save", "", "--appendonly", "no")
	})
}

// Lockd starts a lockd in front of redis.
func (m *Machine) Lockd(redis *Server, args ...string) (*Server, error) {
	return m.serve("lockd", regexp.MustCompile(`msg=serving`), func(addr string) *exec.Cmd {
		cmd := exec.Command(m.lockd, append([]string{"--listen", addr, "--http", "", "--redis", "redis://" + redis.Addr}, args...)...)
		cmd.Env = append(os.Environ(), "LOCKD_CONFIG=")
		return cmd
	})
}

// serve starts a server on a free port, another one if somebody was faster.
func (m *Machine) serve(name string, ready *regexp.Regexp, command func(addr string) *exec.Cmd) (*Server, error) {
	for try := 1; ; try++ {
		addr, err := freeport.Find()
		if err != nil {
			return nil, err
		}
		s := &Server{&proc.Process{Name: name}, addr}
		if err := s.Run(command(addr)); err != nil {
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

// output runs a command and returns what it wrote, without the space around.
func output(name string, args ...string) (string, error) {
	out, err := exec.Command(name, args...).Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w\n%s", err, exit.Stderr)
		}
		return "", fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}
