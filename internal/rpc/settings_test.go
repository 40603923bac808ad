package rpc

import (
	"context"
	"fmt"
	"io"
	"math"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/lockd/lockd/internal/lease"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

func TestARequestHasAtMost64KiB(t *testing.T) {
	s := serve(t, &fakeStore{})
	ask := &lockdv1.GetRequest{Name: strings.Repeat("a", maxRequest)}
	ask.Name = ask.Name[:maxRequest-(proto.Size(ask)-maxRequest)]
	if size := proto.Size(ask); size != maxRequest {
		t.Fatalf("the request has %d bytes, want %d", size, maxRequest)
	}
	if _, err := s.leases.Get(t.Context(), ask); status.Code(err) != codes.InvalidArgument {
		t.Errorf("a request of 64 KiB answers %v, want it read (and its name refused)", err)
	}
	ask.Name += "a"
	if _, err := s.leases.Get(t.Context(), ask); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a request of 64 KiB and a byte answers %v, want RESOURCE_EXHAUSTED", err)
	}
}

func TestAReplyHasAtMost1MiB(t *testing.T) {
	s := serve(t, &fakeStore{status: lease.Status{Kind: strings.Repeat("k", maxReply)}})
	if _, err := s.admin.Status(t.Context(), &lockdv1.StatusRequest{}); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a reply of more than 1 MiB answers %v, want RESOURCE_EXHAUSTED", err)
	}
}

func TestHeadersHaveAtMost16KiB(t *testing.T) {
	s := serve(t, &fakeStore{})
	with := func(size int) context.Context {
		return metadata.AppendToOutgoingContext(t.Context(), "x-fill", strings.Repeat("a", size))
	}
	if _, err := s.admin.Status(with(maxHeader-1<<10), &lockdv1.StatusRequest{}); err != nil {
		t.Errorf("headers of just under 16 KiB answer %v, want OK", err)
	}
	if _, err := s.admin.Status(with(maxHeader), &lockdv1.StatusRequest{}); err == nil {
		t.Error("headers of more than 16 KiB are taken, want an error")
	}
}

func TestTheServerSaysItsLimitsOnEveryConnection(t *testing.T) {
	s := serve(t, &fakeStore{})
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	frames := shake(t, conn, true)
	defer func() { _ = conn.Close(); drain(frames) }()
	f := <-frames
	if f.kind != frameSettings {
		t.Fatalf("the first frame is of kind %d, want SETTINGS", f.kind)
	}
	const maxConcurrentStreams, maxHeaderListSize = 3, 6
	got := settingsOf(f)
	if got[maxConcurrentStreams] != maxStreams || got[maxHeaderListSize] != maxHeader {
		t.Errorf("SETTINGS = %v, want %d streams and headers of %d", got, maxStreams, maxHeader)
	}
}

func drain(frames <-chan frame) {
	for range frames { //nolint:revive // until the server has closed
	}
}

func TestAConnectionThatSaysNothingIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		servePipes(t, func(_ *Server, conn net.Conn) {
			start := time.Now()
			go func() { _, _ = io.WriteString(conn, preface[:5]) }()
			_, err := io.Copy(io.Discard, conn)
			if took := time.Since(start); took != handshake {
				t.Errorf("a connection that says nothing ends after %s (%v), want %s", took, err, handshake)
			}
		})
	})
}

func TestAClientThatVanishedIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		servePipes(t, func(_ *Server, conn net.Conn) {
			start := time.Now()
			drain(shake(t, conn, false))
			if took := time.Since(start); took > pingAfter+pingTimeout+time.Second || took < pingAfter {
				t.Errorf("a client that answers no ping is cut off after %s, want %s", took, pingAfter+pingTimeout)
			}
		})
	})
}

func TestAClientMayPingEveryTenSecondsWithoutACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		servePipes(t, func(_ *Server, conn net.Conn) {
			ping := func(every time.Duration, times int) {
				for range times {
					<-time.After(every)
					_ = writeFrame(conn, frame{kind: framePing, body: make([]byte, 8)})
				}
				synctest.Wait()
			}
			frames := shake(t, conn, true)
			ping(minPing, 20)
			for len(frames) > 0 {
				if f, ok := <-frames; !ok || f.kind == frameGoAway {
					t.Fatalf("a client that pings every %s is cut off", minPing)
				}
			}
			ping(time.Second, 5)
			cut := false
			for len(frames) > 0 {
				f, ok := <-frames
				cut = cut || !ok || f.kind == frameGoAway && strings.Contains(string(f.body), "too_many_pings")
			}
			if !cut {
				t.Error("a client that pings every second goes on, want it cut off")
			}
		})
	})
}

func TestEveryCallIsBoundedByItsWaitAndAMargin(t *testing.T) {
	for _, c := range []struct {
		wait *durationpb.Duration
		want time.Duration
	}{
		{nil, callMargin},
		{durationpb.New(time.Minute), time.Minute + callMargin},
		{durationpb.New(-time.Minute), callMargin},
		{durationpb.New(math.MaxInt64), longestWait + callMargin},
	} {
		synctest.Test(t, func(t *testing.T) {
			_, _ = boundUnary(t.Context(), &lockdv1.AcquireRequest{Wait: c.wait}, nil, func(ctx context.Context, _ any) (any, error) {
				end, ok := ctx.Deadline()
				if got := time.Until(end); !ok || got != c.want {
					t.Errorf("a call that waits for %v is bound to %s, want %s", c.wait, got, c.want)
				}
				return nil, nil
			})
		})
	}
}

func TestTheBoundIsAroundEveryUnaryCall(t *testing.T) {
	bounded := false
	p := &probe{unary: func(ctx context.Context) error { _, bounded = ctx.Deadline(); return nil }}
	s := serve(t, &fakeStore{}, withProbe(p))
	if err := s.conn.Invoke(t.Context(), "/test.Probe/Unary", new(emptypb.Empty), new(emptypb.Empty)); err != nil {
		t.Fatal(err)
	}
	if !bounded {
		t.Error("a call without a deadline of its own has none, want one")
	}
}

func TestAPageNeverExceedsAReplyAndLosesNothing(t *testing.T) {
	const total = 2 * lease.MaxPageSize
	fill := strings.Repeat("v", lease.MaxMetadataBytes)
	s := serve(t, &fakeStore{list: func(_ context.Context, r lease.ListRequest) (lease.Page, error) {
		var from int
		_, _ = fmt.Sscan(r.Token, &from)
		page := lease.Page{Next: fmt.Sprint(from + r.Size)}
		for i := from; i < min(from+r.Size, total); i++ {
			page.Leases = append(page.Leases, lease.Lease{
				Name: fmt.Sprint(i), Owner: fill[:lease.MaxOwnerBytes], Metadata: map[string]string{"k": fill},
			})
		}
		if from+r.Size >= total {
			page.Next = ""
		}
		return page, nil
	}})
	seen, ask := map[string]bool{}, &lockdv1.ListRequest{PageSize: lease.MaxPageSize}
	for {
		reply, err := s.leases.List(t.Context(), ask)
		if err != nil {
			t.Fatalf("List() = %v, want a page that can be sent", err)
		}
		if size := proto.Size(reply); size > maxReply {
			t.Errorf("a page has %d bytes, want at most %d", size, maxReply)
		}
		for _, l := range reply.GetLeases() {
			seen[l.GetName()] = true
		}
		if ask.PageToken = reply.GetNextPageToken(); ask.PageToken == "" {
			break
		}
	}
	if len(seen) != total {
		t.Errorf("the pages show %d leases, want %d", len(seen), total)
	}
}
