// Package otherlanguages runs docs/other-languages.md: every command and every line of Python in it,
// against a real lockd.
package otherlanguages

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
	"github.com/lockd/lockd/test/lockdproc"
)

const (
	root   = "../.."
	page   = root + "/docs/other-languages.md"
	name   = "orders/42"        // what the page's programs lock
	server = "localhost:7420"   // where they look for lockd
	python = "/usr/bin/python3" // Debian's, which has Debian's grpcio
	limit  = time.Minute        // for each program; they take a second
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(lockdproc.Main{M: m})
}

func TestGrpcurl(t *testing.T) {
	s := lockdproc.Start(t, "--reflection")
	out := shell(t, t.TempDir(), onPage(t, s, "## grpcurl", "sh"), "PATH="+filepath.Dir(grpcurl(t))+":"+os.Getenv("PATH"))
	for _, want := range []string{
		"lockd.v1.AdminService", "rpc Acquire", // list and describe
		`"held": true`, `"owner": "me"`, `"ttl": "30s"`, `"outcome": "HELD"`,
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the page's commands wrote\n%s\nwant %s in it", out, want)
		}
	}
	// Acquired, shown and renewed: it is one lease.
	tokens := regexp.MustCompile(`"token": "\d+"`).FindAllString(out, -1)
	if len(tokens) != 3 || tokens[0] != tokens[1] || tokens[1] != tokens[2] {
		t.Errorf("tokens = %q, want the same three times", tokens)
	}
	wantFree(t, s)
}

func TestWithoutReflectionNothingIsDescribed(t *testing.T) {
	s := lockdproc.Start(t)
	out, err := exec.CommandContext(bounded(t), grpcurl(t), "-plaintext", s.Addr(), "list").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "does not support the reflection API") {
		t.Errorf("grpcurl list = %v, %s; want a refusal", err, out)
	}
}

func TestPythonAcquiresRenewsAndReleases(t *testing.T) {
	s := lockdproc.Start(t)
	dir := pythonClient(t, s)
	out := runPython(t, dir, onPage(t, s, "Use it:", "python"))
	want := regexp.MustCompile(`^token \d+\nrefused: .*is held by.*\nheld: True\nreleased: True\nheld: False\n$`)
	if !want.MatchString(out) {
		t.Errorf("the page's program wrote\n%s\nwant %s", out, want)
	}
	wantFree(t, s)
}

// A Python holder is renewed in the background, and learns from lockd's word, before its deadline,
// that its lease is gone.
func TestPythonLearnsOfItsLoss(t *testing.T) {
	s := lockdproc.Start(t)
	out := runPython(t, pythonClient(t, s), `
import sys, time, lockd_client, lockd_pb2 as pb

client = lockd_client.Client("`+s.Addr()+`")
lease = client.acquire("job", ttl=2)
first = lease.deadline
while lease.deadline == first:
    assert lease.held()
    time.sleep(0.01)
print("renewed")
client.call("Release", pb.ReleaseRequest(name="job", lease_id=lease._id), pb.ReleaseResponse, timeout=5)
while lease.held():
    time.sleep(0.01)
print("in time:", lockd_client.now() < lease.deadline)
`)
	if out != "renewed\nin time: True\n" {
		t.Errorf("the program wrote\n%s\nwant a renewal, and a loss before the deadline", out)
	}
}

// pythonClient makes a directory with what the page says a Python client is made of.
func pythonClient(t *testing.T, s *lockdproc.Server) string {
	t.Helper()
	if out, err := exec.Command(python, "-c", "import grpc, google.protobuf").CombinedOutput(); err != nil {
		t.Fatalf("%s has no grpcio; install it: sudo apt-get update && sudo apt-get install -y python3-grpcio python3-protobuf\n%s", python, out)
	}
	if _, err := exec.LookPath("protoc"); err != nil {
		t.Fatal("protoc is missing; install it: sudo apt-get update && sudo apt-get install -y protobuf-compiler")
	}
	dir := t.TempDir()
	proto, err := filepath.Abs(root + "/proto")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(proto, dir+"/proto"); err != nil {
		t.Fatal(err)
	}
	shell(t, dir, onPage(t, s, "## Python", "sh"))
	write(t, dir+"/lockd_client.py", onPage(t, s, "## Python", "python"))
	return dir
}

func runPython(t *testing.T, dir, program string) string {
	t.Helper()
	write(t, dir+"/program.py", program)
	cmd := exec.CommandContext(bounded(t), python, "program.py")
	cmd.Dir, cmd.Stderr = dir, t.Output()
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v, after it wrote\n%s", err, out)
	}
	return string(out)
}

// grpcurl returns the path of the grpcurl that tools/grpcurl/go.mod pins.
func grpcurl(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs(root + "/.bin/grpcurl")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "build", "-o", path, "github.com/fullstorydev/grpcurl/cmd/grpcurl")
	cmd.Dir = root + "/tools/grpcurl"
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building grpcurl: %v\n%s", err, out)
	}
	return path
}

// shell runs commands as one script that ends at the first failure, and returns what it wrote.
func shell(t *testing.T, dir, commands string, env ...string) string {
	t.Helper()
	cmd := exec.CommandContext(bounded(t), "bash", "-euo", "pipefail", "-c", commands)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("the page's commands: %v\n%s\nafter they wrote\n%s", err, commands, out)
	}
	return string(out)
}

// onPage returns what the page says in a language from the line that begins with from to the next
// heading: all shell blocks as one script, or the first Python program. s stands in for its server.
func onPage(t *testing.T, s *lockdproc.Server, from, language string) string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\n"+from)
	rest, _, _ = strings.Cut(rest, "\n## ")
	var blocks []string
	for _, block := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(rest, -1) {
		blocks = append(blocks, block[1])
	}
	if len(blocks) == 0 {
		t.Fatalf("%s has no block of %s after %q", page, language, from)
	}
	if language == "python" {
		blocks = blocks[:1]
	}
	return strings.ReplaceAll(strings.Join(blocks, "\n"), server, s.Addr())
}

func wantFree(t *testing.T, s *lockdproc.Server) {
	t.Helper()
	got, err := lockdv1.NewLeaseServiceClient(lockdproc.Conn(t, s.Addr())).Get(bounded(t), &lockdv1.GetRequest{Name: name})
	if err != nil || got.GetHeld() {
		t.Errorf("Get(%s) afterwards = %v, %v; want it free", name, got, err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func bounded(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}
