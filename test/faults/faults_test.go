// Package faults does to whole processes what the world does to them, and holds them to their promises:
// lockd killed, Redis wiped, replies lost between any two of them.
package faults

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	lockd "github.com/lockd/lockd/clients/go"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
	"github.com/lockd/lockd/test/lockdproc"
	"github.com/lockd/lockd/test/proxy"
	"github.com/lockd/lockd/test/redisproc"
)

// patience bounds whatever must happen, on a machine that is busy with other things.
const patience = 20 * time.Second

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(lockdproc.Main{M: redisproc.Main{M: m}})
}

// server is a lockd and what a client that speaks the bare protocol needs.
type server struct {
	*lockdproc.Server
	lease lockdv1.LeaseServiceClient
	admin lockdv1.AdminServiceClient
}

// start runs a lockd on the Redis at url. When the test ends its log, every call included, must not
// contain a lease id.
func start(t *testing.T, url string, args ...string) *server {
	t.Helper()
	s := lockdproc.Start(t, append([]string{"--redis", url, "--log-level", "debug"}, args...)...)
	t.Cleanup(func() {
		for _, id := range issued(t) {
			if strings.Contains(s.Log(), id) {
				t.Errorf("the log of lockd contains a lease id")
			}
		}
	})
	return connect(t, s, s.Addr())
}

// connect returns s as it is seen through whatever stands at addr.
func connect(t *testing.T, s *lockdproc.Server, addr string) *server {
	t.Helper()
	conn := lockdproc.Conn(t, addr)
	return &server{s, lockdv1.NewLeaseServiceClient(conn), lockdv1.NewAdminServiceClient(conn)}
}

// ids are the lease ids that each test has made.
var ids = map[string][]string{}

func issued(t *testing.T) []string { return ids[t.Name()] }

// newID makes a lease id. Tests do not run in parallel.
func newID(t *testing.T) string {
	var bits [16]byte
	_, _ = rand.Read(bits[:]) // it never fails
	id := hex.EncodeToString(bits[:])
	ids[t.Name()] = append(ids[t.Name()], id)
	return id
}

func request(name, id string, attempt uint32) *lockdv1.AcquireRequest {
	return &lockdv1.AcquireRequest{Name: name, LeaseId: id, Attempt: attempt, Owner: "test", Ttl: durationpb.New(time.Minute)}
}

// acquire must succeed.
func (s *server) acquire(t *testing.T, r *lockdv1.AcquireRequest) *lockdv1.Lease {
	t.Helper()
	resp, err := s.lease.Acquire(soon(t), r, grpc.WaitForReady(true))
	if err != nil {
		t.Fatalf("Acquire(%s, attempt %d) = %v, want a lease", r.GetName(), r.GetAttempt(), err)
	}
	return resp.GetLease()
}

// release must succeed with outcome want.
func (s *server) release(t *testing.T, name, id string, want lockdv1.ReleaseResponse_Outcome) {
	t.Helper()
	resp, err := s.lease.Release(soon(t), &lockdv1.ReleaseRequest{Name: name, LeaseId: id}, grpc.WaitForReady(true))
	if err != nil || resp.GetOutcome() != want {
		t.Errorf("Release(%s) = %v, %v, want %v", name, resp, err, want)
	}
}

// get answers the lease on a name, nil if it is free.
func (s *server) get(t *testing.T, name string) *lockdv1.Lease {
	t.Helper()
	resp, err := s.lease.Get(soon(t), &lockdv1.GetRequest{Name: name}, grpc.WaitForReady(true))
	if err != nil {
		t.Fatalf("Get(%s) = %v", name, err)
	}
	return resp.GetLease()
}

// settled waits until s has nothing left to clean up.
func (s *server) settled(t *testing.T) {
	t.Helper()
	until(t, "nothing is left to be cleaned up", func() bool {
		resp, err := s.admin.Status(soon(t), &lockdv1.StatusRequest{})
		return err == nil && resp.GetStore().GetPendingCleanups() == 0
	})
}

// reason is the reason in an error's details, "" if it has none.
func reason(err error) string {
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			return info.GetReason()
		}
	}
	return ""
}

// dial returns a client of the Go package, closed with the test.
func dial(t *testing.T, target string) *lockd.Client {
	t.Helper()
	c, err := lockd.Dial(target, lockd.WithUnavailableFor(patience))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() }) // a lockd that a test has ended cannot release
	return c
}

// take acquires name for the test's time.
func take(t *testing.T, c *lockd.Client, name string, ttl time.Duration) *lockd.Lease {
	t.Helper()
	l, err := c.Acquire(soon(t), name, lockd.WithTTL(ttl))
	if err != nil {
		t.Fatalf("Acquire(%s) = %v", name, err)
	}
	ids[t.Name()] = append(ids[t.Name()], l.ID())
	return l
}

// renewedAfter waits until l has been renewed by a request sent after at.
func renewedAfter(t *testing.T, l *lockd.Lease, at time.Time) {
	t.Helper()
	until(t, "the lease is renewed", func() bool {
		if err := l.Err(); err != nil {
			t.Fatalf("%v: %v, want it held", l, err)
		}
		return l.Deadline().After(at.Add(l.TTL()))
	})
}

// lockKeys are the keys in Redis that carry a lease.
func lockKeys(t *testing.T, r *redisproc.Server) []string {
	t.Helper()
	keys, err := redisClient(t, r).Keys(t.Context(), "*:lock:*").Result()
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func redisClient(t *testing.T, r *redisproc.Server) *redis.Client {
	t.Helper()
	c := r.Client()
	t.Cleanup(func() { c.Close() })
	return c
}

// onLock matches the scripts that a lockd runs on the lock of name.
func onLock(name string, also ...string) proxy.Match {
	return proxy.Contains(append(also, "evalsha", ":lock:"+name)...)
}

// until waits for ok, looking again and again, and fails the test if it takes too long.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s until %s", patience, what)
		}
		<-tick.C
	}
}

// soon is a context for what must happen now.
func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}
