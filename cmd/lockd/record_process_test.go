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
