package redisstore

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/test/redisproc"
)

func TestMain(m *testing.M) {
	// A pool that could not connect tries again once a second, and looks only then whether it was closed.
	goleak.VerifyTestMain(redisproc.Main{M: m}, goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9/internal/pool.(*ConnPool).tryDial"))
}

// open returns a store on a Redis, with a client that goes around it.
func open(t testing.TB, url string) *Store {
	t.Helper()
	if url == redisproc.SharedURL() {
		url = restricted(t, url)
	}
	s, err := Open(t.Context(), Config{URL: url, Notice: func(msg string) { t.Log("notice:", msg) }})
	if err != nil {
		t.Fatalf("Open(%s) = %v", url, err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close() = %v", err)
		}
	})
	return s
}

// restricted makes the user of docs/operations.md on the shared Redis and returns the URL with it, so that what is
// tested there is tested with its rights.
func restricted(t testing.TB, url string) string {
	t.Helper()
	options, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	direct := redis.NewClient(options)
	defer direct.Close()
	if err := direct.Do(t.Context(), documentedUser(t)...).Err(); err != nil {
		t.Fatal(err)
	}
	return strings.Replace(url, "://", "://lockd:secret@", 1)
}

// restrictedCluster makes that user, with what Clusters need more, at each node.
func restrictedCluster(t testing.TB, c *redisproc.Cluster) string {
	t.Helper()
	command := documentedClusterUser(t)
	for _, s := range c.Servers {
		c.Do(s, command...)
	}
	return strings.Replace(c.URL(), "://", "://lockd:secret@", 1)
}

// documentedUser is the command in docs/operations.md that makes the user lockd, with the password secret.
func documentedUser(t testing.TB) []any { return setUser(t, 1) }

// documentedClusterUser is that of a Cluster's nodes: both commands of the page in one.
func documentedClusterUser(t testing.TB) []any { return setUser(t, 2) }

func setUser(t testing.TB, lines int) []any {
	t.Helper()
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^    ACL SETUSER lockd (.*)$`).FindAllSubmatch(page, -1)
	if len(found) != 3 {
		t.Fatalf("docs/operations.md has %d lines ACL SETUSER lockd, want one for any Redis, one for Clusters and one for nodes of a quorum", len(found))
	}
	command := []any{"ACL", "SETUSER", "lockd"}
	for _, line := range found[:lines] {
		for word := range strings.FieldsSeq(strings.Replace(string(line[1]), ">PASSWORD", ">secret", 1)) {
			command = append(command, word)
		}
	}
	return command
}

func client(t *testing.T, r *redisproc.Server) *redis.Client {
	t.Helper()
	c := r.Client()
	t.Cleanup(func() { c.Close() })
	return c
}

// soon is a context with the deadline that a Lessor gives a call.
func soon(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), callTimeout)
	t.Cleanup(cancel)
	return ctx
}

func newID() lease.ID { return lease.ID(fmt.Sprintf("%016x%016x", rand.Uint64(), rand.Uint64())) }

// asking is a first attempt of a new lease id on name.
func asking(name string) lease.Acquisition {
	return lease.Acquisition{
		Name: name, ID: newID(), Owner: "tester", TTL: 10 * time.Second,
		Tag: lease.Tag{Attempt: 1, Exec: fmt.Sprintf("%016x", rand.Uint64())},
	}
}

// retry is the next attempt of a.
func retry(a lease.Acquisition) lease.Acquisition {
	a.Tag = lease.Tag{Attempt: a.Tag.Attempt + 1, Exec: fmt.Sprintf("%016x", rand.Uint64())}
	return a
}

func acquire(t *testing.T, s *Store, a lease.Acquisition) lease.Lease {
	t.Helper()
	l, err := s.Acquire(soon(t), a)
	if err != nil {
		t.Fatalf("Acquire(%q) = %v, want a lease", a.Name, err)
	}
	return l
}

func held(t *testing.T, s *Store, name string) bool {
	t.Helper()
	standing, err := s.Get(soon(t), lease.GetRequest{Name: name})
	if err != nil {
		t.Fatalf("Get(%q) = %v", name, err)
	}
	return standing.Held
}

// until polls what time changes, for at most limit.
func until(t *testing.T, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for end := time.Now().Add(limit); !ok(); <-ticker.C {
		if time.Now().After(end) {
			t.Fatalf("not within %s: %s", limit, what)
		}
	}
}
