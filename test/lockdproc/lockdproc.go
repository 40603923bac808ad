// Package lockdproc runs the real lockd for tests, built once per test binary from this tree.
package lockdproc

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/lockd/lockd/test/freeport"
	"github.com/lockd/lockd/test/proc"
)

// readyWithin bounds a start. lockd promises 1 s; a machine that runs many tests at once takes longer.
const readyWithin = 20 * time.Second

// ready is the line that says where lockd serves.
var ready = regexp.MustCompile(`msg=serving grpc=(\S+) http=(\S+)`)

// built are the commands of this test binary, by name.
var built struct {
	sync.Mutex
	dir   string
	paths map[string]string
}

// Build returns the path of a command of this tree, "lockd" or "lockctl", built with the race
// detector if the test is. TestMain ends with Main, which deletes it.
func Build(t testing.TB, command string) string {
	t.Helper()
	built.Lock()
	defer built.Unlock()
	if path := built.paths[command]; path != "" {
		return path
	}
	if built.dir == "" {
		dir, err := os.MkdirTemp("", "lockd")
		if err != nil {
			t.Fatal(err)
		}
		built.dir, built.paths = dir, make(map[string]string)
	}
	path := filepath.Join(built.dir, command)
	args := append([]string{"build"}, append(raceFlag, "-o", path, "github.com/lockd/lockd/cmd/"+command)...)
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	built.paths[command] = path
	return path
}

// Main runs a binary's tests and then deletes what Build built: goleak.VerifyTestMain(lockdproc.Main{M: m}).
type Main struct {
	M interface{ Run() int } // *testing.M, or another Main
}

// Run implements goleak.TestingM.
func (m Main) Run() int {
	code := m.M.Run()
	built.Lock()
	defer built.Unlock()
	_ = os.RemoveAll(built.dir) // "" if nothing was built
	built.dir, built.paths = "", nil
	return code
}

// Server is one lockd process, or what is left of it to be started again.
type Server struct {
	proc.Process
	addr string
	http string
	args []string
	env  []string
}

// Start runs lockd with args until the test ends, on a port of its own that it keeps through
// Restart. Its environment is empty of LOCKD_ variables; its log is in the test's if that failed. A data race
// that lockd found in itself fails the test.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	s := &Server{Process: proc.Process{T: t, Name: "lockd"}, args: args}
	s.env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "LOCKD_") })
	path := Build(t, "lockd")
	t.Cleanup(func() {
		s.Remove()
		if strings.Contains(s.Log(), "DATA RACE") {
			t.Error("lockd found a data race in itself")
		}
		if t.Failed() {
			t.Logf("log of lockd at %s, its end:\n%s", s.addr, s.Log())
		}
	})
	var err error
	for range 5 { // another port if somebody was faster
		if s.addr, err = freeport.Find(); err != nil {
			t.Fatal(err)
		}
		if err = s.run(path); !errors.Is(err, proc.ErrExited) {
			break
		}
	}
	s.Must(err)
	return s
}

// Addr is where lockd serves gRPC.
func (s *Server) Addr() string { return s.addr }

// HTTP is where lockd serves HTTP; another port after a Restart.
func (s *Server) HTTP() string { return s.http }

// Restart starts lockd again with the same arguments and at the same gRPC address; one that runs is
// killed first.
func (s *Server) Restart() {
	s.T.Helper()
	if s.Running() {
		s.Kill()
	}
	s.Must(s.run(Build(s.T, "lockd")))
}

// Conn returns a gRPC connection to lockd, or through whatever stands at addr, until the test ends.
func Conn(t testing.TB, addr string) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// run starts the process and waits for the line that says where it serves.
func (s *Server) run(path string) error {
	cmd := exec.Command(path, append([]string{"--listen", s.addr, "--http", "127.0.0.1:0"}, s.args...)...)
	cmd.Env = s.env
	if err := s.Process.Run(cmd); err != nil {
		return err
	}
	found, err := s.Await(ready, readyWithin)
	if err != nil {
		return err
	}
	s.http = found[2]
	return nil
}
