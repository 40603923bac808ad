package redisstore

import (
	"sync"
	"testing"
	"time"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/internal/redisconn"
	"github.com/lockd/lockd/test/redisproc"
)

// counted is a meter for all scripts at once.
type counted struct {
	mu             sync.Mutex
	called, failed map[string]int
	together       int
}

type countedScript struct {
	of   *counted
	name string
}

func (c *counted) meter(_, script string) redisconn.Meter { return countedScript{c, script} }

func (s countedScript) Called(_ time.Duration, err error) {
	s.of.mu.Lock()
	defer s.of.mu.Unlock()
	s.of.called[s.name]++
	if err != nil {
		s.of.failed[s.name]++
	}
}

func (s countedScript) Together(operations int) {
	s.of.mu.Lock()
	defer s.of.mu.Unlock()
	s.of.together += operations
}

// Every call of a script is measured, by the script's name, how many operations it did, and whether Redis answered.
func TestCallsAreMeasured(t *testing.T) {
	r := redisproc.Start(t)
	c := &counted{called: map[string]int{}, failed: map[string]int{}}
	s, err := Open(t.Context(), Config{URL: r.URL(), Meter: c.meter})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close() = %v", err)
		}
	}()
	a := asking("mine")
	acquire(t, s, a)
	if _, err := s.Renew(soon(t), lease.Renewal{Name: "mine", ID: a.ID}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(soon(t), lease.GetRequest{Name: "mine"}); err != nil {
		t.Fatal(err)
	}
	if pools := s.Pools(); len(pools) != 1 || pools[0].Connections == 0 || pools[0].Hits+pools[0].Misses == 0 || pools[0].Address != s.Status().Nodes[0].Address {
		t.Errorf("Pools() = %+v, want one of the node that Status names, in use", pools)
	}
	r.Pause()
	_, err = s.Get(soon(t), lease.GetRequest{Name: "mine"})
	r.Resume()
	if err == nil {
		t.Error("Get of a Redis that is stopped = nil, want an error")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.called["batch"] != 2 || c.together != 2 || c.called["standing"] != 2 || c.failed["standing"] != 1 || c.failed["batch"] != 0 {
		t.Errorf("measured %v, of which failed %v, with %d operations; want 2 of batch with 2, and 2 of standing of which one failed", c.called, c.failed, c.together)
	}
	if len(measured) != len(allScripts) {
		t.Errorf("%d scripts are measured, want all %d", len(measured), len(allScripts))
	}
}
