package redisproc

import (
	"sync"
	"testing"

	"github.com/lockd/lockd/test/proc"
)

// shared are the servers of this test binary, on sockets: nearly always one.
var shared struct {
	sync.Mutex
	servers []*Server
}

// Shared returns this test binary's one server, emptied of data and scripts: cheaper than Start by
// the start of a process. Tests that use it do not run in parallel, and neither stop it nor change
// its settings. TestMain ends it: goleak.VerifyTestMain(redisproc.Main{M: m}), or with StopShared.
func Shared(t testing.TB) *Server {
	t.Helper()
	return SharedNodes(t, 1)[0]
}

// SharedNodes returns the first n of this test binary's servers, as Shared does.
func SharedNodes(t testing.TB, n int) []*Server {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	for len(shared.servers) < n {
		s := &Server{Process: proc.Process{Name: "redis-server"}}
		if err := s.create(); err != nil {
			s.remove()
			t.Fatal(err)
		}
		shared.servers = append(shared.servers, s)
	}
	for _, s := range shared.servers[:n] {
		Flush(t, s)
	}
	return shared.servers[:n]
}

// SharedURL is the URL of Shared's server, "" while there is none.
func SharedURL() string {
	shared.Lock()
	defer shared.Unlock()
	if len(shared.servers) == 0 {
		return ""
	}
	return shared.servers[0].URL()
}

// Main runs a binary's tests and then ends the shared servers, before anybody looks for leaks.
type Main struct {
	M interface{ Run() int } // *testing.M, or another Main
}

// Run implements goleak.TestingM.
func (m Main) Run() int {
	defer StopShared()
	return m.M.Run()
}

// StopShared ends the shared servers if there are any.
func StopShared() {
	shared.Lock()
	defer shared.Unlock()
	for _, s := range shared.servers {
		s.remove()
	}
	shared.servers = nil
}

// Flush empties a server: FLUSHALL and SCRIPT FLUSH.
func Flush(t testing.TB, s *Server) {
	t.Helper()
	client := s.Client()
	defer client.Close()
	if err := client.FlushAll(t.Context()).Err(); err != nil {
		t.Fatalf("FLUSHALL: %v", err)
	}
	if err := client.ScriptFlush(t.Context()).Err(); err != nil {
		t.Fatalf("SCRIPT FLUSH: %v", err)
	}
}
