package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/spf13/pflag"
)

// inFile is a lockctl with its contexts in a file.
func inFile(t *testing.T, path string) *server {
	t.Helper()
	var to server
	to.register(pflag.NewFlagSet("lockctl", pflag.ContinueOnError))
	to.config = path
	return &to
}

func TestContextsSayWhatIsWrongAndWhere(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"contexts: [a, b]":       "line 1: contexts: want lines of the form KEY: VALUE",
		"- a":                    "line 1: the file: want lines of the form KEY: VALUE",
		"just text":              "line 1: the file: want lines of the form KEY: VALUE",
		"a: [":                   "line 1: did not find expected node content",
		"curent: a":              `line 1: the file: there is no "curent"; want current, contexts; did you mean "current"?`,
		"server: a:1":            `line 1: the file: there is no "server"; want current, contexts`,
		"current: a\ncurrent: b": `line 2: the file says "current" a second time; want it once`,
		"current: a":             `current: there is no context "a", nor any other`,
		"current: b\ncontexts:\n  a: {server: x}": `current: there is no context "b"; want one of a`,
		"current: [a]": "line 1: current has no single value; want one",
		"contexts:\n  a:\n    server: x\n  a:\n    server: y": `line 4: contexts says "a" a second time`,
		"contexts:\n  a:":                                               "line 2: context a has no server; want where its lockd is",
		"contexts:\n  a:\n    insecure: true":                           "line 2: context a has no server",
		"contexts:\n  a:\n    server: x\n    server: y":                 `line 4: context a says "server" a second time`,
		"contexts:\n  a:\n    server:":                                  `line 3: server is ""; want host:port`,
		"contexts:\n  a:\n    server: [x, y]":                           "line 3: server has no single value",
		"contexts:\n  a: &a\n    server: x\n  b: *a":                    "line 4: context b: want lines of the form KEY: VALUE",
		"contexts:\n  a:\n    server: x\n    insecure: perhaps":         `line 4: insecure is "perhaps"; want true or false`,
		"contexts:\n  a:\n    server: x\n    unavailable-for: 5":        `line 4: unavailable-for is "5"; want a duration of more than 0 with a unit`,
		"contexts:\n  a:\n    server: x\n    unavailable-for: 0s":       `line 4: unavailable-for is "0s"; want a duration of more than 0`,
		"contexts:\n  a:\n    server: x\n    unavailable_for: 5s":       `line 4: context a: there is no "unavailable_for"; want server, tls, ca, cert, key, server-name, token-file, insecure, unavailable-for; did you mean "unavailable-for"?`,
		"contexts:\n  -a:\n    server: x":                               `line 2: a context cannot be named "-a"`,
		"contexts:\n  \"a\\tb\":\n    server: x":                        `line 2: a context cannot be named "a\tb"`,
		"contexts:\n  " + strings.Repeat("a", 257) + ":\n    server: x": "line 2: a context cannot be named",
		"contexts: {}\n---\ncontexts: {}":                               "there is more than one document; want one",
		"? {a: b}\n: c":                                                 "line 1: the file: want lines of the form KEY: VALUE",
		"contexts:\n  a:\n    server: x\n    <<: {insecure: true}":      `line 4: context a: there is no "<<"`,
		"contexts:\n  a:\n    server: x\n" + strings.Repeat("#", 1<<20): "has more than 1048576 bytes",
		"contexts:\n  a:\n    server: \xff":                             "invalid",
	} {
		_, err := loadContexts("file.yaml", strings.NewReader(text))
		code, said := 0, ""
		if err != nil {
			code, said = explain(err)
		}
		if code != exitUsage || !strings.HasPrefix(said, "file.yaml") || !strings.Contains(said, want) {
			t.Errorf("%.60q: %d, %q, want %d, file.yaml: … %s", text, code, said, exitUsage, want)
		}
	}
}

func TestContextsThatAreFine(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":             `"" map[]`,
		"# nothing":    `"" map[]`,
		"contexts:":    `"" map[]`,
		"current:":     `"" map[]`,
		"contexts: {}": `"" map[]`,
		"{current: a, contexts: {a: {server: x}}}": `"a" map[a:map[server:x]]`,
		"contexts:\n  yes:\n    server: 1.5":       `"" map[yes:map[server:1.5]]`,
		"contexts:\n  arn:aws/x@y:\n    server: dns:///a:1\n    insecure: \"true\"\n    unavailable-for: 1m": `"" map[arn:aws/x@y:map[insecure:true server:dns:///a:1 unavailable-for:1m]]`,
	} {
		c, err := loadContexts("file.yaml", strings.NewReader(text))
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if got := fmt.Sprintf("%q %v", c.current, c.named); got != want {
			t.Errorf("%q is %s, want %s", text, got, want)
		}
	}
}

// Of many that change the contexts at once none undoes what another did, and nobody ever reads half a file.
func TestNoChangeOfTheContextsIsLost(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lockctl.yaml")
	const writers, each = 6, 6
	over := make(chan struct{})
	var writing, reading sync.WaitGroup
	reading.Go(func() {
		for {
			select {
			case <-over:
				return
			default:
			}
			if _, err := inFile(t, path).readContexts(); err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Errorf("while it is changed it reads: %v", err)
			}
		}
	})
	for w := range writers {
		writing.Go(func() {
			for i := range each {
				name := fmt.Sprintf("c%d-%d", w, i)
				err := inFile(t, path).changeContexts(t.Context(), func(c *contexts) error {
					c.set(name, map[string]string{settingServer: "localhost:1"})
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	writing.Wait()
	close(over)
	reading.Wait()
	c, err := inFile(t, path).readContexts()
	if err != nil || len(c.named) != writers*each {
		t.Errorf("there are %d contexts, %v, want %d", len(c.named), err, writers*each)
	}
}

// Whoever waits for another to have changed the contexts can be interrupted, and has changed nothing.
func TestWaitingToChangeTheContextsEnds(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lockctl.yaml")
	unlock, err := lockFile(t.Context(), path+".lock")
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(&interrupted{syscall.SIGINT})
	err = inFile(t, path).changeContexts(ctx, func(*contexts) error {
		t.Error("it changes what another one is changing")
		return nil
	})
	if code, text := explain(err); code != 130 {
		t.Errorf("changeContexts = %d, %s, want 130", code, text)
	}
}

// A change that fails, or would not be read back, leaves the file as it is.
func TestAFailedChangeOfTheContextsLeavesThem(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "lockctl.yaml")
	const before = "contexts:\n  a:\n    server: x\n"
	if err := os.WriteFile(path, []byte(before), 0o644); err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]func(*contexts) error{
		"refused":   func(*contexts) error { return errors.New("refused") },
		"no server": func(c *contexts) error { c.set("b", map[string]string{settingInsecure: "true"}); return nil },
	} {
		if err := inFile(t, path).changeContexts(t.Context(), change); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("changeContexts = %v, want %s", err, what)
		}
		if text, err := os.ReadFile(path); string(text) != before {
			t.Errorf("%s: there is %q, %v, want what was there before", what, text, err)
		}
	}
	if found, _ := os.ReadDir(dir); len(found) != 2 {
		t.Errorf("there are %v, want the file and its lock", found)
	}
	if err := os.Symlink("nowhere", path+".link"); err != nil {
		t.Fatal(err)
	}
	for _, wrong := range []string{path + ".link", dir} {
		if err := inFile(t, wrong).changeContexts(t.Context(), func(*contexts) error { return nil }); err == nil {
			t.Errorf("changeContexts in %s = nil, want an error", wrong)
		}
	}
}

func TestMeant(t *testing.T) {
	t.Parallel()
	for _, c := range [][]string{
		{"relaese", "release", "renew", "release"}, {"gte", "get", "get", "set", "ls"}, {"xyzzy", "", "get", "run"}, {"sever", "server", "insecure", "server"}, {"a", ""},
	} {
		want := ""
		if c[1] != "" {
			want = fmt.Sprintf("; did you mean %q?", c[1])
		}
		if got := meant(c[0], c[2:]); got != want {
			t.Errorf("meant(%q, %q) = %q, want %q", c[0], c[2:], got, want)
		}
	}
}
