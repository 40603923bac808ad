package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
)

// A comma separates nodes where a URL begins after it; a flag may be given again; blanks and line ends do not count.
func TestNodesAreSeparatedByCommas(t *testing.T) {
	want := []string{"redis://a", "rediss://b:1", "unix:///c"}
	for _, args := range [][]string{
		{"--redlock=redis://a,rediss://b:1,unix:///c"}, {"--redlock", "redis://a, rediss://b:1 ,\n  unix:///c,"},
		{"--redlock=redis://a", "--redlock=rediss://b:1", "--redlock=unix:///c"}, {"--redlock=redis://a,rediss://b:1", "--redlock=unix:///c"},
	} {
		c, err := loaded(t, args, nil, "")
		if err != nil || !slices.Equal(c.Redlock, want) || !slices.Equal(c.redlock.URLs, want) {
			t.Errorf("lockd %q has the nodes %q, %v; want %q", args, c.Redlock, err, want)
		}
		if got := c.values["redlock"].text; got != strings.Join(want, ",") {
			t.Errorf("lockd %q: redlock is %q", args, got)
		}
	}
	if c, err := loaded(t, nil, nil, "redlock: >-\n  redis://a,\n  rediss://b:1,\n  unix:///c\n"); err != nil || !slices.Equal(c.Redlock, want) {
		t.Errorf("in a file of several lines: %q, %v; want %q", c.Redlock, err, want)
	}
}

// What is wrong with a quorum is said with where it was set, and what would be right.
func TestCheckConfigOfAQuorum(t *testing.T) {
	const three = "--redlock=redis://a,redis://b,redis://c"
	for name, bad := range map[string]struct {
		args []string
		yaml string
		say  []string // what stderr must contain
	}{
		"two stores":       {[]string{"--redis=redis://a"}, "redlock: redis://a,redis://b,redis://c", []string{"--redis, ", "lockd.yaml:1: ", "both set"}},
		"two nodes":        {[]string{"--redlock=redis://a,redis://b"}, "", []string{"--redlock: ", "3, 5 or 7", "2"}},
		"four nodes":       {nil, "redlock: redis://a,redis://b,redis://c,redis://d", []string{"lockd.yaml:1: ", "3, 5 or 7", "4"}},
		"nine nodes":       {[]string{"--redlock=" + strings.Repeat(",redis://a", 9)[1:]}, "", []string{"3, 5 or 7", "9"}},
		"twice":            {[]string{"--redlock=redis://a,redis://b,redis://a:6379/1"}, "", []string{"--redlock: ", "node 3 is listed twice", "a:6379"}},
		"a socket twice":   {[]string{"--redlock=unix:///a,unix:///b,unix:///b"}, "", []string{"node 3 is listed twice", "/b"}},
		"sentinels":        {[]string{"--redlock=redis://a,redis://b?master=m,redis://c"}, "", []string{"node 2", "one server"}},
		"cluster":          {[]string{"--redlock=redis://a,redis://b,c,redis://d"}, "", []string{"node 2", "one server"}},
		"no URL":           {[]string{"--redlock=a:1,b:1,c:1"}, "", []string{"node 1", "scheme"}},
		"user alone":       {[]string{"--redlock=redis://a,redis://u@b,redis://c"}, "", []string{"node 2", `"u"`, "--redis-password-file"}},
		"timeout alone":    {[]string{"--redlock-node-timeout=50ms"}, "", []string{"--redlock-node-timeout: ", "redlock is not"}},
		"short timeout":    {[]string{three, "--redlock-node-timeout=1ms"}, "", []string{"--redlock-node-timeout: ", "1ms"}},
		"negative timeout": {[]string{three, "--redlock-node-timeout=-1s"}, "", []string{"--redlock-node-timeout: ", "-1s"}},
		"replicas":         {[]string{three, "--redis-min-replicas=1"}, "", []string{"--redis-min-replicas: ", "redlock"}},
		"shared":           {[]string{three, "--redis-shared"}, "", []string{"--redis-shared: ", "redlock"}},
		"sentinels' file":  {[]string{three, "--redis-sentinel-password-file=/dev/null"}, "", []string{"--redis-sentinel-password-file: ", "redlock"}},
		"prefix":           {[]string{three, "--key-prefix={a}"}, "", []string{"--key-prefix: ", "brace"}},
	} {
		t.Run(name, func(t *testing.T) {
			args := bad.args
			if bad.yaml != "" {
				args = append(args, "--config", write(t, "lockd.yaml", bad.yaml))
			}
			code, out, stderr := check(nil, args...)
			if code != exitUsage || out != "" {
				t.Errorf("lockd --check-config exits %d with %q on stdout, want 64 and nothing", code, out)
			}
			for _, part := range bad.say {
				if !strings.Contains(stderr, part) {
					t.Errorf("stderr is %q, want it to contain %q", stderr, part)
				}
			}
		})
	}
}

// Everything that is set reaches the quorum.
func TestTheQuorumIsAsSet(t *testing.T) {
	c, err := loaded(t, []string{"--redlock=redis://a,redis://b,redis://c", "--redlock-node-timeout=70ms", "--key-prefix=team", "--max-ttl=5m"}, nil, "")
	if got := c.redlock; err != nil || got.NodeTimeout != 70*time.Millisecond || got.KeyPrefix != "team" || got.MaxTTL != 5*time.Minute || got.Secrets == nil {
		t.Errorf("the quorum is opened with %+v, %v", got, err)
	}
}

// No password of a node is in a flag's value, in what is printed, or in what is said to be wrong.
func TestPasswordsOfNodesAreShownNowhere(t *testing.T) {
	for _, url := range []string{"redis://:hunter2@b", "redis://u:hunter2@b:1/2", "unix://u:hunter2@/b", "redis://:hun,ter2@b", "redis://:a%2Chunter2@b"} {
		list := "redis://a," + url + ",redis://:hunter2@c"
		if code, out, stderr := check(nil, "--redlock", list); code != exitUsage || !strings.Contains(stderr, "LOCKD_REDLOCK") || strings.Contains(out+stderr, "ter2") {
			t.Errorf("lockd --redlock %s exits %d and says %q, want 64, the way out, and not the password", list, code, stderr)
		}
		for _, bad := range []string{list + ",redis://d", strings.Replace(list, "://a", "://"+strings.Repeat("x", 3)+" y", 1), strings.ReplaceAll(list, "@c", "@a")} {
			if code, _, stderr := check([]string{"LOCKD_REDLOCK=" + bad}); code != exitUsage || strings.Contains(stderr, "ter2") {
				t.Errorf("lockd with %s exits %d and says %q, want 64 and not the password", bad, code, stderr)
			}
		}
		if strings.Contains(redactedURLs(list), "ter2") {
			t.Errorf("%s is shown as %s", list, redactedURLs(list))
		}
	}
	got := printed(t, []string{"LOCKD_REDLOCK=redis://a,redis://u:hunter2@b,redis://:hunter2@c"})
	if want := "\nredlock: redis://a,redis://u:xxxxx@b,redis://:xxxxx@c # LOCKD_REDLOCK; the password is hidden\n"; !strings.Contains(got, want) {
		t.Errorf("lockd config print writes\n%swant %q", got, want)
	}
	if code, _, stderr := check(nil, "--config", write(t, "printed.yaml", got)); code != exitUsage || !strings.Contains(stderr, "redlock: the password is xxxxx") {
		t.Errorf("with what was printed lockd exits %d and says %q, want 64 and that this is no password", code, stderr)
	}
}

// The nodes' passwords are in a file as Redis's are, and are read again.
func TestNodesTakeTheFilesOfSecrets(t *testing.T) {
	password := write(t, "password", "hunter2")
	r := startReloading(t, "redlock: redis://a,redis://u@b,redis://c\nredis-password-file: "+password+"\n", nil, nil)
	if r.secrets == nil || r.secrets.Now().Password != "hunter2" {
		t.Error("the file of the password was not read")
	}
}

// How long a lease may last is agreed upon with the nodes at the start: a reload changes everything else.
func TestTheLongestTTLOfAQuorumTakesARestart(t *testing.T) {
	const nodes = "redlock: redis://a,redis://b,redis://c\n"
	r := startReloading(t, nodes+"max-ttl: 10m", nil, nil)
	got := r.again(t, nodes+"max-ttl: 20m\ndefault-ttl: 5m\nlog-level: debug")
	if r.allows(t, 20*time.Minute) || !r.allows(t, 10*time.Minute) {
		t.Error("the longest ttl has changed")
	}
	if r.level.Level() != zap.DebugLevel {
		t.Error("the log level has not changed")
	}
	var waiting []string
	for _, line := range got {
		if line.Level == zap.WarnLevel {
			waiting = append(waiting, line.ContextMap()["setting"].(string))
		}
	}
	if !slices.Equal(waiting, []string{"max-ttl"}) {
		t.Errorf("the reload warns of %v, want max-ttl", waiting)
	}
	got = r.again(t, nodes+"max-ttl: 20m\ndefault-ttl: 15m")
	if len(got) != 1 || !strings.Contains(got[0].ContextMap()["problem"].(string), "max-ttl takes a restart") {
		t.Errorf("a default ttl that waits for a longer one is logged as %v, want it refused with the reason", got)
	}
}
