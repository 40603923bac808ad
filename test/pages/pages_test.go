// Package pages holds what people copy to what the programs do: README, docs, Dockerfile.
package pages

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	lockd "github.com/lockd/lockd/clients/go"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
	"github.com/lockd/lockd/test/lockdproc"
	"github.com/lockd/lockd/test/redisproc"
)

const root = "../.."

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(lockdproc.Main{M: redisproc.Main{M: m}})
}

// A link to a file of the repository leads to one.
func TestLinksLead(t *testing.T) {
	var pages []string
	for _, glob := range []string{"*.md", "docs/*.md", "docs/decisions/*.md"} {
		found, _ := filepath.Glob(filepath.Join(root, glob)) // the patterns are well formed
		pages = append(pages, found...)
	}
	if len(pages) < 5 {
		t.Fatalf("found only %q", pages)
	}
	for _, page := range pages {
		for _, link := range regexp.MustCompile(`\]\(([^)#]+)[^)]*\)`).FindAllStringSubmatch(read(t, page), -1) {
			if strings.Contains(link[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), link[1])); err != nil {
				t.Errorf("%s links to %s: %v", page, link[1], err)
			}
		}
	}
}

// The README's Go is a part of an example that compiles and runs.
func TestREADMEsGoIsAnExample(t *testing.T) {
	code := undent(block(t, read(t, root+"/README.md"), "go"))
	example := undentAll(read(t, root+"/clients/go/example_test.go"))
	if !strings.Contains(example, code) {
		t.Errorf("clients/go/example_test.go has no such lines:\n%s", code)
	}
}

// The README's shell session works as it stands, with lockd and lockctl in the PATH.
func TestREADMEsShellWorks(t *testing.T) {
	s := lockdproc.Start(t)
	cmd := exec.CommandContext(bounded(t), "bash", "-euo", "pipefail", "-c", block(t, read(t, root+"/README.md"), "sh"))
	cmd.Env = append(os.Environ(), "LOCKCTL_SERVER="+s.Addr(), "PATH="+filepath.Dir(lockdproc.Build(t, "lockctl"))+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v, after it wrote\n%s", err, out)
	}
	for _, want := range []string{`pass on the token: \d+`, `orders/42`, `nobody else does this now, token \d+`} {
		if !regexp.MustCompile(want).Match(out) {
			t.Errorf("it wrote\n%s\nwant %s in it", out, want)
		}
	}
	if out, err := run(t, lockdproc.Build(t, "lockctl"), "ls", "-o", "jsonl", "--server", s.Addr()); err != nil || out != "" {
		t.Errorf("lockctl ls afterwards = %q, %v; want nothing held", out, err)
	}
}

// What a page tells people to make can be made.
func TestEveryMakeTargetExists(t *testing.T) {
	makefile := read(t, root+"/Makefile")
	for _, page := range []string{"README.md", "CONTRIBUTING.md", "docs/operations.md", "docs/lockctl.md", "docs/fencing.md"} {
		for _, use := range regexp.MustCompile("(?m)(?:^    |`)make ([a-z]+)").FindAllStringSubmatch(read(t, root+"/"+page), -1) {
			if !regexp.MustCompile(`(?m)^` + use[1] + `:.*##`).MatchString(makefile) {
				t.Errorf("%s says make %s, which the Makefile does not document", page, use[1])
			}
		}
	}
}

// operations.md has every setting of lockd with its variable and default, and no other.
func TestOperationsHasEverySetting(t *testing.T) {
	help, err := run(t, lockdproc.Build(t, "lockd"), "--help")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, entry := range strings.Split(help, "\n      --")[1:] {
		entry, _, _ = strings.Cut(entry, "\n\n")
		flag, _, _ := strings.Cut(entry, " ")
		m := regexp.MustCompile(`(?s)\[(LOCKD_[A-Z_]+)\](?:\s+\(default\s+"?([^")]*)"?\))?`).FindStringSubmatch(entry)
		if m != nil {
			want = append(want, flag+" "+m[1]+" "+plainDefault(m[2]))
		}
	}
	var got []string
	for _, m := range regexp.MustCompile("(?m)^\\| `--([a-z-]+)` \\| `([A-Z_]+)` \\| (?:`(.*?)`)? ?\\|").FindAllStringSubmatch(read(t, root+"/docs/operations.md"), -1) {
		got = append(got, m[1]+" "+m[2]+" "+strings.Replace(m[3], "false", "", 1))
	}
	if len(want) < 10 || !slices.Equal(got, want) {
		t.Errorf("docs/operations.md has the settings\n%q\nlockd --help has\n%q", got, want)
	}
}

// plainDefault writes a duration as people do: 1h0m0s is 1h.
func plainDefault(text string) string {
	if _, err := time.ParseDuration(text); err == nil {
		for _, zero := range []string{"m0s", "h0m"} {
			if rest, ok := strings.CutSuffix(text, zero); ok {
				text = rest + zero[:1]
			}
		}
	}
	return text
}

// The user of Redis that operations.md makes is enough for lockd.
func TestTheACLOfOperationsIsEnough(t *testing.T) {
	line := regexp.MustCompile(`(?m)^    (ACL SETUSER lockd .*)$`).FindStringSubmatch(read(t, root+"/docs/operations.md"))
	if line == nil {
		t.Fatal("docs/operations.md has no line ACL SETUSER lockd")
	}
	var rule []any
	for word := range strings.FieldsSeq(strings.Replace(line[1], ">PASSWORD", ">secret", 1)) {
		rule = append(rule, word)
	}
	r := redisproc.Start(t, redisproc.TCP())
	admin := r.Client()
	defer admin.Close()
	if err := admin.Do(t.Context(), rule...).Err(); err != nil {
		t.Fatalf("%v: %v", rule, err)
	}
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	start := func() *lockdproc.Server {
		return lockdproc.Start(t, "--redis", "redis://lockd@"+r.Addr(), "--redis-password-file", password)
	}
	s := start()
	lockctl := lockdproc.Build(t, "lockctl")
	file := filepath.Join(t.TempDir(), "lease")
	for _, args := range [][]string{
		{"acquire", "job", "--lease-file", file}, {"acquire", "job", "-n", "-E", "0"}, {"renew", "job", "--lease-file", file}, {"renew", "job", "--lease-file", file, "--ttl", "10s"},
		{"renew", "job", "--lease-file", file, "--ttl", "1m"}, {"get", "job"}, {"ls"}, {"status"}, {"release", "job", "--lease-file", file},
	} {
		if err := admin.ScriptFlush(t.Context()).Err(); err != nil { // then EVAL is needed, too
			t.Fatal(err)
		}
		if out, err := run(t, lockctl, append(args, "--server", s.Addr())...); err != nil {
			t.Errorf("lockctl %v: %v\n%s", args, err, out)
		}
	}
	waitInLine(t, s, start())
	if denied := admin.Do(t.Context(), "ACL", "LOG").Val(); len(denied.([]any)) > 0 {
		t.Errorf("Redis denied: %v", denied)
	}
}

// waitInLine has two clients of two lockd wait for a third, seen by a watcher, so that all is done that
// a line takes.
func waitInLine(t *testing.T, one, other *lockdproc.Server) {
	watch, err := lockdv1.NewLeaseServiceClient(lockdproc.Conn(t, one.Addr())).Watch(t.Context(), &lockdv1.WatchRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := watch.Recv(); err != nil {
		t.Fatalf("Watch = %v", err)
	}
	ctx := bounded(t)
	dial := func(s *lockdproc.Server) *lockd.Client {
		c, err := lockd.Dial(s.Addr())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	held, err := dial(one).Acquire(ctx, "line")
	if err != nil {
		t.Fatal(err)
	}
	queued, served := make(chan struct{}, 2), make(chan error, 2)
	for _, s := range []*lockdproc.Server{one, other} {
		c := dial(s)
		go func() {
			l, err := c.Acquire(ctx, "line", lockd.WithQueued(func(lockd.HeldError) { queued <- struct{}{} }))
			if err == nil {
				err = l.Release(ctx)
			}
			served <- err
		}()
	}
	<-queued
	<-queued
	if err := held.Release(ctx); err != nil {
		t.Errorf("Release = %v", err)
	}
	for range 2 {
		if err := <-served; err != nil {
			t.Errorf("a wait in line = %v, want its turn", err)
		}
	}
}

func block(t *testing.T, page, language string) string {
	t.Helper()
	m := regexp.MustCompile("(?s)```" + language + "\n(.*?)```").FindStringSubmatch(page)
	if m == nil {
		t.Fatalf("the page has no block of %s", language)
	}
	return m[1]
}

// undent takes the indentation of the first line from every line.
func undent(code string) string {
	first := code[:len(code)-len(strings.TrimLeft(code, "\t"))]
	return strings.ReplaceAll("\n"+strings.TrimPrefix(code, first), "\n"+first, "\n")
}

// undentAll returns code at every indentation it could be quoted with.
func undentAll(code string) string {
	return code + undentBy(code, "\t") + undentBy(code, "\t\t")
}

func undentBy(code, tabs string) string { return strings.ReplaceAll("\n"+code, "\n"+tabs, "\n") }

func run(t *testing.T, path string, args ...string) (string, error) {
	t.Helper()
	out, err := exec.CommandContext(bounded(t), path, args...).CombinedOutput()
	return string(out), err
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func bounded(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}
