// Package scripts runs what is in scripts/ as people do.
package scripts

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	lockd "github.com/lockd/lockd/clients/go"
	"github.com/lockd/lockd/test/freeport"
	"github.com/lockd/lockd/test/lockdproc"
	"github.com/lockd/lockd/test/redisproc"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(lockdproc.Main{M: redisproc.Main{M: m}})
}

// topology runs scripts/topology in a directory of the test's, and answers what it wrote and its exit code.
type topology struct {
	t    testing.TB
	dir  string
	path string // the environment's PATH; "": the test's
}

// newTopology ends what it has started with the test.
func newTopology(t testing.TB) *topology {
	p := &topology{t: t, dir: t.TempDir()}
	t.Cleanup(func() {
		if _, stderr, code := p.run("down", "--delete"); code != 0 {
			t.Errorf("scripts/topology down --delete exits %d: %s", code, stderr)
		}
	})
	return p
}

func (p *topology) run(args ...string) (stdout, stderr string, code int) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	bash, err := exec.LookPath("bash")
	if err != nil {
		p.t.Fatal(err)
	}
	// Run ends when nobody has these open any more: the servers have not.
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, bash, append(append([]string{"../../scripts/topology"}, args...), "--dir", p.dir)...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if p.path != "" {
		cmd.Env = []string{"PATH=" + p.path}
	}
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		p.t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// must is run for what has to succeed.
func (p *topology) must(args ...string) (stdout string) {
	p.t.Helper()
	out, errs, code := p.run(args...)
	if code != 0 {
		p.t.Fatalf("scripts/topology %v exits %d:\n%s%s", args, code, out, errs)
	}
	return out
}

// pid of a server that up has started.
func (p *topology) pid(profile, server string) int {
	p.t.Helper()
	text, err := os.ReadFile(filepath.Join(p.dir, profile, server, "pid"))
	if err != nil {
		p.t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		p.t.Fatal(err)
	}
	return pid
}

// pids of all servers of a profile.
func (p *topology) pids(profile string) (all []int) {
	p.t.Helper()
	files, err := filepath.Glob(filepath.Join(p.dir, profile, "*", "pid"))
	if err != nil || len(files) == 0 {
		p.t.Fatalf("no server of %s has left its id: %v", profile, err)
	}
	for _, file := range files {
		all = append(all, p.pid(profile, filepath.Base(filepath.Dir(file))))
	}
	return all
}

// servers of each profile, so many.
var servers = map[string]int{"single": 1, "sentinel": 6, "cluster": 6, "redlock": 5}

// lockd takes the flags that up prints, and keeps leases there, through an end of all servers as well.
func TestATopologyServesLockdAndGoesOnAfterDown(t *testing.T) {
	t.Parallel()
	for profile, count := range servers {
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			p := newTopology(t)
			flags := p.must("up", profile)
			if again := p.must("up", profile); again != flags {
				t.Errorf("up again says %q, at first it said %q", again, flags)
			}
			status := p.must("status", profile)
			if got := strings.Count(status, ": healthy\n"); got != count || !strings.HasSuffix(status, flags) {
				t.Errorf("status is\n%swant %d healthy, and the flags %s", status, count, flags)
			}
			client, at := serve(t, flags)
			// Nothing is to be warned of: above all, that a write might not be on disk.
			said, err := exec.CommandContext(t.Context(), lockdproc.Build(t, "lockctl"), "status", "-o", "json", "--server", at).CombinedOutput()
			if err != nil || !strings.Contains(string(said), `"warnings": []`) || !strings.Contains(string(said), "aof always") {
				t.Errorf("lockctl status = %s, %v; want aof always and no warnings", said, err)
			}
			free, err := client.Acquire(t.Context(), "free")
			if err != nil {
				t.Fatal(err)
			}
			if err := free.Release(t.Context()); err != nil {
				t.Errorf("Release = %v", err)
			}
			if _, err := client.Acquire(t.Context(), "held", lockd.WithTTL(10*time.Minute), lockd.WithoutKeepalive()); err != nil {
				t.Fatal(err)
			}
			p.must("down", profile)
			if status, _, code := p.run("status", profile); code != 1 || strings.Count(status, ": does not run\n") != count {
				t.Errorf("status after down exits %d and says\n%swant 1, and that %d do not run", code, status, count)
			}
			if again := p.must("up", profile); again != flags {
				t.Errorf("up after down says %q, before it said %q", again, flags)
			}
			var held *lockd.HeldError
			client, _ = serve(t, flags)
			if _, err := client.TryAcquire(t.Context(), "held"); !errors.As(err, &held) {
				t.Errorf("TryAcquire of what was held before down = %v, want it held", err)
			}
		})
	}
}

// serve answers a client of a new lockd with these flags, and where that is.
func serve(t *testing.T, flags string) (client *lockd.Client, at string) {
	t.Helper()
	at = lockdproc.Start(t, strings.Fields(flags)...).Addr()
	client, err := lockd.Dial(at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client, at
}

// What has died is said, and started again by the next up, which leaves the others alone.
func TestUpStartsWhatIsMissing(t *testing.T) {
	p := newTopology(t)
	p.must("up", "sentinel")
	dead, alive := p.pid("sentinel", "sentinel-2"), p.pid("sentinel", "group-1")
	if err := syscall.Kill(dead, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if status, _, code := p.run("status", "sentinel"); code != 1 || !regexp.MustCompile(`sentinel-2 port \d+: does not run\n`).MatchString(status) {
		t.Errorf("status exits %d and says\n%swant 1, and that sentinel-2 does not run", code, status)
	}
	p.must("up", "sentinel")
	if p.pid("sentinel", "sentinel-2") == dead || p.pid("sentinel", "group-1") != alive {
		t.Error("up did not start sentinel-2 alone")
	}
}

// Whom a fail-over made primary is it after down and up, too: else its replicas would take back what was written since.
func TestAFailoverOutlivesDown(t *testing.T) {
	t.Parallel()
	p := newTopology(t)
	flags := p.must("up", "sentinel")
	sentinel := redis.NewSentinelClient(&redis.Options{Addr: regexp.MustCompile(`127\.0\.0\.1:\d+`).FindString(flags)})
	t.Cleanup(func() { _ = sentinel.Close() })
	primary := func() string {
		addr, err := sentinel.GetMasterAddrByName(t.Context(), "mymaster").Result()
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(addr, ":")
	}
	first := primary()
	if err := sentinel.Failover(t.Context(), "mymaster").Err(); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(30 * time.Second); primary() == first; <-tick.C {
		if time.Now().After(end) {
			t.Fatal("no other primary within 30 s")
		}
	}
	second := primary()
	p.must("up", "sentinel") // waits until all follow it
	p.must("down", "sentinel")
	p.must("up", "sentinel")
	if now := primary(); now != second {
		t.Errorf("after down and up the primary is %s, want %s", now, second)
	}
	role, err := redisAt(t, second).Do(t.Context(), "ROLE").Slice()
	if err != nil || role[0] != "master" {
		t.Errorf("ROLE of %s = %v, %v; want master", second, role, err)
	}
}

func redisAt(t *testing.T, addr string) *redis.Client {
	client := redis.NewClient(&redis.Options{Addr: addr})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// A server that is stopped is not healthy, and ends all the same.
func TestDownEndsWhatIsStopped(t *testing.T) {
	p := newTopology(t)
	flags := p.must("up", "single")
	pid := p.pid("single", "redis")
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if status, _, code := p.run("status", "single"); code != 1 || !strings.Contains(status, "not healthy") {
		t.Errorf("status exits %d and says %q, want 1 and that it is not healthy", code, status)
	}
	start := time.Now()
	p.must("down", "single")
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("down took %s, so the server was killed in the end; want it asked, and let go on to hear that", took)
	}
	nobodyAt(t, flags)
}

// nobodyAt: the Redis that flags name, which is one, takes no connection. Its process may be there until its parent has
// heard of its end, which is nobody's business here.
func nobodyAt(t *testing.T, flags string) {
	t.Helper()
	addr := strings.TrimPrefix(strings.TrimSpace(flags), "--redis redis://")
	if conn, err := net.Dial("tcp", addr); !errors.Is(err, syscall.ECONNREFUSED) {
		if err == nil {
			_ = conn.Close()
		}
		t.Errorf("dialling %s after down = %v, want nobody there", addr, err)
	}
}

// Nobody is ended whose id was left in a file: neither another program nor another Redis.
func TestDownEndsOnlyWhatUpStarted(t *testing.T) {
	other := redisproc.Start(t, redisproc.TCP())
	for _, pid := range []int{os.Getpid(), other.PID()} {
		p := newTopology(t)
		flags := p.must("up", "single")
		p.must("down", "single")
		nobodyAt(t, flags)
		file := filepath.Join(p.dir, "single", "redis", "pid")
		if err := os.WriteFile(file, fmt.Appendln(nil, pid), 0o600); err != nil {
			t.Fatal(err)
		}
		if status, _, code := p.run("status", "single"); code != 1 || !strings.Contains(status, "does not run") {
			t.Errorf("with the id of another process status exits %d and says %q, want that it does not run", code, status)
		}
		p.must("down", "single")
		if !other.Running() {
			t.Fatal("down ended a Redis that up had not started")
		}
	}
}

// Ports are those that were asked for, and stay; one that is taken is named, and nothing is left of the try.
func TestPortsAreAsGiven(t *testing.T) {
	addr, err := freeport.Find()
	if err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	_, port, _ := net.SplitHostPort(addr) // freeport's own
	p := newTopology(t)
	if out, stderr, code := p.run("up", "single", "--port", port); code != 1 || out != "" || !strings.Contains(stderr, port) || !strings.Contains(stderr, "taken") {
		t.Errorf("up on a taken port exits %d and says %q, %q, want 1 and the port", code, out, stderr)
	}
	if left, err := os.ReadDir(p.dir); err != nil || len(left) > 0 {
		t.Errorf("a first up that failed left %v, %v; want nothing", left, err)
	}
	if err := taken.Close(); err != nil {
		t.Fatal(err)
	}
	if flags := p.must("up", "single", "--port", port); flags != "--redis redis://127.0.0.1:"+port+"\n" {
		t.Errorf("up --port %s says %q", port, flags)
	}
	if _, stderr, code := p.run("up", "single", "--port", "7000"); code != 1 || !strings.Contains(stderr, port) {
		t.Errorf("up on other ports than before exits %d and says %q, want 1 and %s", code, stderr, port)
	}
}

func TestWhatIsWrongIsSaid(t *testing.T) {
	p := newTopology(t)
	for say, args := range map[string][]string{
		"want up, down": {"start"}, "no profile quorum": {"up", "quorum"}, "which profile": {"up"}, "which profile?": {"plan"},
		"does not know --now": {"down", "--now"}, "1024 to 55529": {"up", "single", "--port", "80"}, "does not know --port": {"down", "--port", "8000"},
	} {
		if out, stderr, code := p.run(args...); code != 64 || out != "" || !strings.Contains(stderr, say) {
			t.Errorf("scripts/topology %v exits %d and says %q, %q, want 64 and %q", args, code, out, stderr, say)
		}
	}
	if _, stderr, code := p.run("status", "single"); code != 1 || !strings.Contains(stderr, "there has been no: scripts/topology up single") {
		t.Errorf("status before up exits %d and says %q, want 1 and what to do", code, stderr)
	}
	bare := &topology{t: t, dir: p.dir, path: t.TempDir()}
	dirname, err := exec.LookPath("dirname")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(dirname, filepath.Join(bare.path, "dirname")); err != nil {
		t.Fatal(err)
	}
	if _, stderr, code := bare.run("up", "single"); code != 1 || !strings.Contains(stderr, "redis-server is missing; install it") {
		t.Errorf("up without redis-server exits %d and says %q, want 1 and how to install it", code, stderr)
	}
}
