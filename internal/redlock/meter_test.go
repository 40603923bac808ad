package redlock

import (
	"sync"
	"testing"
	"time"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/internal/redisconn"
	"github.com/lockd/lockd/test/redisproc"
)

// nodeMeter counts what is done at one node.
type nodeMeter struct {
	mu               sync.Mutex
	called, together int
}

func (m *nodeMeter) Called(_ time.Duration, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err == nil {
		m.called++
	}
}

func (m *nodeMeter) Together(operations int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.together += operations
}

// Calls are measured at each node, and each has connections of its own.
func TestCallsAreMeasuredAtEachNode(t *testing.T) {
	var urls []string
	for range 3 {
		urls = append(urls, redisproc.Start(t).URL())
	}
	meters := map[string]*nodeMeter{}
	s, err := Open(t.Context(), Config{URLs: urls, Meter: func(address, script string) redisconn.Meter {
		if meters[address] == nil {
			meters[address] = new(nodeMeter)
		}
		return meters[address]
	}})
	if err != nil {
		t.Fatal(err)
	}
	a := leaseOf("mine")
	got := lease.Await(soon(t), s, &lease.Call{Acquire: &a})
	if got.Err != nil {
		t.Fatal(got.Err)
	}
	pools := s.Pools()
	if err := s.Close(); err != nil { // then all nodes have answered
		t.Fatal(err)
	}
	if len(meters) != 3 || len(pools) != 3 {
		t.Fatalf("%d nodes are measured and %d pools are there, want 3", len(meters), len(pools))
	}
	for _, p := range pools {
		if m := meters[p.Address]; m == nil || m.called == 0 || m.together == 0 {
			t.Errorf("at %s there were %+v, want calls and operations", p.Address, m)
		}
	}
}
