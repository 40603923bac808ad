package redisproc

import (
	"sync"
	"testing"

	"github.com/lockd/lockd/test/proc"
)

// shared is the one server of this test binary, on a socket.
var shared struct {
	sync.Mutex
	server *Server
}

// Shared returns this test binary's one server, emptied of data and scripts: cheaper than Start by
// the start of a process. Tests that use it do not run in parallel, and neither stop it nor change
// its settings. TestMain ends it: goleak.VerifyTestMain(redisproc.Main{M: m}), or with StopShared.
func Shared(t testing.TB) *Server {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil {
		s := &Server{Process: proc.Process{Name: "redis-server"}}
		if err := s.create(); err != nil {
			s.remove()
			t.Fatal(err)
		}
		shared.server = s
	}
	Flush(t, shared.server)
	return shared.server
}

// SharedURL is the URL of Shared's server, "" while there is none.
func SharedURL() string {
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil {
		return ""
	}
	return shared.server.URL()
}

// Main runs a binary's tests and then ends the shared server, before anybody looks for leaks.
type Main struct {
	M interface{ Run() int } // *testing.M, or another Main
}

// Run implements goleak.TestingM.
func (m Main) Run() int {
	defer StopShared()
	return m.M.Run()
}

// StopShared ends the shared server if there is one.
func StopShared() {
	shared.Lock()
	defer shared.Unlock()
	if shared.server != nil {
		shared.server.remove()
		shared.server = nil
	}
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
