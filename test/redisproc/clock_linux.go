package redisproc

import (
	_ "embed"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

//go:embed clock/shift.c
var shiftSource []byte

// Clock is the wall clock of the servers that are started with it: the machine's, stepped as a test likes. It takes a C compiler, as
// the race detector does.
type Clock struct {
	t       testing.TB
	library string
	file    string
}

// NewClock is not stepped yet.
func NewClock(t testing.TB) *Clock {
	t.Helper()
	dir := t.TempDir()
	c := &Clock{t: t, library: filepath.Join(dir, "shift.so"), file: filepath.Join(dir, "shift")}
	source := filepath.Join(dir, "shift.c")
	if err := os.WriteFile(source, shiftSource, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("cc", "-O1", "-Wall", "-shared", "-fPIC", "-o", c.library, source).CombinedOutput(); err != nil {
		t.Fatalf("cc = %v\n%s", err, out)
	}
	c.Step(0)
	return c
}

// Step has the clock be off by so much from now on.
func (c *Clock) Step(by time.Duration) {
	c.t.Helper()
	f, err := os.OpenFile(c.file, os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = f.WriteAt(binary.NativeEndian.AppendUint64(nil, uint64(by.Microseconds())), 0) // a server sees it at once: it has mapped the file
		_ = f.Close()
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

// By has a server go by c.
func By(c *Clock) Option {
	return func(s *Server) { s.env = append(s.env, "LD_PRELOAD="+c.library, "CLOCK_SHIFT="+c.file) }
}
