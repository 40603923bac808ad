package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	lockd "github.com/lockd/lockd/clients/go"
	"github.com/lockd/lockd/clients/go/lockdtest"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
	"github.com/lockd/lockd/test/proxy"
)

func TestExplain(t *testing.T) {
	held := &lockd.HeldError{Name: "job", Owner: "me\n", Token: 7, Since: time.Unix(0, 0), ExpiresIn: 90 * time.Second}
	for _, c := range []struct {
		err  error
		code int
		text string
	}{
		{errors.New("anything"), exitOther, "anything"},
		{usagef("a flag"), exitUsage, "a flag"},
		{&exitError{code: 9}, 9, ""},
		{fmt.Errorf("lockd: %w: name", lockd.ErrInvalid), exitUsage, "lockd: invalid argument: name"},
		{held, exitHeld, `job is held by "me\n" (token 7) since 1970-01-01T00:00:00Z, for another 1m30s unless renewed`},
		{&lockd.HeldError{Name: "job"}, exitHeld, "job is held by another"},
		{&lockd.HeldError{Name: "job", Owner: "me", Token: 7, Since: time.Unix(0, 0), ExpiresIn: time.Second, Position: 3}, exitHeld,
			"job is held by me (token 7) since 1970-01-01T00:00:00Z, for another 1s unless renewed; you were 3rd in line"},
		{errors.Join(context.Canceled, &interrupted{syscall.SIGINT}, held), 130, "interrupted (interrupt)"},
		{&interrupted{syscall.SIGTERM}, 143, "interrupted (terminated)"},
		{fmt.Errorf("renew: %w", lockd.ErrLost), exitLost, "renew: lockd: the lease is gone"},
		{lockd.ErrUnavailable, exitUnavailable, "unavailable"},
		{status.Error(codes.Unavailable, "away"), exitUnavailable, "away"},
		{status.Error(codes.ResourceExhausted, "full"), exitUnavailable, "full"},
		{status.Error(codes.DeadlineExceeded, "x"), exitUnavailable, "lockd did not answer in time"},
		{status.Error(codes.PermissionDenied, "not you"), exitDenied, "denied: not you"},
		{status.Error(codes.Unauthenticated, "who"), exitDenied, "denied: who"},
		{fmt.Errorf("acquire: %w", status.Error(codes.PermissionDenied, "not you")), exitDenied, "denied: not you"},
		{status.Error(codes.InvalidArgument, "ttl"), exitUsage, "ttl"},
		{withReason(codes.FailedPrecondition, "LEASE_LOST"), exitLost, "said so"},
		{withReason(codes.FailedPrecondition, "TOKEN_NOT_IN_FORCE"), exitLost, "said so"},
		{status.Error(codes.Internal, "fault"), exitOther, "fault"},
		{fmt.Errorf("lockd: acquire \"a \\\"b\\\": c\": %w: acquire \"a \\\"b\\\": c\": acquire \"a \\\"b\\\": c\": no memory", lockd.ErrUnavailable),
			exitUnavailable, `acquire "a \"b\": c": lockd: unavailable: no memory`},
		{errors.New(`acquire "a": release "a": acquire "b": full`), exitOther, `acquire "a": release "a": acquire "b": full`},
		{status.Error(codes.Unavailable, `renew "a": renew "a": away`), exitUnavailable, `renew "a": away`},
	} {
		code, text := explain(c.err)
		if code != c.code || !strings.HasSuffix(text, strings.TrimPrefix(c.text, "lockd: ")) {
			t.Errorf("explain(%v) = %d, %q, want %d, %q", c.err, code, text, c.code, c.text)
		}
	}
}

func withReason(code codes.Code, reason string) error {
	st, err := status.New(code, "said so").WithDetails(&errdetails.ErrorInfo{Domain: "lockd", Reason: reason})
	if err != nil {
		panic(err)
	}
	return st.Err()
}

// answering serves every request with an error, after first with another.
func answering(t *testing.T, errs ...error) (addr string) {
	t.Helper()
	answers := make(chan error, len(errs))
	for _, err := range errs[:len(errs)-1] {
		answers <- err
	}
	return serve(t, nil, grpc.UnknownServiceHandler(func(any, grpc.ServerStream) error {
		select {
		case err := <-answers:
			return err
		default:
			return errs[len(errs)-1]
		}
	}))
}

// serve runs a server until the test ends: a LeaseService of the test's own if there is one.
func serve(t *testing.T, leases lockdv1.LeaseServiceServer, opts ...grpc.ServerOption) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer(opts...)
	if leases != nil {
		lockdv1.RegisterLeaseServiceServer(s, leases)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// here runs lockctl within the test.
func here(t *testing.T, addr string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = execute(append([]string{"--server", addr}, args...), &out, &errs)
	return code, out.String(), errs.String()
}

func TestDeniedIs77(t *testing.T) {
	t.Parallel()
	for _, code := range []codes.Code{codes.PermissionDenied, codes.Unauthenticated} {
		addr := answering(t, status.Error(code, "not you"))
		for _, args := range [][]string{
			{"run", "job", "--", "true"}, {"acquire", "job", "-n"}, {"ls"}, {"get", "job"}, {"status"},
			{"force-release", "job", "--token", "1", "--reason", "test"},
		} {
			if got, _, text := here(t, addr, args...); got != exitDenied || text != "lockctl: denied: not you\n" {
				t.Errorf("lockctl %s: %d, %q, want %d, denied", strings.Join(args, " "), got, text, exitDenied)
			}
		}
	}
}

// A store that does not serve is not asked for ever.
func TestAServerThatDoesNotServeIs69(t *testing.T) {
	t.Parallel()
	addr := answering(t, status.Error(codes.Unavailable, "no store"))
	for _, args := range [][]string{{"run", "job", "--", "true"}, {"acquire", "job", "-n"}, {"ls"}, {"get", "job"}, {"status"}} {
		args = append([]string{"--unavailable-for", "300ms"}, args...)
		if got, _, text := here(t, addr, args...); got != exitUnavailable || !strings.Contains(text, "nobody served at "+addr+" for 300ms: ") {
			t.Errorf("lockctl %s: %d, %q, want %d, nobody served", strings.Join(args, " "), got, text, exitUnavailable)
		}
	}
}

func TestARequestIsRepeatedWhileNobodyServes(t *testing.T) {
	t.Parallel()
	away := status.Error(codes.Unavailable, "away")
	addr := answering(t, away, away, status.Error(codes.Internal, "fault"))
	if got, _, text := here(t, addr, "get", "job"); got != exitOther || text != "lockctl: fault\n" {
		t.Errorf("lockctl get: %d, %q, want the third answer, %d, fault", got, text, exitOther)
	}
}

// A repeated force-release may be refused because the first one succeeded.
func TestARepeatedForceReleaseSaysSo(t *testing.T) {
	t.Parallel()
	addr := answering(t, status.Error(codes.Unavailable, "away"), withReason(codes.FailedPrecondition, "TOKEN_NOT_IN_FORCE"))
	got, _, text := here(t, addr, "force-release", "job", "--token", "1", "--reason", "test")
	if want := "said so (asked 2 times: an earlier request may have ended it)"; got != exitLost || !strings.Contains(text, want) {
		t.Errorf("lockctl force-release: %d, %q, want %d, %q", got, text, exitLost, want)
	}
}

// Only a first answer proves that the lease was not held any more.
func TestARepeatedReleaseIsNoLoss(t *testing.T) {
	server := lockdtest.Start(t)
	between := proxy.GRPC(t, server.Addr())
	lost := between.LoseReply(proxy.Contains("/Release"), 1)
	lease, err := server.Client(t).Acquire(t.Context(), "job", lockd.WithoutKeepalive())
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(variableID, lease.ID())
	if code, _, text := here(t, between.Addr(), "release", "job"); code != exitOK {
		t.Errorf("lockctl release: %d, %q, want 0", code, text)
	}
	if lost.Hits() != 1 {
		t.Errorf("%d replies were lost, want 1", lost.Hits())
	}
	if code, _, _ := here(t, between.Addr(), "release", "job"); code != exitLost {
		t.Errorf("lockctl release, again: %d, want %d", code, exitLost)
	}
}
