package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type place string

func (p place) String() string { return string(p) }

// start opens a Log at path and closes it with the test; notices come to the channel, which has room for one.
func start(t *testing.T, path string) (*Log, <-chan error) {
	t.Helper()
	notices := make(chan error, 1)
	l, err := Open(path, func(err error) { notices <- err })
	if err != nil {
		t.Fatal(err)
	}
	return l, notices
}

// lines are the records of a file; each line must be one.
func lines(t *testing.T, path string) (records []map[string]string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		var r map[string]string
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatalf("%v in line %q, want a record each", err, line)
		}
		records = append(records, r)
	}
	return records
}

// A record has all there is to say, of a lease id its hash alone; nobody else may read the file.
func TestARecordIsALine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit")
	l, _ := start(t, path)
	const secret = "0123456789abcdef0123456789abcdef"
	l.Note(Record{
		At: time.Unix(1_700_000_000, 123_456_789), What: "acquire", Outcome: "granted", Who: "cert:a", Owner: "ana", Peer: place("10.0.0.1:4"),
		Name: "a/b", Token: 1<<53 - 1, Lease: secret, By: "bo", Why: "stuck",
	})
	l.Note(Record{What: "acquire"})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	got := lines(t, path)
	want := map[string]string{
		"at": "2023-11-14T22:13:20.123456Z", "what": "acquire", "outcome": "granted", "who": "cert:a", "owner": "ana", "peer": "10.0.0.1:4",
		"name": "a/b", "token": "9007199254740991", "by": "bo", "why": "stuck",
	}
	want["lease"] = hashed(secret)
	if diff := cmp.Diff(want, got[0]); diff != "" {
		t.Errorf("the record (-want +got):\n%s", diff)
	}
	if at, err := time.Parse(time.RFC3339, got[1]["at"]); err != nil || time.Since(at) > time.Minute {
		t.Errorf("without a time it is of %q, want now", got[1]["at"])
	}
	if text, _ := os.ReadFile(path); bytes.Contains(text, []byte(secret[:8])) {
		t.Error("the lease id is in the file")
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Errorf("the file's mode is %04o, want 0600", info.Mode().Perm())
	}
}

// Whatever a text has in it, it is a part of one line, shows nothing but itself, and is read back as it was.
func TestNothingInATextIsMoreThanText(t *testing.T) {
	for _, text := range []string{
		"a\n{\"what\":\"forged\"}", "a\r\nb", "\x1b[2Jgone", "\u009b2J", "\u202etxt.exe", "\u2028", "\"}\\", "\x00\x7f", "\U000e0001", "naïve ✓ 名前", "\U0001f512",
	} {
		line := (&Record{What: "acquire", Name: text}).appendTo(nil)
		if i := bytes.IndexByte(line, '\n'); i != len(line)-1 {
			t.Errorf("%q makes more than one line: %q", text, line)
		}
		for _, r := range strings.TrimSuffix(string(line), "\n") {
			if !unicode.IsPrint(r) {
				t.Errorf("%q leaves %U as it is, want it escaped", text, r)
			}
		}
		var got map[string]string
		if err := json.Unmarshal(line, &got); err != nil || got["name"] != text {
			t.Errorf("%q is read back as %q (%v)", text, got["name"], err)
		}
	}
	line := (&Record{Name: "a\xffb", Why: strings.Repeat("x", 1<<20)}).appendTo(nil)
	if !json.Valid(line) || len(line) > 2*maxText {
		t.Errorf("what is no UTF-8, or long, makes %d bytes, want a short line of JSON", len(line))
	}
}

// Many at once are written whole, each once, each one's own in its order.
func TestRecordsOfManyAreEachWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit")
	l, _ := start(t, path)
	const who, each = 8, 1000
	var all sync.WaitGroup
	for n := range who {
		all.Go(func() {
			for i := range each {
				l.Note(Record{What: "acquire", Who: fmt.Sprint(n), Token: int64(i + 1)})
			}
		})
	}
	all.Wait()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	last := make(map[string]int)
	for _, r := range lines(t, path) {
		if want := fmt.Sprint(last[r["who"]] + 1); r["token"] != want {
			t.Fatalf("%s's record %s comes where %s should", r["who"], r["token"], want)
		}
		last[r["who"]]++
	}
	for n := range who {
		if got := last[fmt.Sprint(n)]; got != each {
			t.Errorf("%d has %d records, want %d", n, got, each)
		}
	}
}

// On a full disk nobody waits; what there is room for is kept and written when there is room again, what there is none for
// is counted, and a record says so.
func TestAFullDiskHoldsNobodyUp(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "audit")
	if err := os.Symlink("/dev/full", path); err != nil {
		t.Fatal(err)
	}
	l, notices := start(t, path)
	l.Note(Record{What: "acquire", Token: 1})
	if err := <-notices; !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("it is said that %v, want ENOSPC", err)
	}
	const more = 100
	for n := range maxQueued + more {
		l.Note(Record{What: "acquire", Token: int64(n + 2)})
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := l.Reopen(); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Errorf("Close = %v, want nil: there is room again", err)
	}
	got := lines(t, path)
	if len(got) < maxQueued+2 {
		t.Fatalf("%d records, want the one that was tried, %d and the gap", len(got), maxQueued)
	}
	for n, r := range got[:maxQueued+1] {
		if r["token"] != fmt.Sprint(n+1) {
			t.Fatalf("record %d has the token %s", n+1, r["token"])
		}
	}
	gap := got[len(got)-1]
	if gap["what"] != "audit" || gap["outcome"] != "lost" || !strings.Contains(gap["why"], fmt.Sprint(more)) {
		t.Errorf("the last record is %v, want it to say that %d are missing", gap, more)
	}
}

// Close says what it could not write.
func TestCloseSaysWhatIsLost(t *testing.T) {
	l, _ := start(t, "/dev/full")
	for range 3 {
		l.Note(Record{What: "acquire"})
	}
	if err := l.Close(); err == nil || !strings.Contains(err.Error(), "3 records") {
		t.Errorf("Close = %v, want it to say that 3 records are lost", err)
	}
}

// A line that was written in part stands alone, and is written again.
func TestATornLineIsWrittenAgain(t *testing.T) {
	for _, c := range []struct {
		n    int
		left string
		torn bool
	}{{0, "one\ntwo\n", false}, {2, "one\ntwo\n", true}, {4, "two\n", false}, {6, "two\n", true}} {
		if left, torn := rest([]byte("one\ntwo\n"), c.n); string(left) != c.left || torn != c.torn {
			t.Errorf("after %d bytes there is %q left, torn: %t; want %q, %t", c.n, left, torn, c.left, c.torn)
		}
	}
}

// Who moves the file away and says so finds what comes after in a new one.
func TestAReopenedLogIsAnotherFile(t *testing.T) {
	dir := t.TempDir()
	path, moved := filepath.Join(dir, "audit"), filepath.Join(dir, "audit.1")
	l, _ := start(t, path)
	for n := range 10 {
		l.Note(Record{What: "acquire", Token: int64(n + 1)})
	}
	if err := os.Rename(path, moved); err != nil {
		t.Fatal(err)
	}
	if err := l.Reopen(); err != nil {
		t.Fatal(err)
	}
	l.Note(Record{What: "acquire", Token: 11})
	l.path = filepath.Join(dir, "no", "such", "directory")
	if err := l.Reopen(); err == nil {
		t.Error("Reopen where nothing can be opened = nil, want an error")
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	got := append(lines(t, moved), lines(t, path)...)
	if len(got) != 11 || got[10]["token"] != "11" {
		t.Errorf("both files have %d records, want 11, the last one in the new file", len(got))
	}
}
