package proxy_test

import (
	"context"
	"net"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/lockd/lockd/test/proxy"
)

const checkPath = "/grpc.health.v1.Health/Check"

// health counts the calls it has served.
type health struct {
	grpc_health_v1.UnimplementedHealthServer
	served atomic.Int64
}

func (h *health) Check(context.Context, *grpc_health_v1.HealthCheckRequest) (*grpc_health_v1.HealthCheckResponse, error) {
	h.served.Add(1)
	return &grpc_health_v1.HealthCheckResponse{Status: grpc_health_v1.HealthCheckResponse_SERVING}, nil
}

// grpcProxy returns a proxy before a gRPC server, the server's count and a client through the proxy.
func grpcProxy(t *testing.T) (*proxy.Proxy, *health, grpc_health_v1.HealthClient) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h, server := new(health), grpc.NewServer()
	grpc_health_v1.RegisterHealthServer(server, h)
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	t.Cleanup(func() { server.Stop(); <-served })
	p := proxy.GRPC(t, l.Addr().String())
	conn, err := grpc.NewClient(p.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return p, h, grpc_health_v1.NewHealthClient(conn)
}

func check(t *testing.T, c grpc_health_v1.HealthClient, service string) codes.Code {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	_, err := c.Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: service}, grpc.WaitForReady(true))
	return status.Code(err)
}

func TestALostGRPCReplyIsACallThatWasServed(t *testing.T) {
	p, h, c := grpcProxy(t)
	for range 3 { // the third call's path is one byte, an index into the header table
		if got := check(t, c, "other"); got != codes.OK {
			t.Fatalf("Check = %v, want OK", got)
		}
	}
	p.LoseReply(proxy.Contains(checkPath, "mine"), 1)
	if got := check(t, c, "mine"); got != codes.Unavailable {
		t.Errorf("Check whose reply is lost = %v, want Unavailable", got)
	}
	if got := h.served.Load(); got != 4 {
		t.Errorf("the server served %d calls, want 4: the lost one too", got)
	}
	if got := check(t, c, "mine"); got != codes.OK {
		t.Errorf("the call after it = %v, want OK", got)
	}
}

func TestADelayedGRPCReplyArrivesAfterRelease(t *testing.T) {
	p, h, c := grpcProxy(t)
	delay := p.DelayReply(proxy.Contains(checkPath, "mine"))
	done := make(chan codes.Code, 1)
	go func() { done <- check(t, c, "mine") }()
	<-delay.Bitten()
	select {
	case got := <-done:
		t.Errorf("Check = %v before its reply was released", got)
	default:
	}
	delay.Release()
	if got := <-done; got != codes.OK || h.served.Load() != 1 {
		t.Errorf("Check = %v after %d served, want OK after 1", got, h.served.Load())
	}
}
