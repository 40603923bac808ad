package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	lockd "github.com/lockd/lockd/clients/go"
	"github.com/lockd/lockd/test/lockdproc"
)

// recordsIn answers what, outcome and name of each record of a file.
func recordsIn(t *testing.T, path string) (records []string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		var r map[string]string
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		records = append(records, fmt.Sprint(r["what"], " ", r["outcome"], " ", r["name"]))
	}
	return records
}

// Who moves the audit log away and sends SIGHUP has every record in one of the two files, and settings that
// changed in the new one.
func TestTheAuditLogIsRotatedBySIGHUP(t *testing.T) {
	file := write(t, "lockd.yaml", "max-ttl: 10m")
	path := filepath.Join(t.TempDir(), "audit")
	s := lockdproc.Start(t, "--config", file, "--audit-log", path)
	c, err := lockd.Dial(s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	acquire := func(name string) {
		t.Helper()
		l, err := c.Acquire(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Release(t.Context()); err != nil {
			t.Error(err)
		}
	}
	acquire("before")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	replace(t, file, "max-ttl: 20m")
	hangUp(t, s, "msg=reloaded")
	acquire("after")
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	s.Stop()
	if diff := cmp.Diff([]string{"acquire granted before", "setting changed max-ttl", "acquire granted after"},
		append(recordsIn(t, path+".1"), recordsIn(t, path)...)); diff != "" {
		t.Errorf("the records (-want +got):\n%s", diff)
	}
}

// A record that cannot be kept is a reason not to start.
func TestLockdDoesNotStartWithoutItsAuditLog(t *testing.T) {
	var out, log bytes.Buffer
	code := run(t.Context(), nil, []string{"--listen=127.0.0.1:0", "--http=", "--audit-log", filepath.Join(t.TempDir(), "no", "audit")}, nil, &out, &log)
	if code != exitOther || !strings.Contains(log.String(), "audit log") {
		t.Errorf("lockd ends with %d and says %s, want %d and why", code, log.String(), exitOther)
	}
}

// Of each file of access that was replaced there is a record that says in short what it holds now, and of each reload that was
// refused one that says why; with no token in it, and as one line whatever stands in a file.
func TestWhatAReloadDidIsRecorded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit")
	m := startMutual(t, "--audit-log", path)
	m.readAgain(t, func() {
		replace(t, m.policy, twoTeams+"limits:\n  - {who: token:a, leases: 7}\nrevoked: [token:old]\n")
	})
	m.readAgain(t, func() { replace(t, m.tokens, tokenLine("a", "canary-a")+tokenLine("c", "canary-c")) })
	next := m.by.Sign(t, "lockd")
	m.readAgain(t, func() { replace(t, m.cert, content(t, next.Cert)); replace(t, m.key, content(t, next.Key)) })
	replace(t, m.policy, "rules: []\n\"x\\e[2Jy\": \"a\\nb\"\n")
	hangUp(t, m.Server, `msg="not reloaded, nothing has changed"`)
	m.Stop()
	want := []string{
		"lockd policy replaced: 5 rules, 1 limits, 1 revoked, names under 0 prefixes",
		"lockd token-file replaced: 2 tokens; added token:c; removed token:b",
		"lockd tls-cert replaced: good until ", "lockd tls-key replaced: read again", "lockd reload refused: --tls-cert, ",
	}
	text := content(t, path)
	var got []string
	for line := range strings.Lines(text) {
		var r map[string]string
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		got = append(got, fmt.Sprintf("%s %s %s: %s", r["who"], r["what"], r["outcome"], r["why"]))
	}
	for i, record := range want {
		if i >= len(got) || !strings.HasPrefix(got[i], record) {
			t.Fatalf("the records are\n%s\nwant each to begin as in\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	if len(got) != len(want) || strings.Contains(text, "canary") || strings.ContainsAny(text, "\x1b\r\t") {
		t.Errorf("the record has %d lines, or a secret, or a control character:\n%q", len(got), text)
	}
}
