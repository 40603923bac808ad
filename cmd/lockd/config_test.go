package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/lockd/lockd/test/certs"
)

// sourcesOf are args, environ and, unless it is "", a file of yaml.
func sourcesOf(t *testing.T, args, environ []string, yaml string) sources {
	t.Helper()
	if yaml != "" {
		args = append(args, "--config", write(t, "lockd.yaml", yaml))
	}
	line := new(config).flags()
	if err := line.Parse(args); err != nil {
		t.Fatal(err)
	}
	return sources{line: line, environ: environ}
}

// loaded answers what the settings are after args, environ and, unless it is "", a file of yaml.
func loaded(t *testing.T, args, environ []string, yaml string) (config, error) {
	t.Helper()
	return sourcesOf(t, args, environ, yaml).load()
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// check runs lockd --check-config.
func check(env []string, args ...string) (code int, stdout, stderr string) {
	var out, err bytes.Buffer
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // whoever asked somebody with it would fail
	code = run(ctx, nil, append(args, "--check-config"), env, &out, &err)
	return code, out.String(), err.String()
}

// samples are, for each setting, a value for the flag, the environment and the file.
func samples(t *testing.T) map[string][3]string {
	authority := certs.New(t)
	pair := authority.Sign(t, "lockd")
	password := func() string { return write(t, "password", "hunter2\n") }
	tokens := func() string { return write(t, "tokens", "") }
	keys := func() string {
		return write(t, "keys.json", `{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`)
	}
	policy := func() string { return write(t, "policy.yaml", "rules: []") }
	return map[string][3]string{
		"listen":                       {"127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"},
		"http":                         {"127.0.0.1:4", "127.0.0.1:5", "127.0.0.1:6"},
		"redis":                        {"redis://a", "redis://b", "redis://c"},
		"redis-password-file":          {password(), password(), password()},
		"redis-sentinel-password-file": {password(), password(), password()},
		"redis-ca":                     {authority.CA, authority.CA, authority.CA},
		"redis-cert":                   {pair.Cert, pair.Cert, pair.Cert},
		"redis-key":                    {pair.Key, pair.Key, pair.Key},
		"redis-shared":                 {"true", "true", "true"},
		"redis-min-replicas":           {"1", "2", "3"},
		"redlock":                      {"redis://a,redis://b,redis://c", "redis://d,redis://e,redis://f", "redis://g,redis://h,redis://i"},
		"redlock-node-timeout":         {"50ms", "60ms", "70ms"},
		"key-prefix":                   {"a", "b", "c"},
		"min-ttl":                      {"1ms", "2ms", "3ms"},
		"max-ttl":                      {"1h1m0s", "1h2m0s", "1h3m0s"},
		"default-ttl":                  {"31s", "32s", "33s"},
		"max-wait":                     {"1m0s", "2m0s", "3m0s"},
		"max-metadata":                 {"1", "2", "3"},
		"metrics-class":                {"a=b", "c=d", "e=f"},
		"max-leases":                   {"1", "2", "3"},
		"max-waiters":                  {"1", "2", "3"},
		"max-streams":                  {"1", "2", "3"},
		"max-rate":                     {"1", "2", "3"},
		"max-connections":              {"1", "2", "3"},
		"max-connections-from-one":     {"1", "2", "3"},
		"tenant-leases":                {"1", "2", "3"},
		"tenant-waiters":               {"1", "2", "3"},
		"tenant-line":                  {"1", "2", "3"},
		"tenant-streams":               {"1", "2", "3"},
		"tenant-rate":                  {"1", "2", "3"},
		"tls-cert":                     {pair.Cert, pair.Cert, pair.Cert},
		"tls-key":                      {pair.Key, pair.Key, pair.Key},
		"tls-client-ca":                {authority.CA, authority.CA, authority.CA},
		"token-file":                   {tokens(), tokens(), tokens()},
		"jwt-keys":                     {keys(), keys(), keys()},
		"jwt-issuer":                   {"a", "b", "c"},
		"jwt-audience":                 {"a", "b", "c"},
		"policy":                       {policy(), policy(), policy()},
		"insecure":                     {"true", "true", "true"},
		"reflection":                   {"true", "true", "true"},
		"log-level":                    {"debug", "warn", "error"},
		"log-format":                   {"json", "json", "json"},
		"audit-log":                    {"a", "b", "c"},
	}
}

func TestFlagGoesBeforeEnvironmentBeforeFileBeforeDefault(t *testing.T) {
	all := samples(t)
	flags := new(config).flags()
	for _, name := range settingsOf(flags) {
		value, ok := all[name]
		if !ok {
			t.Errorf("no sample for --%s: every setting must be tested", name)
			continue
		}
		t.Run(name, func(t *testing.T) {
			var also []string // what the setting needs beside it
			switch name {
			case "redis-password-file", "redis-min-replicas":
				also = []string{"LOCKD_REDIS=redis://a"}
			case "redlock-node-timeout":
				also = []string{"LOCKD_REDLOCK=redis://a,redis://b,redis://c"}
			case "redis-sentinel-password-file":
				also = []string{"LOCKD_REDIS=redis://a?master=m"}
			case "redis-ca":
				also = []string{"LOCKD_REDIS=rediss://a"}
			case "redis-cert", "redis-key", "tls-cert", "tls-key", "jwt-keys", "jwt-issuer", "jwt-audience", "tls-client-ca",
				"token-file", "policy": // one needs the other
				return
			}
			expect := func(want string, args, environ []string, yaml string) {
				t.Helper()
				c, err := loaded(t, args, append(environ, also...), yaml)
				if err != nil {
					t.Errorf("load(%v, %v, %q) = %v", args, environ, yaml, err)
				}
				if got := c.values[name].text; got != want {
					t.Errorf("load(%v, %v, %q) sets %s to %q, want %q", args, environ, yaml, name, got, want)
				}
			}
			flag := []string{"--" + name + "=" + value[0]}
			environ := []string{variable(name) + "=" + value[1]}
			yaml := fmt.Sprintf("%s: %s\n", name, value[2])
			expect(flags.Lookup(name).DefValue, nil, nil, "")
			expect(value[2], nil, nil, yaml)
			expect(value[1], nil, environ, yaml)
			expect(value[0], flag, environ, yaml)
			expect(value[0], flag, nil, yaml)
		})
	}
}

func TestABooleanCanBeTurnedOffAgain(t *testing.T) {
	for _, source := range []struct {
		args, env []string
		yaml      string
	}{
		{[]string{"--insecure=false"}, []string{"LOCKD_INSECURE=true"}, ""},
		{nil, []string{"LOCKD_INSECURE=false"}, "insecure: true"},
	} {
		if c, err := loaded(t, source.args, source.env, source.yaml); err != nil || c.Insecure {
			t.Errorf("load(%v, %v, %q) = insecure %t, %v, want false", source.args, source.env, source.yaml, c.Insecure, err)
		}
	}
}

func TestTheFileIsNamedByFlagOrEnvironment(t *testing.T) {
	a, b := write(t, "a.yaml", "key-prefix: a"), write(t, "b.yaml", "key-prefix: b")
	for want, source := range map[string][2][]string{
		"a": {{"--config", a}, {"LOCKD_CONFIG=" + b}},
		"b": {nil, {"LOCKD_CONFIG=" + b}},
	} {
		if c, err := loaded(t, source[0], source[1], ""); err != nil || c.KeyPrefix != want {
			t.Errorf("load(%v) takes the prefix %q, %v, want %q", source, c.KeyPrefix, err, want)
		}
	}
}

func TestAnUnknownKeyOfTheFileIsRefusedWithTheNearest(t *testing.T) {
	for key, want := range map[string]string{
		"max_ttl": "max-ttl", "lisen": "listen", "reds": "redis", "redis-pasword-file": "redis-password-file", "MAX-TTL": "max-ttl",
		"config": "", "check-config": "", "version": "", "help": "", // flags, but no settings
	} {
		_, err := loaded(t, nil, nil, key+": x\n")
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%q", key)) || !strings.Contains(err.Error(), fmt.Sprintf("%q?", want)) && want != "" {
			t.Errorf("load of a file with %q = %v, want an error that names it and %q", key, err, want)
		}
	}
}

func TestAnUnknownVariableIsIgnored(t *testing.T) {
	environ := []string{
		"LOCKD_PORT=tcp://10.0.0.1:7420", "LOCKD_SERVICE_HOST=10.0.0.1", "LOCKD_PORT_7420_TCP_ADDR=10.0.0.1", "LOCKD_TOKEN=7",
		"LOCKD_CHECK_CONFIG=no", "LOCKD_VERSION=no", "LOCKD_HELP=no", "LOCKD_=", "LOCKD_MAX-TTL=no", "lockd_listen=no", "no equals sign",
	}
	if c, err := loaded(t, nil, environ, ""); err != nil || c.Listen != "127.0.0.1:7420" {
		t.Errorf("load(%v) = listen %q, %v, want the defaults", environ, c.Listen, err)
	}
}

func TestNoSettingIsCalledLikeAVariableOfSomebodyElse(t *testing.T) {
	reserved := []string{"LOCKD_NAME", "LOCKD_TOKEN", "LOCKD_LEASE_ID", "LOCKD_OWNER", "LOCKD_TTL_MS", "LOCKD_SERVER", "LOCKD_PORT"}
	command(nil, nil).Flags().VisitAll(func(f *pflag.Flag) {
		name := variable(f.Name)
		if slices.Contains(reserved, name) || strings.HasPrefix(name, "LOCKD_SERVICE") || strings.HasPrefix(name, "LOCKD_PORT_") {
			t.Errorf("--%s has the variable %s, which is given by Kubernetes or lockctl", f.Name, name)
		}
	})
}

func TestHelpIsComplete(t *testing.T) {
	var out, err bytes.Buffer
	if code := run(t.Context(), nil, []string{"--help"}, nil, &out, &err); code != exitDrained || err.Len() > 0 {
		t.Errorf("lockd --help exits %d and says %q on stderr, want 0 and nothing", code, err.String())
	}
	var want []string
	command(nil, nil).Flags().VisitAll(func(f *pflag.Flag) {
		want = append(want, "--"+f.Name)
		if !slices.Contains(notSettings, f.Name) {
			want = append(want, "["+variable(f.Name)+"]")
		}
	})
	for _, code := range []int{exitDrained, exitOther, exitUsage, exitUnreachable, exitRefused} {
		want = append(want, fmt.Sprintf("\n  %2d  ", code))
	}
	for _, part := range append(want, "[LOCKD_CONFIG]") {
		if !strings.Contains(out.String(), part) {
			t.Errorf("lockd --help does not show %q", part)
		}
	}
}

func TestCheckConfigSaysWhetherItIsValidAndAsksNobody(t *testing.T) {
	// Neither the Redis nor the addresses exist.
	code, out, stderr := check([]string{"LOCKD_REDIS=redis://:secret@192.0.2.1:6379"}, "--listen", "192.0.2.1:7420", "--insecure")
	if code != exitDrained || out != "the configuration is valid\n" || stderr != "" {
		t.Errorf("lockd --check-config exits %d with %q, %q, want 0", code, out, stderr)
	}
	for name, bad := range map[string]struct {
		args, env []string
		yaml      string
		say       []string // what stderr must contain
	}{
		"argument":              {args: []string{"serve"}, say: []string{`"serve"`, "flags only"}},
		"flag":                  {args: []string{"--ttl=1s"}, say: []string{"--ttl"}},
		"duration":              {args: []string{"--max-ttl=60"}, say: []string{"--max-ttl", "missing unit"}},
		"duration in env":       {env: []string{"LOCKD_MAX_TTL=60"}, say: []string{"LOCKD_MAX_TTL", `"60"`, "30s"}},
		"duration in file":      {yaml: "max-ttl: 60", say: []string{"lockd.yaml:1: max-ttl", `"60"`, "30s"}},
		"bool in env":           {env: []string{"LOCKD_INSECURE=maybe"}, say: []string{"LOCKD_INSECURE", "true or false"}},
		"list in file":          {yaml: "listen: [a, b]", say: []string{"lockd.yaml:1: listen is a list", "single value"}},
		"nothing in file":       {yaml: "redis:", say: []string{"lockd.yaml:1: redis has no value", "single value"}},
		"nested in file":        {yaml: "redis:\n  url: x", say: []string{"lockd.yaml:1: redis has settings of its own"}},
		"twice in file":         {yaml: "listen: a\nlisten: b", say: []string{"lockd.yaml:2: listen was already set in ", "lockd.yaml:1", "once"}},
		"no yaml":               {yaml: "{", say: []string{"config file", "not valid YAML: line 1"}},
		"a list without an end": {yaml: "listen: 127.0.0.1:1\nhttp: [1\nredis: x\n", say: []string{"not valid YAML: line "}},
		"no map":                {yaml: "just text", say: []string{"config file"}},
		"no file":               {args: []string{"--config=/nonexistent/lockd.yaml"}, say: []string{"/nonexistent/lockd.yaml", "no such file"}},
		"listen":                {args: []string{"--listen=7420"}, say: []string{`listen is "7420"`, "host:port"}},
		"listen nowhere":        {args: []string{"--listen="}, say: []string{`listen is ""`, "host:port"}},
		"port":                  {args: []string{"--listen=localhost:http"}, say: []string{`"http"`, "65535"}},
		"large port":            {args: []string{"--http=localhost:65536"}, say: []string{"http is", "65535"}},
		"relative socket":       {args: []string{"--listen=unix://lockd.sock"}, say: []string{"not absolute"}},
		"ttl bounds":            {args: []string{"--max-ttl=10s"}, say: []string{"default ttl is 30s"}},
		"least ttl":             {args: []string{"--min-ttl=2h"}, say: []string{"lockd: --min-ttl: the smallest ttl is 2h0m0s, and the largest 1h0m0s; want "}},
		"limit among limits":    {args: []string{"--max-leases=-2"}, env: []string{"LOCKD_MAX_TTL=2h"}, say: []string{"lockd: --max-leases: max-leases is -2; want 0"}},
		"no ttl":                {args: []string{"--min-ttl=0"}, say: []string{"smallest ttl is 0s"}},
		"wait":                  {args: []string{"--max-wait=2h"}, say: []string{"longest wait is 2h"}},
		"metadata":              {args: []string{"--max-metadata=2000"}, say: []string{"metadata is 2000 bytes", "at most 1024"}},
		"negative limit":        {args: []string{"--tenant-rate=-1"}, say: []string{"--tenant-rate: tenant-rate is -1; want 0"}},
		"level":                 {args: []string{"--log-level=all"}, say: []string{`log-level is "all"`, "debug"}},
		"format":                {args: []string{"--log-format=xml"}, say: []string{`log-format is "xml"`, "console"}},
		"redis scheme":          {args: []string{"--redis=http://a"}, say: []string{"redis", "http"}},
		"prefix":                {args: []string{"--redis=redis://a", "--key-prefix={a}"}, say: []string{"brace"}},
		"password alone":        {args: []string{"--redis-password-file=/dev/null"}, say: []string{"redis-password-file", "redis is not"}},
		"replicas of nothing":   {args: []string{"--redis-min-replicas=1"}, say: []string{"--redis-min-replicas: ", "redis is not"}},
		"replicas of a cluster": {args: []string{"--redis=redis://a,b", "--redis-min-replicas=1"}, say: []string{"lockd: --redis-min-replicas: redis-min-replicas is 1: ", "Sentinel"}},
		"ttl in file":           {yaml: "key-prefix: a\nmax-ttl: 48h", say: []string{"lockd.yaml:2: the largest ttl is 48h0m0s", "24h"}},
		"two files": {yaml: "redis: rediss://a\nredis-ca: /nonexistent/ca\nredis-password-file: /nonexistent/p",
			say: []string{"lockd.yaml:3, ", "lockd.yaml:2: ", "/nonexistent/ca", "/nonexistent/p"}},
		"no master":           {args: []string{"--redis=redis://a,b?master="}, say: []string{"--redis: ", "?master=NAME"}},
		"user alone":          {args: []string{"--redis=redis://u@a"}, say: []string{"--redis: ", `"u"`, "--redis-password-file"}},
		"empty password":      {args: []string{"--redis=redis://a", "--redis-password-file=/dev/null"}, say: []string{"redis-password-file", "empty"}},
		"no password file":    {args: []string{"--redis=redis://a", "--redis-password-file=/nonexistent/p"}, say: []string{"/nonexistent/p"}},
		"gRPC beyond":         {args: []string{"--listen=0.0.0.0:7420"}, say: []string{"listen", "0.0.0.0:7420", "--insecure"}},
		"gRPC everywhere":     {args: []string{"--listen=:7420"}, say: []string{"listen", "--insecure"}},
		"gRPC beyond v6":      {args: []string{"--listen=[::]:7420"}, say: []string{"listen", "--insecure"}},
		"gRPC by name":        {args: []string{"--listen=lockd.internal:7420"}, say: []string{"listen", "--insecure"}},
		"HTTP beyond":         {args: []string{"--http=0.0.0.0:7421"}, say: []string{"http", "0.0.0.0:7421", "--insecure"}},
		"HTTP beyond, by env": {env: []string{"LOCKD_HTTP=:7421"}, say: []string{"http", "--insecure"}},
	} {
		t.Run(name, func(t *testing.T) {
			args := bad.args
			if bad.yaml != "" {
				args = append(args, "--config", write(t, "lockd.yaml", bad.yaml))
			}
			code, out, stderr := check(bad.env, args...)
			if code != exitUsage || out != "" {
				t.Errorf("lockd --check-config exits %d with %q on stdout, want 64 and nothing", code, out)
			}
			for _, part := range append(bad.say, "lockd: ", "lockd --help") {
				if !strings.Contains(stderr, part) {
					t.Errorf("stderr is %q, want it to contain %q", stderr, part)
				}
			}
		})
	}
}

func TestLoopbackAndSocketsNeedNoInsecure(t *testing.T) {
	for _, at := range []string{"127.0.0.1:1", "127.1.2.3:1", "[::1]:1", "localhost:1", "[::ffff:127.0.0.1]:1", "unix:///run/lockd.sock"} {
		if code, _, stderr := check(nil, "--listen", at, "--http", at); code != exitDrained {
			t.Errorf("lockd --listen %s --http %s exits %d: %s", at, at, code, stderr)
		}
	}
	for _, at := range []string{"0.0.0.0:1", "[::]:1", "example.com:1", ":1"} {
		if code, _, stderr := check(nil, "--listen", at, "--http", at, "--insecure"); code != exitDrained {
			t.Errorf("lockd --listen %s --http %s --insecure exits %d: %s", at, at, code, stderr)
		}
	}
}

func TestAPasswordComesFromEnvironmentOrFileNeverFromAFlag(t *testing.T) {
	const secret = "hunter2"
	for _, url := range []string{
		"redis://:hunter2@localhost", "redis://u:hunter2@localhost", "unix://:hunter2@/run/redis.sock", "redis://u:%zzhunter2@localhost",
		"redis://u:12#hunter2@localhost", "redis://u:12?hunter2@localhost", "redis://u:12/hunter2@localhost",
	} {
		code, out, stderr := check(nil, "--redis", url)
		if code != exitUsage || !strings.Contains(stderr, "LOCKD_REDIS") || strings.Contains(out+stderr, secret) {
			t.Errorf("lockd --redis URL with a password exits %d and says %q, want 64, the way out, and not the password", code, stderr)
		}
	}
	if c, err := loaded(t, nil, []string{"LOCKD_REDIS=redis://:hunter2@localhost"}, ""); err != nil || strings.Contains(redacted(c.Redis), secret) {
		t.Errorf("a password in the environment: %v, shown as %q, want it taken and hidden", err, redacted(c.Redis))
	}
	if c, err := loaded(t, nil, nil, "redis: redis://:hunter2@localhost"); err != nil || strings.Contains(redacted(c.Redis), secret) {
		t.Errorf("a password in the file: %v, shown as %q, want it taken and hidden", err, redacted(c.Redis))
	}
	file := write(t, "password", secret+"\r\nand a comment\n")
	if c, err := loaded(t, []string{"--redis=redis://localhost", "--redis-password-file", file}, nil, ""); err != nil || c.RedisFiles.Password != file {
		t.Errorf("a password file: %v, read from %q, want %q", err, c.RedisFiles.Password, file)
	}
	// Faults in a URL with a password, from where it may stand, show none of it either.
	for _, url := range []string{"redis://:hunter2@local host", "redis://:hunter2@localhost:port", "redis://:%zzhunter2@localhost", "http://:hunter2@a", "redis://:hunter2@a/db?x=hunter2",
		"redis://u:12#hunter2@localhost", "redis://u:12?hunter2@localhost", "redis://u:12/hunter2@localhost"} {
		code, _, stderr := check([]string{"LOCKD_REDIS=" + url})
		if code != exitUsage || strings.Contains(stderr, secret) {
			t.Errorf("a bad URL with a password exits %d and says %q, want 64 without the password", code, stderr)
		}
	}
}

func TestEditsCountsInsertionsDeletionsAndChanges(t *testing.T) {
	for pair, want := range map[[2]string]int{
		{"", ""}: 0, {"a", ""}: 1, {"", "ab"}: 2, {"kitten", "sitting"}: 3, {"max_ttl", "max-ttl"}: 1, {"listen", "lisen"}: 1,
	} {
		if got := edits(pair[0], pair[1]); got != want {
			t.Errorf("edits(%q, %q) = %d, want %d", pair[0], pair[1], got, want)
		}
	}
}
