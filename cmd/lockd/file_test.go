package main

import (
	"fmt"
	"strings"
	"testing"
)

// A value means its text: YAML's idea of what it might be has no say.
func TestAValueOfTheFileIsItsText(t *testing.T) {
	for yaml, want := range map[string]string{
		"007": "007", "1e3": "1e3", "0x10": "0x10", "no": "no", "2026-01-02": "2026-01-02", `"quoted"`: "quoted", "'a''b'": "a'b", `"a\tb"`: "a\tb",
		"1_000": "1_000", "true": "true", "&x anchored": "anchored", "!!str null": "null",
	} {
		if c, err := loaded(t, nil, nil, "key-prefix: "+yaml); err != nil || c.KeyPrefix != want {
			t.Errorf("key-prefix: %s is %q, %v; want %q", yaml, c.KeyPrefix, err, want)
		}
	}
}

func TestAFileMaySayNothing(t *testing.T) {
	for _, yaml := range []string{"\n", "# nothing\n", "---\n", "{}", "~"} {
		if _, err := loaded(t, nil, nil, yaml); err != nil {
			t.Errorf("load of a file of %q = %v, want the defaults", yaml, err)
		}
	}
}

// Everything that is wrong is said at once, each with its line, in a message that does not repeat what
// might be a secret.
func TestEverythingWrongIsSaidAtOnce(t *testing.T) {
	file := write(t, "lockd.yaml", "max_ttl: 1h\nmin-ttl: 60\nlisten: 0.0.0.0:1\nmin-ttl: 1s\nlog-level: loud\nredis: redis://:hunter2@a:b\nhttp: [x]\nreds: :hunter2@a\n")
	code, out, stderr := check([]string{"LOCKD_LOG_FORMAT=xml", "LOCKD_MAX_WAIT=2h", "LOCKD_INSECURE=maybe"}, "--config", file, "--key-prefix={a}")
	if code != exitUsage || out != "" || strings.Contains(stderr, "hunter2") {
		t.Errorf("lockd --check-config exits %d with %q and %q, want 64, nothing, and no password", code, out, stderr)
	}
	for _, want := range []string{
		file + `:1: there is no setting "max_ttl"; did you mean "max-ttl"?`,
		file + `:2: min-ttl is "60"; want a duration`,
		file + ":3: listen is ",
		file + ":4: min-ttl was already set in " + file + ":2",
		file + `:5: log-level is "loud"`,
		file + ":6: redis: ",
		file + ":7: http is a list",
		file + `:8: there is no setting "reds"; did you mean "redis"?`,
		"LOCKD_LOG_FORMAT: log-format is ", "LOCKD_MAX_WAIT: the longest wait is ", "LOCKD_INSECURE: insecure is ", "--key-prefix: key prefix ",
	} {
		if !strings.Contains(stderr, "\nlockd: "+want) && !strings.HasPrefix(stderr, "lockd: "+want) {
			t.Errorf("stderr is\n%swant a line that begins with %q", stderr, want)
		}
	}
}

// A limit that cannot be read hides no fault of the others, and is none of theirs: nothing is held against what is not known.
func TestAnUnreadableLimitHidesNoOther(t *testing.T) {
	for _, test := range []struct {
		args []string
		says []string // all that is said
	}{
		{[]string{"LOCKD_MIN_TTL=x", "LOCKD_MAX_TTL=48h", "LOCKD_MAX_WAIT=2h"}, []string{"LOCKD_MIN_TTL: min-ttl is ", "the largest ttl is 48h", "the longest wait is 2h"}},
		{[]string{"LOCKD_MIN_TTL=x", "LOCKD_DEFAULT_TTL=100ms"}, []string{"LOCKD_MIN_TTL: "}},
		{[]string{"LOCKD_MAX_TTL=x", "LOCKD_DEFAULT_TTL=2h"}, []string{"LOCKD_MAX_TTL: "}},
		{[]string{"LOCKD_MAX_TTL=x", "LOCKD_MIN_TTL=1m"}, []string{"LOCKD_MAX_TTL: ", "LOCKD_MIN_TTL: the default ttl is 30s"}},
		{[]string{"LOCKD_DEFAULT_TTL=x", "LOCKD_MIN_TTL=1m"}, []string{"LOCKD_DEFAULT_TTL: "}},
		{[]string{"LOCKD_DEFAULT_TTL=x", "LOCKD_MIN_TTL=2h"}, []string{"LOCKD_DEFAULT_TTL: ", "LOCKD_MIN_TTL: the smallest ttl is 2h"}},
		{[]string{"LOCKD_MAX_RATE=-99999999999999999999", "LOCKD_TENANT_LINE=-1"}, []string{"LOCKD_MAX_RATE: max-rate is ", "LOCKD_TENANT_LINE: tenant-line is -1; want "}},
		{[]string{"LOCKD_MAX_METADATA=x", "LOCKD_MAX_LEASES=-1", "LOCKD_MAX_STREAMS=-2"}, []string{"LOCKD_MAX_METADATA: ", "LOCKD_MAX_LEASES: ", "LOCKD_MAX_STREAMS: "}},
	} {
		_, err := loaded(t, nil, test.args, "")
		if err == nil || strings.Count(err.Error(), "\n")+1 != len(test.says) {
			t.Errorf("load(%v) = %v, want %d lines", test.args, err, len(test.says))
			continue
		}
		for _, want := range test.says {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("load(%v) = %v, want a line with %q", test.args, err, want)
			}
		}
	}
}

// A file that holds something else, such as a password, is not quoted.
func TestAFileOfSomethingElseIsNotQuoted(t *testing.T) {
	for _, text := range []string{"hunter2", "*hunter2", "- hunter2", "a: *hunter2", "a: !hunter2", "{hunter2", "'hunter2", "%hunter2", "listen: a: hunter2", "a: &hunter2", "@hunter2", "\thunter2", "hunter2\x00", "\xffhunter2"} {
		code, _, stderr := check(nil, "--config", write(t, "lockd.yaml", text))
		if code != exitUsage || strings.Contains(stderr, "hunter2") {
			t.Errorf("with a file of %q lockd exits %d and says %q, want 64 and not what is in it", text, code, stderr)
		}
	}
}

// What a file that cannot be read would have set is not held against the rest.
func TestAFileThatCannotBeReadIsTheOnlyProblem(t *testing.T) {
	_, _, stderr := check([]string{"LOCKD_REDIS_PASSWORD_FILE=/dev/null"}, "--config", write(t, "lockd.yaml", "redis: redis://a\n{"))
	if n := strings.Count(stderr, "\nlockd: "); n != 0 || !strings.Contains(stderr, "not valid YAML") {
		t.Errorf("stderr is\n%swant the file's fault alone", stderr)
	}
}

func TestAFileOfTheWrongShapeIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		"a: 1\n---\nb: 2": "more than one document", "[a]": "no list of settings", "key-prefix: !env X": "the tag !env",
		"key-prefix: !!binary aGk=": "the tag !!binary", "? [a]\n: b": "there is no setting", "<<: {listen: a}": `"<<"`,
		"http: &a {b: c}\nlisten: *a":       "listen has settings of its own",
		strings.Repeat("#", maxFile) + "\n": fmt.Sprintf("more than %d bytes", maxFile),
	} {
		if code, _, stderr := check(nil, "--config", write(t, "lockd.yaml", text)); code != exitUsage || !strings.Contains(stderr, want) {
			t.Errorf("with a file of %.30q lockd exits %d and says %q, want 64 and %q", text, code, stderr, want)
		}
	}
	for _, path := range []string{t.TempDir(), "/dev/zero"} {
		if code, _, stderr := check(nil, "--config", path); code != exitUsage || !strings.Contains(stderr, path) {
			t.Errorf("lockd --config %s exits %d and says %q, want 64 and the path", path, code, stderr)
		}
	}
}

func TestAnUnknownFlagIsRefusedWithTheNearest(t *testing.T) {
	for flag, want := range map[string]string{"--redis-password=hunter2": "--redis-password-file", "--max_ttl=1m": "--max-ttl", "--checkconfig": "--check-config"} {
		code, _, stderr := check(nil, flag)
		if code != exitUsage || !strings.Contains(stderr, "did you mean "+want+"?") || strings.Contains(stderr, "hunter2") {
			t.Errorf("lockd %s exits %d and says %q, want 64, %s, and not the value", flag, code, stderr, want)
		}
	}
}
