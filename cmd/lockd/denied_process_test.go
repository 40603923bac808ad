package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
	"github.com/lockd/lockd/test/redisproc"
)

// What is denied is not even asked of Redis.
func TestWhatIsDeniedSendsRedisNothing(t *testing.T) {
	r := redisproc.Start(t)
	m := startMutual(t, "--redis", r.URL())
	asked := monitored(t, r)
	conn, err := grpc.NewClient(m.Addr(), grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: m.by.Config(t, m.by.Sign(t, "x")).RootCAs})))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	leases, admin := lockdv1.NewLeaseServiceClient(conn), lockdv1.NewAdminServiceClient(conn)
	with := func(token string) context.Context {
		if token == "" {
			return t.Context()
		}
		return metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+token)
	}
	if _, err := leases.Get(with("canary-b"), &lockdv1.GetRequest{Name: "team-b/before"}); err != nil {
		t.Fatal(err)
	}
	const name = "work/denied"
	denied := 0
	for _, token := range []string{"", "wrong", "canary-b"} {
		ctx := with(token)
		want := codes.Unauthenticated
		if token == "canary-b" {
			want = codes.PermissionDenied
		}
		call := func(what string, err error) {
			t.Helper()
			if status.Code(err) != want {
				t.Errorf("%s with %q: %v, want %s", what, token, err, want)
			}
			denied++
		}
		_, err := leases.Acquire(ctx, &lockdv1.AcquireRequest{Name: name, LeaseId: id1})
		call("Acquire", err)
		_, err = leases.Renew(ctx, &lockdv1.RenewRequest{Name: name, LeaseId: id1})
		call("Renew", err)
		_, err = leases.Get(ctx, &lockdv1.GetRequest{Name: name})
		call("Get", err)
		_, err = leases.List(ctx, &lockdv1.ListRequest{Prefix: name})
		call("List", err)
		_, err = leases.CheckToken(ctx, &lockdv1.CheckTokenRequest{Name: name, Token: 1})
		call("CheckToken", err)
		_, err = admin.ForceRelease(ctx, &lockdv1.ForceReleaseRequest{Name: name, Token: 1, Reason: "test"})
		call("ForceRelease", err)
		watch, err := leases.Watch(ctx, &lockdv1.WatchRequest{Prefix: name})
		if err == nil {
			_, err = watch.Recv()
		}
		call("Watch", err)
		if token != "canary-b" {
			_, err = leases.Release(ctx, &lockdv1.ReleaseRequest{Name: name, LeaseId: id1})
			call("Release", err)
			session, err := leases.Session(ctx)
			if err == nil {
				_ = session.Send(&lockdv1.SessionRequest{Hello: new(lockdv1.Hello), Operations: []*lockdv1.Operation{{
					Id: 1, Request: &lockdv1.Operation_Acquire{Acquire: &lockdv1.AcquireRequest{Name: name, LeaseId: id1}},
				}}})
				_, err = session.Recv()
			}
			call("Session", err)
		}
	}
	if denied != 25 {
		t.Errorf("%d calls were denied, want 25", denied)
	}
	if _, err := leases.Get(with("canary-b"), &lockdv1.GetRequest{Name: "team-b/after"}); err != nil {
		t.Fatal(err)
	}
	for line := ""; !strings.Contains(line, "team-b/after"); {
		if line = asked(); strings.Contains(line, name) {
			t.Errorf("redis was asked: %s", line)
		}
	}
}

// monitored answers what tells the commands that a Redis is sent from now on, one by one.
func monitored(t *testing.T, r *redisproc.Server) (next func() string) {
	t.Helper()
	conn, err := net.Dial(r.Network(), r.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(conn, "MONITOR\r\n")
	lines := bufio.NewReader(conn)
	next = func() string {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("MONITOR: %v", err)
		}
		return line
	}
	if ok := next(); ok != "+OK\r\n" {
		t.Fatalf("MONITOR = %q", ok)
	}
	return next
}
