package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
	"github.com/lockd/lockd/test/lockdproc"
	"github.com/lockd/lockd/test/proc"
	"github.com/lockd/lockd/test/redisproc"
)

// ends runs the real lockd until it ends by itself and answers its exit code and what it wrote.
func ends(t *testing.T, within time.Duration, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), lockdproc.Build(t, "lockd"), args...)
	var out, err bytes.Buffer
	cmd.Env = []string{"GORACE=atexit_sleep_ms=0"} // else the race detector sleeps for a second at the end
	cmd.Stdout, cmd.Stderr = &out, &err
	start := time.Now()
	problem := cmd.Run()
	var exit *exec.ExitError
	if problem != nil && !errors.As(problem, &exit) {
		t.Fatal(problem)
	}
	if took := time.Since(start); took > within {
		t.Errorf("lockd %v ends after %s, want within %s", args, took, within)
	}
	return cmd.ProcessState.ExitCode(), out.String(), err.String()
}

func TestExitCodesOfTheRealLockd(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	evicting := redisproc.Start(t, redisproc.Args("--maxmemory", "10mb", "--maxmemory-policy", "allkeys-lru"))
	primary := redisproc.Start(t, redisproc.TCP())
	replica := redisproc.Start(t, redisproc.Args("--replicaof", "127.0.0.1", primary.Port()))
	guarded := redisproc.Start(t, redisproc.Args("--requirepass", "hunter2"))
	free := []string{"--listen=127.0.0.1:0", "--http="}
	for name, c := range map[string]struct {
		args []string
		code int
		say  []string
	}{
		"version":           {[]string{"--version"}, exitDrained, nil},
		"check":             {[]string{"--check-config"}, exitDrained, nil},
		"usage":             {[]string{"--max-ttl=60"}, exitUsage, []string{"--max-ttl"}},
		"beyond loopback":   {[]string{"--listen=0.0.0.0:0"}, exitUsage, []string{"0.0.0.0:0", "--insecure"}},
		"taken port":        {[]string{"--listen", taken.Addr().String()}, exitOther, []string{taken.Addr().String(), "in use"}},
		"taken HTTP port":   {[]string{free[0], "--http", taken.Addr().String()}, exitOther, []string{taken.Addr().String(), "in use"}},
		"unreachable redis": {append(free, "--redis=redis://127.0.0.1:1"), exitUnreachable, []string{"127.0.0.1:1", "unreachable"}},
		"mute redis":        {append(free, "--redis=redis://"+taken.Addr().String()), exitUnreachable, []string{taken.Addr().String()}},
		"evicting redis":    {append(free, "--redis", evicting.URL()), exitRefused, []string{evicting.Addr(), "allkeys-lru", "noeviction"}},
		"replica":           {append(free, "--redis", replica.URL()), exitRefused, []string{replica.Addr(), "primary"}},
		"wrong password":    {append(free, "--redis", guarded.URL()), exitRefused, []string{guarded.Addr(), "NOAUTH"}},
		"no quorum reached": {append(free, "--redlock=redis://127.0.0.1:1,redis://127.0.0.1:2,redis://127.0.0.1:3"), exitUnreachable, []string{"127.0.0.1:1", "127.0.0.1:3"}},
		"replica for node":  {append(free, "--redlock", strings.Join([]string{primary.URL(), replica.URL(), redisproc.Start(t).URL()}, ",")), exitRefused, []string{replica.Addr()}},
	} {
		t.Run(name, func(t *testing.T) {
			if c.code == exitUnreachable {
				t.Parallel() // they take their time, beside each other
			}
			// 5 s is the promise for an unreachable Redis; nothing else takes as long.
			code, stdout, stderr := ends(t, 5*time.Second, c.args...)
			if code != c.code {
				t.Errorf("lockd %v exits %d, want %d:\n%s", c.args, code, c.code, stderr)
			}
			for _, part := range c.say {
				if !strings.Contains(stderr, part) {
					t.Errorf("lockd %v says %q, want it to contain %q", c.args, stderr, part)
				}
			}
			if (stdout != "") != (c.code == exitDrained) {
				t.Errorf("lockd %v writes %q to stdout", c.args, stdout)
			}
		})
	}
}

func TestSIGTERMAndSIGINTDrain(t *testing.T) {
	for _, sig := range []os.Signal{syscall.SIGTERM, syscall.SIGINT} {
		s := lockdproc.Start(t)
		leases := lockdv1.NewLeaseServiceClient(lockdproc.Conn(t, s.Addr()))
		if _, err := leases.Acquire(t.Context(), &lockdv1.AcquireRequest{Name: "a", LeaseId: id1}); err != nil {
			t.Errorf("Acquire() = %v", err)
		}
		s.Signal(sig)
		<-s.Exited()
		if code := s.ExitCode(); code != exitDrained || !strings.Contains(s.Log(), "msg=drained") {
			t.Errorf("lockd exits %d after %s, want 0 and \"drained\" in the log", code, sig)
		}
	}
}

// holdUp is a client that hangs: it does not say good-bye when asked to, and holds a drain up for 5 s.
func holdUp(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, make([]byte, 9)); err != nil { // its settings: the connection stands
		t.Fatal(err)
	}
	return conn
}

func TestASecondSignalEndsLockdAtOnce(t *testing.T) {
	s := lockdproc.Start(t)
	defer holdUp(t, s.Addr()).Close()
	start := time.Now()
	s.Signal(syscall.SIGTERM)
	eventually(t, "the drain", 5*time.Second, func() bool { return strings.Contains(s.Log(), "reason=draining") })
	s.Signal(syscall.SIGTERM)
	<-s.Exited()
	if took := time.Since(start); took > drainFor-time.Second || s.ExitCode() == exitDrained {
		t.Errorf("lockd ends %s after two signals with %d, want at once and by the signal", took, s.ExitCode())
	}
}

func TestTheReadyLineInJSONHasTheAddressesAsKeys(t *testing.T) {
	s := &proc.Process{T: t, Name: "lockd"}
	t.Cleanup(s.Remove)
	cmd := exec.Command(lockdproc.Build(t, "lockd"), "--listen=127.0.0.1:0", "--http=127.0.0.1:0", "--log-format=json")
	if err := s.Run(cmd); err != nil {
		t.Fatal(err)
	}
	line, err := s.Await(regexp.MustCompile(`(?m)^.*"msg":"serving".*$`), 20*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	var got struct{ Level, Time, Msg, GRPC, HTTP string }
	if err := json.Unmarshal([]byte(line[0]), &got); err != nil {
		t.Fatal(err)
	}
	if code, _ := probe(t, got.HTTP, "/readyz"); code != 200 {
		t.Errorf("/readyz at %q = %d, want 200", got.HTTP, code)
	}
	if health := healthOf(t, lockdproc.Conn(t, got.GRPC)); health != "SERVING" {
		t.Errorf("health at %q = %s, want SERVING", got.GRPC, health)
	}
}

func TestReadinessFollowsARealRedisAndComesBack(t *testing.T) {
	redis := redisproc.Start(t)
	s := lockdproc.Start(t, "--redis", redis.URL())
	conn := lockdproc.Conn(t, s.Addr())
	expect := func(code int, health string) {
		t.Helper()
		eventually(t, health, 20*time.Second, func() bool {
			got, _ := probe(t, s.HTTP(), "/readyz")
			return got == code && healthOf(t, conn) == health
		})
	}
	expect(200, "SERVING")
	redis.Pause()
	expect(503, "NOT_SERVING")
	if _, reason := probe(t, s.HTTP(), "/readyz"); !strings.Contains(reason, redis.Addr()) {
		t.Errorf("/readyz says %q, want the address of the Redis", reason)
	}
	redis.Resume()
	expect(200, "SERVING")
}

func TestThePasswordFileOpensAGuardedRedisAndIsInNoLog(t *testing.T) {
	redis := redisproc.Start(t, redisproc.Args("--requirepass", "hunter2"))
	path := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(path, []byte("hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := lockdproc.Start(t, "--redis", redis.URL(), "--redis-password-file", path, "--log-level=debug")
	if health := healthOf(t, lockdproc.Conn(t, s.Addr())); health != "SERVING" {
		t.Errorf("health = %s, want SERVING", health)
	}
	s.Stop()
	if strings.Contains(s.Log(), "hunter2") {
		t.Error("the log shows the password")
	}
}
