package redlock

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/test/redisproc"
)

// opening is a store on servers, closed when the test ends.
func opening(t testing.TB, servers []*redisproc.Server, timeout time.Duration) *Store {
	t.Helper()
	var urls []string
	for _, s := range servers {
		urls = append(urls, s.URL())
	}
	return openingAt(t, urls, timeout)
}

func openingAt(t testing.TB, urls []string, timeout time.Duration) *Store {
	t.Helper()
	c := Config{URLs: urls, NodeTimeout: timeout, MaxTTL: time.Hour, Notice: func(msg string) { t.Log("notice:", msg) }}
	s, err := Open(t.Context(), c)
	if err != nil {
		t.Fatalf("Open = %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close() = %v", err)
		}
	})
	return s
}

// each does something to every server.
func each(t testing.TB, servers []*redisproc.Server, do func(*redis.Client) error) {
	t.Helper()
	for _, s := range servers {
		c := s.Client()
		if err := do(c); err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
}

// leaseOf is a first attempt of a new lease id on name.
func leaseOf(name string) lease.Acquisition {
	return lease.Acquisition{
		Name: name, ID: lease.ID(fmt.Sprintf("%016x%016x", rand.Uint64(), rand.Uint64())), Owner: "tester", TTL: 10 * time.Second,
		Tag: lease.Tag{Attempt: 1, Exec: fmt.Sprintf("%016x", rand.Uint64())},
	}
}
