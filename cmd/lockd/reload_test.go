package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/internal/memstore"
)

// reloading is a reloader that has been started with yaml, and what tells what it did.
type reloading struct {
	*reloader
	path string
	seen *observer.ObservedLogs
}

func startReloading(t *testing.T, yaml string, args, environ []string) *reloading {
	t.Helper()
	from := sourcesOf(t, args, environ, yaml)
	c, err := from.load()
	if err != nil {
		t.Fatal(err)
	}
	level := zap.NewAtomicLevelAt(levelOf(c.LogLevel))
	core, seen := observer.New(level)
	store := memstore.New()
	lessor := lease.NewLessor(store, c.Limits)
	t.Cleanup(func() {
		if err := lessor.Close(context.Background()); err != nil {
			t.Error(err)
		}
		_ = store.Close()
	})
	h := host{log: zap.New(core), level: level, sources: from}
	return &reloading{newReloader(h, lessor, c), c.File, seen}
}

// again changes the file to yaml and reloads it, and answers what is logged.
func (r *reloading) again(t *testing.T, yaml string) []observer.LoggedEntry {
	t.Helper()
	if err := os.WriteFile(r.path, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	r.reload(t.Context())
	return r.seen.TakeAll()
}

// allows reports whether a lease of ttl is granted now.
func (r *reloading) allows(t *testing.T, ttl time.Duration) bool {
	t.Helper()
	_, err := r.lessor.Acquire(t.Context(), lease.AcquireRequest{Name: "any", ID: id1, Attempt: 1, TTL: &ttl})
	return err == nil
}

func texts(values map[string]value) map[string]string {
	all := make(map[string]string)
	for name, v := range values {
		all[name] = v.text
	}
	return all
}

func TestAReloadPutsInForceWhatCanChangeAndSaysSo(t *testing.T) {
	r := startReloading(t, "max-ttl: 10m\nlog-level: info", nil, nil)
	got := r.again(t, "max-ttl: 20m\nlog-level: debug")
	if !r.allows(t, 20*time.Minute) || r.level.Level() != zap.DebugLevel {
		t.Error("the new limit and level are not in force")
	}
	want := []map[string]any{
		{"setting": "max-ttl", "from": "10m0s", "to": "20m0s", "origin": r.path + ":1"},
		{"setting": "log-level", "from": "info", "to": "debug", "origin": r.path + ":2"},
		{"changed": int64(2), "waiting": int64(0)},
	}
	for i, fields := range want {
		if i >= len(got) || !cmp.Equal(got[i].ContextMap(), fields) {
			t.Errorf("line %d of the log is %v, want %v", i, got, fields)
		}
	}
	if got := r.again(t, "max-ttl: 20m0s\nlog-level: debug"); len(got) != 1 || got[0].ContextMap()["changed"] != int64(0) {
		t.Errorf("a reload that changes nothing logs %v, want that and no more", got)
	}
}

// What is said of a change of the level is seen, whichever way it goes.
func TestAChangeOfTheLogLevelIsLoggedBothWays(t *testing.T) {
	r := startReloading(t, "log-level: info", nil, nil)
	for _, level := range []string{"error", "info"} {
		if got := r.again(t, "log-level: "+level); len(got) != 2 || got[0].ContextMap()["to"] != level {
			t.Errorf("a change to %s logs %v, want the change", level, got)
		}
	}
}

// If any part is wrong nothing changes: neither what is right beside it nor what comes before it.
func TestAnythingWrongChangesNothing(t *testing.T) {
	password := write(t, "password", "hunter2")
	good := "redis: redis://u@localhost\nredis-password-file: " + password + "\n"
	for name, bad := range map[string]struct {
		yaml string
		say  []string
	}{
		"syntax":     {"max-ttl: 20m\n{", []string{"not valid YAML"}},
		"unknown":    {"max-ttl: 20m\nmin_ttl: 2s", []string{`"min_ttl"`, `"min-ttl"`, ":2"}},
		"value":      {"max-ttl: 20m\nlog-level: loud", []string{`"loud"`, "debug"}},
		"several":    {"max-ttl: 60\nlog-level: loud\nmin_ttl: 1s", []string{`"60"`, `"loud"`, `"min_ttl"`}},
		"not live":   {good + "max-ttl: 20m\nlisten: nowhere", []string{`"nowhere"`}},
		"contradict": {"max-ttl: 20m\ndefault-ttl: 30m", []string{"default ttl is 30m"}},
		"wait":       {"max-ttl: 20m\nmax-wait: 2h", []string{"longest wait"}},
		"no secret":  {"max-ttl: 20m\nredis: redis://u@localhost", []string{"no password"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := startReloading(t, good+"max-ttl: 10m", nil, nil)
			before := maps.Clone(r.values)
			got := r.again(t, bad.yaml)
			if diff := cmp.Diff(texts(before), texts(r.values)); diff != "" || r.allows(t, 20*time.Minute) || r.level.Level() != zap.InfoLevel {
				t.Errorf("something has changed: %s", diff)
			}
			var said string
			for _, line := range got {
				if line.Level != zap.ErrorLevel || !strings.Contains(line.Message, "nothing has changed") {
					t.Errorf("the log has %v, want nothing but errors that say that nothing has changed", line)
				}
				said += line.ContextMap()["problem"].(string) + "\n"
			}
			for _, part := range bad.say {
				if !strings.Contains(said, part) {
					t.Errorf("the log says %q, want %q in it", said, part)
				}
			}
			if r.again(t, good+"max-ttl: 20m"); !r.allows(t, 20*time.Minute) {
				t.Error("a good file after it is not in force")
			}
		})
	}
}

func TestAVanishedPasswordFileChangesNothing(t *testing.T) {
	password := write(t, "password", "hunter2")
	r := startReloading(t, "redis: redis://localhost\nredis-password-file: "+password+"\nmax-ttl: 10m", nil, nil)
	if err := os.Remove(password); err != nil {
		t.Fatal(err)
	}
	got := r.again(t, "redis: redis://localhost\nredis-password-file: "+password+"\nmax-ttl: 20m")
	if r.allows(t, 20*time.Minute) || len(got) != 1 || !strings.Contains(got[0].ContextMap()["problem"].(string), password) {
		t.Errorf("the log has %v, want the file's name, and nothing changed", got)
	}
}

// What takes a restart keeps its value; the log names it at each reload until then, and the rest is in force.
func TestWhatTakesARestartIsNamedAndTheRestApplied(t *testing.T) {
	r := startReloading(t, "listen: 127.0.0.1:1\nredis: redis://:hunter2@a\nmax-ttl: 10m", nil, nil)
	const next = "listen: 127.0.0.1:2\nredis: redis://:hunter3@a\nmax-ttl: 20m\nkey-prefix: mine"
	for i := range 2 {
		got := r.again(t, next)
		var waiting []string
		for _, line := range got {
			if line.Level == zap.WarnLevel {
				fields := line.ContextMap()
				waiting = append(waiting, fields["setting"].(string)+" "+fields["from"].(string)+" → "+fields["to"].(string))
			}
		}
		want := []string{
			"listen 127.0.0.1:1 → 127.0.0.1:2", "redis redis://:xxxxx@a → redis://:xxxxx@a with another password", "key-prefix lockd → mine",
		}
		if !slices.Equal(waiting, want) {
			t.Errorf("reload %d warns of %q, want %q", i+1, waiting, want)
		}
		if !r.allows(t, 20*time.Minute) {
			t.Error("the new limit is not in force")
		}
	}
	if got := r.again(t, "listen: 127.0.0.1:1\nredis: redis://:hunter2@a\nmax-ttl: 20m"); len(got) != 1 {
		t.Errorf("put back as it is in force it logs %v, want nothing to wait for", got)
	}
}

// The file decides nothing that a flag or a variable has decided.
func TestAReloadKeepsTheOrderOfSources(t *testing.T) {
	r := startReloading(t, "max-ttl: 10m\nmax-wait: 1m", []string{"--max-ttl=10m"}, []string{"LOCKD_MAX_WAIT=1m"})
	if got := r.again(t, "max-ttl: 20m\nmax-wait: 2m"); len(got) != 1 || r.allows(t, 20*time.Minute) {
		t.Errorf("the file goes before flag or variable: %v", got)
	}
}

// A setting that has gone from the file has its default again.
func TestAReloadGoesBackToDefaults(t *testing.T) {
	r := startReloading(t, "max-ttl: 10m", nil, nil)
	if r.again(t, "# nothing"); !r.allows(t, time.Hour) {
		t.Error("the default is not in force")
	}
}

// What came through a pipe is empty the second time, which must not mean the defaults.
func TestAPipeIsNotReadASecondTime(t *testing.T) {
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if _, err := out.WriteString("max-ttl: 10m"); err != nil {
		t.Fatal(err)
	}
	out.Close()
	r := startReloading(t, "", []string{"--config", fmt.Sprint("/dev/fd/", in.Fd())}, nil)
	r.reload(t.Context())
	if r.allows(t, time.Hour) || r.seen.FilterMessageSnippet("nothing has changed").Len() != 1 {
		t.Error("a pipe was read a second time, and the defaults put in force")
	}
}
