package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	lockd "github.com/lockd/lockd/clients/go"
	"github.com/lockd/lockd/test/certs"
	"github.com/lockd/lockd/test/lockdproc"
	"github.com/lockd/lockd/test/redisproc"
)

// Clients at work notice nothing while everything that lets lockd in is replaced as operations.md says: the password, then
// the authority that signs both certificates. At the end of each the old one is refused, and all connections are cut.
func TestClientsNoticeNothingOfARotation(t *testing.T) {
	by, next := certs.New(t), certs.New(t)
	r := redisproc.Start(t, redisproc.TLS(t, by), redisproc.Args("--requirepass", "hunter1"))
	options := r.Options()
	options.Password = "hunter1"
	admin := redis.NewClient(options) // one connection, which outlives what let it in
	defer admin.Close()
	do := func(args ...any) {
		t.Helper()
		if err := admin.Do(t.Context(), args...).Err(); err != nil {
			t.Fatalf("%v: %v", args, err)
		}
	}
	cut := func() {
		t.Helper()
		do("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
		do("CLIENT", "KILL", "TYPE", "pubsub", "SKIPME", "yes")
	}
	first, second := by.Sign(t, "lockd"), next.Sign(t, "lockd")
	old, new := content(t, by.CA), content(t, next.CA)
	password, ca := write(t, "password", "hunter1"), write(t, "ca", old)
	cert, key := write(t, "cert", content(t, first.Cert)), write(t, "key", content(t, first.Key))
	s := lockdproc.Start(t, "--redis", r.URL(), "--redis-password-file", password, "--redis-ca", ca, "--redis-cert", cert, "--redis-key", key)
	w := startWork(t, s.Addr())

	replace(t, password, "hunter2")
	hangUp(t, s, `msg="not reloaded, nothing has changed"`)
	w.goesOn(t)
	do("ACL", "SETUSER", "default", ">hunter2")
	hangUp(t, s, "msg=reloaded")
	do("ACL", "SETUSER", "default", "<hunter1")
	cut()
	w.goesOn(t)

	replace(t, ca, new)
	hangUp(t, s, "want --redis-ca")
	w.goesOn(t)
	both, server := write(t, "both", old+new), next.Sign(t, "redis")
	replace(t, ca, old+new)
	hangUp(t, s, "msg=reloaded")
	do("CONFIG", "SET", "tls-cert-file", server.Cert, "tls-key-file", server.Key, "tls-ca-cert-file", both)
	replace(t, ca, new)
	replace(t, cert, content(t, second.Cert))
	replace(t, key, content(t, second.Key))
	hangUp(t, s, "msg=reloaded")
	do("CONFIG", "SET", "tls-ca-cert-file", next.CA)
	cut()
	w.goesOn(t)

	w.end(t)
	if log := s.Log(); strings.Contains(log, "hunter") || strings.Contains(log, "PRIVATE KEY") {
		t.Errorf("the log shows a secret:\n%s", log)
	}
}

func content(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// working are clients that take and free leases all the time, two a name, beside one lease that is kept.
type working struct {
	client *lockd.Client
	held   *lockd.Lease
	stop   context.CancelFunc
	all    sync.WaitGroup
	grants atomic.Int64
	errs   chan error // the first of each worker
}

// workers are so many.
const workers = 4

func startWork(t *testing.T, addr string, opts ...lockd.DialOption) *working {
	t.Helper()
	c, err := lockd.Dial(addr, opts...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	w := &working{client: c, stop: stop, errs: make(chan error, workers)}
	t.Cleanup(func() {
		stop()
		w.all.Wait()
		_ = c.Close()
	})
	if w.held, err = c.Acquire(ctx, fmt.Sprintf("held/%p", c), lockd.WithTTL(2*time.Second)); err != nil {
		t.Fatal(err)
	}
	for i := range workers {
		w.all.Go(func() {
			for ctx.Err() == nil {
				err := c.Do(context.WithoutCancel(ctx), fmt.Sprintf("work/%d", i/2), func(ctx context.Context, _ *lockd.Lease) error {
					w.grants.Add(1)
					return ctx.Err()
				}, lockd.WithTTL(2*time.Second))
				if err != nil {
					w.errs <- err
					return
				}
			}
		})
	}
	w.goesOn(t)
	return w
}

// goesOn waits for more leases than were under way.
func (w *working) goesOn(t *testing.T) {
	t.Helper()
	from := w.grants.Load()
	eventually(t, "leases go on", 10*time.Second, func() bool { return len(w.errs) > 0 || w.grants.Load() > from+10*workers })
	if len(w.errs) > 0 {
		t.Fatalf("a worker's error: %v, want none", <-w.errs)
	}
}

// end ends the work, in which nobody may have seen an error, and the lease that was kept is there.
func (w *working) end(t *testing.T) {
	t.Helper()
	w.stop()
	w.all.Wait()
	if len(w.errs) > 0 {
		t.Errorf("a worker's error: %v, want none", <-w.errs)
	}
	if err := w.held.Release(t.Context()); err != nil {
		t.Errorf("Release of the lease that was kept = %v, want that it was held", err)
	}
}
