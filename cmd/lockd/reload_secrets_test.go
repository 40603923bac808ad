package main

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
	"github.com/lockd/lockd/test/lockdproc"
	"github.com/lockd/lockd/test/redisproc"
)

// A password is replaced as operations.md says; one that Redis refuses changes nothing, not even what
// stands beside it in the file.
func TestSIGHUPReplacesThePasswordOrChangesNothing(t *testing.T) {
	r := redisproc.Start(t, redisproc.Args("--requirepass", "hunter1"))
	admin := redis.NewClient(&redis.Options{Network: r.Network(), Addr: r.Addr(), Password: "hunter1"})
	defer admin.Close()
	do := func(args ...any) {
		t.Helper()
		if err := admin.Do(t.Context(), args...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	password := write(t, "password", "hunter1")
	of := func(limit string) string { return "redis-password-file: " + password + "\nmax-ttl: " + limit }
	file := write(t, "lockd.yaml", of("10m"))
	s := lockdproc.Start(t, "--redis", r.URL(), "--config", file, "--log-level=debug")
	leases := lockdv1.NewLeaseServiceClient(lockdproc.Conn(t, s.Addr()))
	acquire := func() error {
		_, err := leases.Acquire(t.Context(), &lockdv1.AcquireRequest{Name: "a", LeaseId: id1, Ttl: durationpb.New(20 * time.Minute)})
		return err
	}

	replace(t, password, "hunter2")
	replace(t, file, of("20m"))
	hangUp(t, s, `msg="not reloaded, nothing has changed"`)
	if err := acquire(); status.Code(err) != codes.InvalidArgument {
		t.Errorf("with a password that Redis refuses Acquire(20m) = %v, want INVALID_ARGUMENT as before", err)
	}

	do("ACL", "SETUSER", "default", ">hunter2")
	hangUp(t, s, "msg=reloaded changed=1 waiting=0")
	do("ACL", "SETUSER", "default", "<hunter1")
	do("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
	eventually(t, "a lease with the new password", 10*time.Second, func() bool { return acquire() == nil })

	if err := os.Remove(password); err != nil {
		t.Fatal(err)
	}
	replace(t, file, of("30m"))
	hangUp(t, s, `msg="not reloaded, nothing has changed"`)
	if log := s.Log(); strings.Contains(log, "hunter") {
		t.Errorf("the log shows a password:\n%s", log)
	}
}

// Another Redis takes a restart, and what the password file says now is for that one.
func TestASecretForAnotherRedisWaitsWithIt(t *testing.T) {
	r := redisproc.Start(t, redisproc.Args("--requirepass", "hunter1"))
	password := write(t, "password", "hunter1")
	of := func(url, limit string) string {
		return "redis: " + url + "\nredis-password-file: " + password + "\nmax-ttl: " + limit
	}
	file := write(t, "lockd.yaml", of(r.URL(), "10m"))
	s := lockdproc.Start(t, "--config", file)
	replace(t, password, "hunter2")
	replace(t, file, of("redis://192.0.2.1", "20m"))
	hangUp(t, s, "msg=reloaded changed=1 waiting=1")
	if !strings.Contains(s.Log(), "setting=redis ") || strings.Contains(s.Log(), "read again") {
		t.Errorf("the log is\n%s\nwant redis named, and no word of its password", s.Log())
	}
	s.Signal(syscall.SIGTERM)
	<-s.Exited()
}
