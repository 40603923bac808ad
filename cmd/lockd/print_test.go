package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// printed runs lockd config print, which must succeed.
func printed(t *testing.T, env []string, args ...string) string {
	t.Helper()
	var out, err bytes.Buffer
	if code := run(t.Context(), nil, append([]string{"config", "print"}, args...), env, &out, &err); code != exitDrained || err.Len() > 0 {
		t.Fatalf("lockd config print %v exits %d: %s", args, code, err.String())
	}
	return out.String()
}

func TestConfigPrintSaysWhereEachSettingComesFrom(t *testing.T) {
	file := write(t, "lockd.yaml", "# first\nmax-ttl: 90m\nkey-prefix: 007\nhttp: ''\nmax-wait: 1m\n")
	got := printed(t, []string{"LOCKD_MAX_WAIT=2m", "LOCKD_LOG_LEVEL=warn"}, "--config", file, "--log-level=debug", "--reflection")
	for _, line := range []string{
		"listen: 127.0.0.1:7420 # default",
		`http: "" # ` + file + ":4",
		`key-prefix: "007" # ` + file + ":3",
		"max-ttl: 1h30m0s # " + file + ":2",
		"max-wait: 2m0s # LOCKD_MAX_WAIT",
		"reflection: true # --reflection",
		"log-level: debug # --log-level",
	} {
		if !strings.Contains(got, "\n"+line+"\n") {
			t.Errorf("lockd config print writes\n%swant the line %q in it", got, line)
		}
	}
	if first, _, _ := strings.Cut(got, "\n"); !strings.Contains(first, file) {
		t.Errorf("its first line is %q, want the file's name in it", first)
	}
}

// What is printed is every setting, and a file of the same meaning, for each place where leases are kept.
func TestWhatConfigPrintWritesIsReadBack(t *testing.T) {
	for _, store := range []struct {
		set    string
		unused []string // with it
	}{
		{"--redis=rediss://a,b:1?master=m", []string{"redlock", "redlock-node-timeout"}},
		{"--redlock=rediss://a,rediss://b:1,rediss://c", []string{"redis", "redis-sentinel-password-file", "redis-shared", "redis-min-replicas"}},
	} {
		args := []string{store.set}
		for name, sample := range samples(t) {
			if !strings.HasPrefix(store.set, "--"+name+"=") && !slices.Contains(store.unused, name) {
				args = append(args, "--"+name+"="+sample[0])
			}
		}
		file := write(t, "lockd.yaml", printed(t, nil, args...))
		was, err := loaded(t, args, nil, "")
		if err != nil {
			t.Fatal(err)
		}
		is, err := loaded(t, []string{"--config", file}, nil, "")
		if err != nil {
			t.Errorf("what was printed is refused: %v", err)
		}
		if diff := cmp.Diff(texts(was.values), texts(is.values)); diff != "" {
			t.Errorf("the settings that were printed are read as (-were +are)\n%s", diff)
		}
		for setting, v := range is.values {
			if !strings.HasPrefix(v.origin, file+":") {
				t.Errorf("%s was not printed", setting)
			}
		}
	}
}

// Texts that YAML would take for something else are printed so that it does not.
func TestConfigPrintQuotesWhatYAMLWouldMistake(t *testing.T) {
	for _, prefix := range []string{"true", "null", "~", "1e3", "0x10", "a: b", "a #b", "- a", "*a", "!a", "'", `"`, "", " a ", "2026-01-02", "a\nlisten: b", "größe"} {
		file := write(t, "lockd.yaml", printed(t, nil, "--key-prefix="+prefix))
		if c, err := loaded(t, []string{"--config", file}, nil, ""); err != nil || c.KeyPrefix != prefix {
			t.Errorf("the prefix %q is read back as %q, %v", prefix, c.KeyPrefix, err)
		}
	}
}

// No password is printed, from wherever it came; and what stands in its place is not taken for one.
func TestConfigPrintHidesPasswords(t *testing.T) {
	file := write(t, "password", "hunter2")
	for _, url := range []string{
		"redis://:hunter2@a", "redis://u:hunter2@a:1/2", "unix://u:hunter2@/run/redis.sock", "redis://u:h%20unter2%3Ahunter2@a",
	} {
		for _, c := range []struct {
			env  []string
			args []string
		}{
			{env: []string{"LOCKD_REDIS=" + url}},
			{args: []string{"--config", write(t, "lockd.yaml", "redis: "+url)}},
			{env: []string{"LOCKD_REDIS=" + url}, args: []string{"--redis-password-file", file}},
		} {
			got := printed(t, c.env, c.args...)
			if strings.Contains(got, "unter2") || !strings.Contains(got, "the password is hidden") {
				t.Errorf("lockd config print with %s writes\n%s", url, got)
			}
			code, _, stderr := check(nil, "--config", write(t, "printed.yaml", got))
			if code != exitUsage || !strings.Contains(stderr, "printed.yaml:4: redis: the password is xxxxx") {
				t.Errorf("with what was printed lockd exits %d and says %q, want 64 and that this is no password", code, stderr)
			}
		}
	}
}

func TestConfigPrintOfWhatIsWrongSaysSo(t *testing.T) {
	var out, err bytes.Buffer
	code := run(t.Context(), nil, []string{"config", "print", "--log-level=loud"}, []string{"LOCKD_LOG_FORMAT=xml"}, &out, &err)
	if code != exitUsage || out.Len() > 0 || !strings.Contains(err.String(), `"loud"`) || !strings.Contains(err.String(), `"xml"`) {
		t.Errorf("lockd config print exits %d with %q and %q, want 64, nothing, and both faults", code, out.String(), err.String())
	}
}

func TestConfigAloneSaysWhatIsMeant(t *testing.T) {
	for _, args := range [][]string{{"config"}, {"config", "prnt"}, {"config", "print", "x"}} {
		var out, err bytes.Buffer
		if code := run(t.Context(), nil, args, nil, &out, &err); code != exitUsage || !strings.Contains(err.String(), "lockd config print") {
			t.Errorf("lockd %v exits %d and says %q, want 64 and what would be right", args, code, err.String())
		}
	}
}
