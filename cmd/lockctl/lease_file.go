package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	lockd "github.com/lockd/lockd/clients/go"
)

// The variables by which a lease is handed on: to "run"'s command, and from "acquire" to "renew" and
// "release".
const (
	variableName   = "LOCKD_NAME"
	variableID     = "LOCKD_LEASE_ID"
	variableToken  = "LOCKD_TOKEN"
	variableOwner  = "LOCKD_OWNER"
	variableTTL    = "LOCKD_TTL_MS"
	variableServer = "LOCKD_SERVER"
)

// leaseFileLimit is more than any lease file has.
const leaseFileLimit = 64 << 10

// assignments are the lines of a lease that was acquired, for a shell to evaluate. The last one exports
// the variables, or "lockctl release" would not see them.
func assignments(lease *lockd.Lease, withID bool) string {
	var lines strings.Builder
	export := "export"
	add := func(name, value string) {
		lines.WriteString(name + "=" + shellQuote(value) + "\n")
		export += " " + name
	}
	add(variableName, lease.Name())
	if withID {
		add(variableID, lease.ID())
	}
	add(variableToken, strconv.FormatInt(lease.Token(), 10))
	add(variableTTL, strconv.FormatInt(lease.TTL().Milliseconds(), 10))
	return lines.String() + export + "\n"
}

// leaseFile is a file that holds the id of a lease, readable by its owner alone. It is written beside
// its place first, so that it is never seen half written, and so that a place that cannot be written is
// found out before the lease is taken.
type leaseFile struct {
	path string
	temp *os.File
}

func newLeaseFile(path string) (*leaseFile, error) {
	// What is there is replaced, which must not happen to a device, a directory or a link.
	if there, err := os.Lstat(path); err == nil && !there.Mode().IsRegular() {
		return nil, usagef("--lease-file %s: is there and no regular file; want a file, or a path where there is nothing", path)
	}
	temp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // with mode 0600
	if err != nil {
		return nil, fmt.Errorf("--lease-file: %w", err)
	}
	return &leaseFile{path: path, temp: temp}, nil
}

// write puts the lease into its place.
func (f *leaseFile) write(lease *lockd.Lease) error {
	if _, err := f.temp.WriteString(assignments(lease, true)); err != nil {
		return err
	}
	if err := f.temp.Close(); err != nil {
		return err
	}
	return os.Rename(f.temp.Name(), f.path)
}

// discard removes what was not put into its place.
func (f *leaseFile) discard() {
	f.temp.Close()
	os.Remove(f.temp.Name())
}

// leaseID is the id of the lease on name: from a file if one is named, else from the environment. It
// never comes from a flag's value, which everybody on the machine can see.
func leaseID(name, path string) (string, error) {
	if path == "" {
		if id := os.Getenv(variableID); id != "" {
			if of := os.Getenv(variableName); of != "" && of != name {
				return "", usagef("%s is of the lease on %s, not %s; keep several leases apart by --lease-file", variableID, plain(of), plain(name))
			}
			return id, nil
		}
		return "", usagef("%s is not set; want `eval \"$(lockctl acquire %s)\"` first, or --lease-file", variableID, shellQuote(name))
	}
	variables, err := readLeaseFile(path)
	if err != nil {
		return "", err
	}
	switch {
	case variables[variableID] == "":
		return "", usagef("--lease-file %s: has no line %s=…; want a file that `lockctl acquire --lease-file` wrote", path, variableID)
	case variables[variableName] != name:
		return "", usagef("--lease-file %s: is for the lease on %s, not %s", path, plain(variables[variableName]), plain(name))
	}
	return variables[variableID], nil
}

func readLeaseFile(path string) (map[string]string, error) {
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, usagef("--lease-file: %w", err)
	}
	if err != nil {
		return nil, fmt.Errorf("--lease-file: %w", err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, leaseFileLimit))
	if err != nil {
		return nil, fmt.Errorf("--lease-file: %w", err)
	}
	variables := make(map[string]string)
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(strings.TrimRight(line, "\r\n"), "="); ok {
			variables[name] = shellUnquote(value)
		}
	}
	return variables, nil
}
