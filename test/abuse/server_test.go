//go:build linux && !race

package abuse

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lockd/lockd/test/certs"
	"github.com/lockd/lockd/test/freeport"
	"github.com/lockd/lockd/test/proc"
	"github.com/lockd/lockd/test/redisproc"
)

// Who is who, by the token that they show.
const (
	othersToken = "token-of-the-others"
	abuserToken = "token-of-the-abuser"
	crowdToken  = "token-of-the-crowd"
)

// policy is what an operator who expects abuse says: a rate for whom it expects it of. Everything else is as lockd
// comes. The crowd is the same tenant while it builds up what it then has: thousands of streams, and of waits.
const policy = `rules:
  - {who: token:others, may: [acquire, read], under: others}
  - {who: [token:abuser, token:crowd], may: [acquire, read, watch], under: abuse}
limits:
  - {who: token:abuser, requests: 200}
  - {who: token:crowd, requests: 5000}
`

// lockd is the process that is abused.
type lockd struct {
	*proc.Process
	t     *testing.T
	addr  string
	ca    string // whom its clients trust
	probe string // a socket
}

// build makes a lockd with the probe in it.
func build(t *testing.T) (command string) {
	t.Helper()
	dir := t.TempDir()
	root := output(t, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/lockd/lockd")
	room := filepath.Join(root, "internal", "rpc")
	settings := read(t, filepath.Join(room, "settings.go"))
	const at, with = "grpc.Creds(speaks),", "grpc.Creds(speaks), grpc.StatsHandler(newProbe()),"
	if strings.Count(settings, at) != 1 {
		t.Fatalf("internal/rpc/settings.go has %q %d times, want once: the probe goes there", at, strings.Count(settings, at))
	}
	replace := map[string]string{
		filepath.Join(room, "settings.go"):    write(t, dir, "settings.go", strings.Replace(settings, at, with, 1)),
		filepath.Join(room, "abuse_probe.go"): write(t, dir, "probe.go", read(t, filepath.Join(root, "test", "abuse", "probe", "probe.go"))),
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	overlay := write(t, dir, "overlay.json", string(text))
	command = filepath.Join(dir, "lockd")
	output(t, "go", "build", "-C", root, "-tags", "lockdabuse", "-overlay", overlay, "-o", command, "./cmd/lockd")
	return command
}

func start(t *testing.T) *lockd {
	t.Helper()
	redis, by := redisproc.Start(t), certs.New(t)
	pair, dir := by.Sign(t, "lockd"), t.TempDir()
	l := &lockd{Process: &proc.Process{T: t, Name: "lockd"}, t: t, ca: by.CA, probe: filepath.Join(dir, "probe")}
	var err error
	if l.addr, err = freeport.Find(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(build(t), "--listen", l.addr, "--http", "", "--redis", redis.URL(),
		"--tls-cert", pair.Cert, "--tls-key", pair.Key, "--token-file", write(t, dir, "tokens", line("others", othersToken)+line("abuser", abuserToken)+line("crowd", crowdToken)),
		"--policy", write(t, dir, "policy", policy), "--audit-log", filepath.Join(dir, "audit"))
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "LOCKD_") })
	cmd.Env = append(cmd.Env, "LOCKD_ABUSE_OTHERS="+othersToken, "LOCKD_ABUSE_PROBE="+l.probe)
	t.Cleanup(func() {
		l.Remove()
		if t.Failed() {
			t.Logf("log of lockd, its end:\n%s", l.Log())
		}
	})
	if err := l.Run(cmd); err != nil {
		t.Fatal(err)
	}
	_, err = l.Await(regexp.MustCompile(`msg=serving`), 20*time.Second)
	l.Must(err)
	return l
}

// state is what lockd is at a moment, and how long the others' messages took since it was asked last.
type state struct {
	Goroutines int
	Took       []time.Duration
	files      int
	resident   int64 // bytes
}

func (l *lockd) look() (s state) {
	l.t.Helper()
	c, err := net.Dial("unix", l.probe)
	if err != nil {
		l.t.Fatal(err)
	}
	defer c.Close()
	if err := json.NewDecoder(c).Decode(&s); err != nil {
		l.t.Fatal(err)
	}
	slices.Sort(s.Took)
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", l.PID()))
	if err != nil {
		l.t.Fatal(err)
	}
	fields := strings.Fields(read(l.t, fmt.Sprintf("/proc/%d/statm", l.PID())))
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		l.t.Fatal(err)
	}
	s.files, s.resident = len(files), pages*int64(os.Getpagesize())
	return s
}

// p99 is the time that one of a hundred messages took longer than.
func (s state) p99() time.Duration { return s.Took[len(s.Took)*99/100] }

func (s state) String() string {
	text := fmt.Sprintf("%d goroutines, %d files, %d MiB", s.Goroutines, s.files, s.resident>>20)
	if n := len(s.Took); n > 0 {
		text += fmt.Sprintf("; %d messages: p50 %s, p99 %s, worst %s", n, s.Took[n/2], s.p99(), s.Took[n-1])
	}
	return text
}

func line(name, token string) string {
	sum := sha256.Sum256([]byte(token))
	return name + " sha256:" + hex.EncodeToString(sum[:]) + "\n"
}

func write(t *testing.T, dir, name, text string) (path string) {
	t.Helper()
	path = filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).Output()
	if err != nil {
		t.Fatalf("%s %s: %v", name, strings.Join(args, " "), err)
	}
	return string(bytes.TrimSpace(out))
}
