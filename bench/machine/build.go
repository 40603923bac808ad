package machine

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// counts is what is built into the lockd that is measured.
//
//go:embed counts/counts.go
var counts []byte

// build makes a lockd of this tree, with counts in it, in dir.
func build(dir string) (command string, err error) {
	root, err := output("go", "list", "-m", "-f", "{{.Dir}}", "github.com/lockd/lockd")
	if err != nil {
		return "", err
	}
	file, overlay := filepath.Join(dir, "counts.go"), filepath.Join(dir, "overlay.json")
	text, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(root, "cmd", "lockd", "bench_counts.go"): file}})
	if err != nil {
		return "", err
	}
	if err := errors.Join(os.WriteFile(file, counts, 0o600), os.WriteFile(overlay, text, 0o600)); err != nil {
		return "", err
	}
	command = filepath.Join(dir, "lockd")
	_, err = output("go", "build", "-C", root, "-trimpath", "-tags", "lockdbench", "-overlay", overlay, "-o", command, "./cmd/lockd")
	return command, err
}

// Memory is what a process has allocated since its start.
type Memory struct{ Mallocs, Bytes uint64 }

// Memory asks a lockd that was built from this tree. Known is false for any other process.
func (s *Server) Memory() (m Memory, known bool, err error) {
	if s.counts == "" {
		return m, false, nil
	}
	c, err := net.DialTimeout("unix", s.counts, readyWithin)
	if err != nil {
		return m, false, err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(readyWithin)); err != nil {
		return m, false, err
	}
	return m, true, json.NewDecoder(c).Decode(&m)
}

// output runs a command and returns what it wrote, without the space around.
func output(name string, args ...string) (string, error) {
	out, err := exec.Command(name, args...).Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w\n%s", err, exit.Stderr)
		}
		return "", fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}
