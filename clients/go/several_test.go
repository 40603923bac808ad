package lockd_test

import (
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	lockd "github.com/lockd/lockd/clients/go"
	"github.com/lockd/lockd/clients/go/lockdtest"
	"github.com/lockd/lockd/test/proxy"
)

// Several lockd in front of one store: a client of all of them lives on while one of them is no use.

// A lockd that has become mute, though its connection stands, costs tries and no lease.
func TestAMuteServerBesideAHealthyOne(t *testing.T) {
	server := lockdtest.Start(t)
	mute := proxy.GRPC(t, server.Addr())
	c := dial(t, mute.Addr()+","+server.Addr())
	l := acquire(t, c, "job", lockd.WithTTL(2*time.Second))
	for range 4 { // so that both are connected
		acquire(t, c, "other", lockd.WithTTL(2*time.Second)).Release(t.Context())
	}
	mute.HoldReplies()
	defer mute.Release()
	outlives(t, l, 2*l.TTL())
}

// A lockd that has lost its store says so, and the next try is another's.
func TestAServerWithoutItsStoreBesideAHealthyOne(t *testing.T) {
	server := lockdtest.Start(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	useless := grpc.NewServer(grpc.UnknownServiceHandler(func(any, grpc.ServerStream) error {
		return status.Error(codes.Unavailable, "the store is unavailable")
	}))
	served := make(chan error, 1)
	go func() { served <- useless.Serve(listener) }()
	t.Cleanup(func() { useless.Stop(); <-served })

	c := dial(t, listener.Addr().String()+","+server.Addr())
	l := acquire(t, c, "job", lockd.WithTTL(2*time.Second))
	for range 10 {
		other, err := c.TryAcquire(t.Context(), "other")
		if err != nil {
			t.Fatalf("TryAcquire = %v, want a lease from the other server", err)
		}
		if err := other.Release(t.Context()); err != nil {
			t.Errorf("Release = %v", err)
		}
	}
	outlives(t, l, 2*l.TTL())
}

// outlives waits until l has been renewed to last for d more than it does now.
func outlives(t *testing.T, l *lockd.Lease, d time.Duration) {
	t.Helper()
	want := l.Deadline().Add(d)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for l.Deadline().Before(want) {
		if err := l.Err(); err != nil {
			t.Fatalf("the lease ended %s before it should: %v", time.Until(want), err)
		}
		<-tick.C
	}
}
