// Package fleet runs whole processes for tests: a Redis that keeps what it has confirmed, some lockd in front
// of it, and client processes, re-executed from the test binary, that take and give leases and write down
// what they see. Each may be killed at any time; what was seen stays.
package fleet

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/lockd/lockd/test/history"
	"github.com/lockd/lockd/test/lockdproc"
	"github.com/lockd/lockd/test/redisproc"
)

// Fleet is gone when its test ends. One goroutine at a time controls it.
type Fleet struct {
	Redis  *redisproc.Server // nil if the fleet did not start it
	Lockds []*lockdproc.Server

	t       testing.TB
	dir     string
	clients int
	notes   []history.Record // what the fleet itself has to tell
	files   []string         // what the client processes have

	mu sync.Mutex // of notes: clients may be ended by a test's clean-up
}

// Start runs a Redis with appendfsync always and so many lockd.
func Start(t testing.TB, lockds int, args ...string) *Fleet {
	t.Helper()
	redis := redisproc.Start(t, redisproc.Args("--appendonly", "yes", "--appendfsync", "always"))
	f := StartAt(t, redis.URL(), lockds, args...)
	f.Redis = redis
	return f
}

// StartAt runs so many lockd on a store that its caller has started.
func StartAt(t testing.TB, url string, lockds int, args ...string) *Fleet {
	t.Helper()
	f := &Fleet{t: t, dir: t.TempDir()}
	for range lockds {
		f.Lockds = append(f.Lockds, lockdproc.Start(t, append([]string{"--redis", url}, args...)...))
	}
	return f
}

// Target names some lockd for a client to try in turn.
func (f *Fleet) Target(lockds ...int) string {
	var addrs []string
	for _, i := range lockds {
		addrs = append(addrs, f.Lockds[i].Addr())
	}
	return strings.Join(addrs, ",")
}

// CrashRedis kills Redis and starts it again with what it has on disk.
func (f *Fleet) CrashRedis() {
	f.t.Helper()
	down := history.Record{Kind: history.Down, Call: history.Now()}
	f.Redis.Restart()
	down.Return = history.Now()
	f.note(down)
}

// History is what everybody saw so far.
func (f *Fleet) History() []history.Record {
	f.t.Helper()
	records, err := history.ReadFiles(f.files...)
	if err != nil {
		f.t.Fatal(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return append(records, f.notes...)
}

func (f *Fleet) note(r history.Record) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.notes = append(f.notes, r)
}

// file returns the path of a new client's history.
func (f *Fleet) file(client string) (string, error) {
	path := filepath.Join(f.dir, client+".jsonl")
	// Here, so that it can be read even if the process is killed before it writes.
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		return "", err
	}
	f.files = append(f.files, path)
	return path, nil
}

func (f *Fleet) nextClient() string {
	f.clients++
	return fmt.Sprintf("client-%d", f.clients)
}
