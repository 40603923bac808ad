package lockd_test

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	lockd "github.com/lockd/lockd/clients/go"
	"github.com/lockd/lockd/clients/go/lockdtest"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
	"github.com/lockd/lockd/test/proxy"
)

// Over real connections, with a real server.

// dial returns a client of addr that is closed when the test ends.
func dial(t *testing.T, addr string, opts ...lockd.DialOption) *lockd.Client {
	t.Helper()
	c, err := lockd.Dial(addr, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
	})
	return c
}

// dialUnary is dial for a client that makes unary calls only.
func dialUnary(t *testing.T, addr string, opts ...lockd.DialOption) *lockd.Client {
	t.Helper()
	c, err := lockd.DialUnary(addr, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
	})
	return c
}

func acquire(t *testing.T, c *lockd.Client, name string, opts ...lockd.AcquireOption) *lockd.Lease {
	t.Helper()
	l, err := c.Acquire(t.Context(), name, opts...)
	if err != nil {
		t.Fatalf("Acquire(%q) = %v", name, err)
	}
	return l
}

// holder asks lockd who holds name.
func holder(t *testing.T, c *lockd.Client, name string) *lockdv1.GetResponse {
	t.Helper()
	got, err := lockdv1.NewLeaseServiceClient(c.Conn()).Get(t.Context(), &lockdv1.GetRequest{Name: name}, grpc.WaitForReady(true))
	if err != nil {
		t.Fatalf("Get(%q) = %v", name, err)
	}
	return got
}

const (
	acquirePath = "/lockd.v1.LeaseService/Acquire"
	renewPath   = "/lockd.v1.LeaseService/Renew"
	releasePath = "/lockd.v1.LeaseService/Release"
)

// The lost reply to an acquisition is asked for again and answers the same lease: it is not held by
// another, and it is not lost a second later, when lockd would have undone what nobody took over.
func TestLostReplyToAcquire(t *testing.T) {
	for _, times := range []int{1, 3} {
		server := lockdtest.Start(t)
		p := proxy.GRPC(t, server.Addr())
		c := dialUnary(t, p.Addr())
		p.LoseReply(proxy.Contains(acquirePath), times)
		l, err := c.TryAcquire(t.Context(), "job", lockd.WithTTL(time.Second))
		if err != nil {
			t.Fatalf("TryAcquire with %d lost replies = %v", times, err)
		}
		if got := holder(t, c, "job").GetLease().GetToken(); got != l.Token() {
			t.Errorf("token %d is in force, want the one that was answered, %d", got, l.Token())
		}
		select {
		case <-l.Context().Done():
			t.Errorf("the lease ended: %v", context.Cause(l.Context()))
		case <-time.After(1500 * time.Millisecond): // the undo would be at 1 s; ending is the failure
		}
	}
}

// The lost reply to a renewal costs nothing.
func TestLostReplyToRenew(t *testing.T) {
	server := lockdtest.Start(t)
	p := proxy.GRPC(t, server.Addr())
	c := dialUnary(t, p.Addr())
	l := acquire(t, c, "job", lockd.WithTTL(time.Second))
	deadline := l.Deadline()
	lost := p.LoseReply(proxy.Contains(renewPath), 2)
	until(t, "two renewals to be lost", func() bool { return lost.Hits() == 2 })
	until(t, "the deadline to move on", func() bool { return l.Deadline().After(deadline.Add(time.Second)) })
	if err := l.Err(); err != nil {
		t.Errorf("Err = %v, want nil", err)
	}
}

// After the lost reply to a release the retry finds nothing, which is no loss.
func TestLostReplyToRelease(t *testing.T) {
	server := lockdtest.Start(t)
	p := proxy.GRPC(t, server.Addr())
	c := dialUnary(t, p.Addr())
	l := acquire(t, c, "job")
	p.LoseReply(proxy.Contains(releasePath), 1)
	if err := l.Release(t.Context()); err != nil {
		t.Errorf("Release = %v, want nil", err)
	}
	if holder(t, c, "job").GetHeld() {
		t.Error("the name is still held")
	}
}

// An Acquire that ended with its context leaves nothing, not even where the reply to it was on its way.
func TestNothingIsLeftOfAGivenUpAcquire(t *testing.T) {
	server := lockdtest.Start(t)
	p := proxy.GRPC(t, server.Addr())
	c, other := dialUnary(t, p.Addr()), server.Client(t)
	reply := p.DelayReply(proxy.Contains(acquirePath))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := c.Acquire(ctx, "job")
		ended <- err
	}()
	<-reply.Bitten() // it has been granted
	if !holder(t, other, "job").GetHeld() {
		t.Fatal("the name is free; the test tests nothing")
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Acquire = %v, want context.Canceled", err)
	}
	until(t, "the name to be free", func() bool { return !holder(t, other, "job").GetHeld() })
	reply.Release()
}

// A lockd that is back before the safe deadline: the lease goes on.
func TestServerBackInTime(t *testing.T) {
	server := lockdtest.Start(t)
	c := server.Client(t)
	l := acquire(t, c, "job", lockd.WithTTL(4*time.Second))
	server.Stop(t)
	deadline := l.Deadline()
	until(t, "half of the lease to be over", func() bool { return time.Until(deadline) < 2*time.Second })
	server.Start(t)
	until(t, "the lease to be renewed", func() bool { return l.Deadline().After(deadline) })
	if err := l.Release(t.Context()); err != nil {
		t.Errorf("Release = %v, want nil: it was held throughout", err)
	}
}

// Any lockd will do: when one of the list goes away another takes over, and the leases do not notice.
func TestAnotherServerTakesOver(t *testing.T) {
	server := lockdtest.Start(t)
	ways := []*proxy.Proxy{proxy.GRPC(t, server.Addr()), proxy.GRPC(t, server.Addr())} // to the same store
	c := dial(t, ways[0].Addr()+", "+ways[1].Addr())
	l := acquire(t, c, "job", lockd.WithTTL(2*time.Second))
	for _, way := range ways {
		deadline := l.Deadline()
		way.Refuse()
		way.Cut()
		until(t, "a renewal by the other way", func() bool { return l.Deadline().After(deadline) })
		if err := way.Accept(); err != nil {
			t.Fatal(err)
		}
	}
	if ways[0].Accepted() == 0 || ways[1].Accepted() == 0 {
		t.Errorf("%d and %d connections, want both ways used", ways[0].Accepted(), ways[1].Accepted())
	}
	if err := l.Err(); err != nil {
		t.Errorf("Err = %v, want nil", err)
	}
}

// A waiter gets the name after its release.
func TestAcquireAfterRelease(t *testing.T) {
	server := lockdtest.Start(t)
	a, b := server.Client(t, lockd.WithOwner("a")), server.Client(t, lockd.WithOwner("b"))
	first := acquire(t, a, "job")
	var held *lockd.HeldError
	if _, err := b.TryAcquire(t.Context(), "job"); !errors.As(err, &held) || held.Owner != "a" || held.Token != first.Token() {
		t.Fatalf("TryAcquire = %v, want a *HeldError with owner a and its token", err)
	}
	time.AfterFunc(100*time.Millisecond, func() { _ = first.Release(context.Background()) })
	second := acquire(t, b, "job")
	if second.Token() <= first.Token() {
		t.Errorf("token went from %d to %d, want larger", first.Token(), second.Token())
	}
}

// A lease without keepalive outlives its client, for whoever was handed its id.
func TestWithoutKeepaliveOutlivesItsClient(t *testing.T) {
	server := lockdtest.Start(t)
	c, other := server.Client(t), server.Client(t)
	l := acquire(t, c, "job", lockd.WithoutKeepalive())
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if got := holder(t, other, "job"); got.GetLease().GetToken() != l.Token() {
		t.Errorf("after Close %v is in force, want token %d", got.GetLease(), l.Token())
	}
	answer, err := lockdv1.NewLeaseServiceClient(other.Conn()).Release(t.Context(), &lockdv1.ReleaseRequest{Name: l.Name(), LeaseId: l.ID()})
	if err != nil || answer.GetOutcome() != lockdv1.ReleaseResponse_HELD {
		t.Errorf("Release by the id = %v, %v, want HELD", answer.GetOutcome(), err)
	}
}

// A unix socket will do, without WithInsecure.
func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lockd.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	lockdv1.RegisterLeaseServiceServer(server, lockdv1.UnimplementedLeaseServiceServer{})
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	_, err = dial(t, "unix://"+path).TryAcquire(t.Context(), "job")
	if got := status.Code(err); got != codes.Unimplemented {
		t.Errorf("TryAcquire = %v, want this server's answer, UNIMPLEMENTED", err)
	}
}

// What the server finds wrong comes back as ErrInvalid and names the field.
func TestServerNamesTheField(t *testing.T) {
	c := lockdtest.Start(t).Client(t)
	for name, test := range map[string]struct {
		opt  lockd.AcquireOption
		want string
	}{
		"":       {lockd.WithTTL(time.Second), "name is empty"},
		"a//b":   {lockd.WithTTL(time.Second), "name "},
		"ttl":    {lockd.WithTTL(0), "ttl is 0s"},
		"ttl -1": {lockd.WithTTL(-time.Second), "ttl is -1s"},
		"data":   {lockd.WithMetadata(map[string]string{"": "x"}), "metadata has an empty key"},
	} {
		_, err := c.TryAcquire(t.Context(), name, test.opt)
		if !errors.Is(err, lockd.ErrInvalid) || !strings.Contains(err.Error(), ": invalid argument: "+test.want) {
			t.Errorf("TryAcquire(%q) = %v, want ErrInvalid with %q", name, err, test.want)
		}
	}
}

// until waits until condition holds.
func until(t *testing.T, what string, condition func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(10 * time.Second); !condition(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("waited 10 s for %s", what)
		}
	}
}
