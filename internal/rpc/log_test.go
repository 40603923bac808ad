package rpc

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/lockd/lockd/internal/lease"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// logged waits for a line that says text. The client may have its answer a moment before the line is
// written, so it looks again until there is one.
func logged(t *testing.T, s *subject, text string) observer.LoggedEntry {
	t.Helper()
	return loggedWhere(t, s, func(e observer.LoggedEntry) bool { return e.Message == text })
}

func loggedWhere(t *testing.T, s *subject, match func(observer.LoggedEntry) bool) observer.LoggedEntry {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); {
		lines := s.log.All()
		if i := slices.IndexFunc(lines, match); i >= 0 {
			return lines[i]
		}
		<-time.After(time.Millisecond)
	}
	t.Fatalf("no such line in the log: %v", s.log.All())
	return observer.LoggedEntry{}
}

func TestEveryRegisteredMethodPassesTheInterceptors(t *testing.T) {
	s := serve(t, &fakeStore{list: func(context.Context, lease.ListRequest) (lease.Page, error) { return lease.Page{}, nil }})
	methods := 0
	for service, info := range s.grpc.GetServiceInfo() {
		for _, m := range info.Methods {
			method := "/" + service + "/" + m.Name
			if m.IsClientStream || m.IsServerStream {
				ctx, cancel := context.WithCancel(t.Context())
				stream := openStream(t, ctx, s, method)
				_ = stream.SendMsg(new(emptypb.Empty))
				_ = stream.CloseSend()
				cancel()
			} else {
				err := s.conn.Invoke(t.Context(), method, new(emptypb.Empty), new(emptypb.Empty))
				if strings.HasPrefix(service, "lockd.") && err != nil && reason(err) == "" {
					t.Errorf("%s answers %v, want an error with a reason", method, err)
				}
			}
			loggedWhere(t, s, func(e observer.LoggedEntry) bool { return e.ContextMap()["method"] == method })
			methods++
		}
	}
	// 6 of leases, 2 of admin, 3 of health, reflection twice: less means that nothing was walked.
	if methods < 13 {
		t.Errorf("%d methods walked, want at least 13", methods)
	}
}

func TestACallIsOneLineWithoutSecrets(t *testing.T) {
	s := serve(t, &fakeStore{acquire: func(_ context.Context, a lease.Acquisition) (lease.Lease, error) {
		return lease.Lease{Name: a.Name, Token: 1, TTL: a.TTL, Metadata: a.Metadata}, nil
	}})
	const id = "0123456789abcdef0123456789abcdef"
	_, err := s.leases.Acquire(t.Context(), &lockdv1.AcquireRequest{
		Name: "orders/42", LeaseId: id, Metadata: map[string]string{"k": "hidden-value"},
	})
	if err != nil {
		t.Fatal(err)
	}
	line := logged(t, s, "call")
	got := line.ContextMap()
	if line.Level.String() != "debug" || got["name"] != "orders/42" || got["lease_id"] != "012345…" || got["code"] != "OK" {
		t.Errorf("the line of a call = %s %v, want it at debug with name, code and the head of the lease id", line.Level, got)
	}
	if n := s.log.Len(); n != 1 {
		t.Errorf("%d lines for one call, want 1", n)
	}
	for key, value := range got {
		if text, ok := value.(string); ok && (strings.Contains(text, id) || strings.Contains(text, "hidden-value")) {
			t.Errorf("the log shows a secret in %s = %q", key, text)
		}
	}
}

func TestAForcedReleaseIsOnRecord(t *testing.T) {
	for want, err := range map[string]error{"OK": nil, "FailedPrecondition": &lease.TokenError{Name: "a", Token: 9}} {
		s := serve(t, &fakeStore{force: func(context.Context, lease.ForceRequest) (lease.Lease, error) { return holder, err }})
		_, _ = s.admin.ForceRelease(t.Context(), &lockdv1.ForceReleaseRequest{Name: "a", Token: 9, By: "ops", Reason: "host is on fire"})
		line := logged(t, s, "forced release")
		got := line.ContextMap()
		peer, _ := got["peer"].(string)
		if line.Level.String() != "warn" || got["name"] != "a" || got["token"] != int64(9) || got["by"] != "ops" || got["reason"] != "host is on fire" ||
			!strings.HasPrefix(peer, "127.0.0.1:") || got["code"] != want {
			t.Errorf("the line of a forced release = %s %v, want it at warn with name, token, who, reason, peer and code %s", line.Level, got, want)
		}
	}
}

func TestAPanicIsLoggedThoughItsCallerHasGone(t *testing.T) {
	entered := make(chan struct{})
	p := &probe{unary: func(ctx context.Context) error {
		close(entered)
		<-ctx.Done()
		panic("boom")
	}}
	s := serve(t, &fakeStore{}, withProbe(p))
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-entered; cancel() }()
	_ = s.conn.Invoke(ctx, "/test.Probe/Unary", new(emptypb.Empty), new(emptypb.Empty), grpc.WaitForReady(true))
	if line := logged(t, s, "fault"); line.Level.String() != "error" {
		t.Errorf("the panic is logged at %s, want error", line.Level)
	}
}
