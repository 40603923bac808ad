package lockd

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// way carries operations to a lockd and brings the answers back. There are two, a stream of a Session
// and unary calls, and they mean the same: what retries, renews and judges deadlines stands above both.
// Errors are gRPC's, or carry a status as gRPC's do; see readRefusal.
type way interface {
	acquire(ctx context.Context, ask *ask) (*lockdv1.AcquireResponse, error)
	renew(ctx context.Context, req *lockdv1.RenewRequest) (*lockdv1.RenewResponse, error)
	release(ctx context.Context, req *lockdv1.ReleaseRequest) (*lockdv1.ReleaseResponse, error)
	// tellsPlace reports whether who stands in line is told so at once, and told by what is sent to
	// keep the place while it waits on.
	tellsPlace() bool
}

// ask is one attempt of an acquisition.
type ask struct {
	req *lockdv1.AcquireRequest
	// wait is how long to stand in line, reply how long an answer, or the word that it stands in line,
	// may take beyond that.
	wait, reply time.Duration
	stands      time.Duration       // how much longer than wait to stand, if the way tells the place
	inLine      func(*lockdv1.Held) // called, on the goroutine of acquire, when it stands in line
	fate        func() *fate        // who hears of it when acquire has returned without its answer

	reached bool // out: it got as far as a connection
	undone  bool // out: there will be no lease; lockd was not asked, or has been told to take it back
	mute    bool // out: there was no word of it
}

// unary is the way of plain calls, for servers, and proxies before them, that know no Session.
type unary struct {
	link *link
	rpc  lockdv1.LeaseServiceClient
}

func (unary) tellsPlace() bool { return false }

func (u unary) acquire(ctx context.Context, ask *ask) (*lockdv1.AcquireResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, ask.wait+ask.reply)
	defer cancel()
	ask.req.Wait = durationpb.New(ask.wait)
	// Once there has been a connection the next one is worth waiting for; before, a refusal by every
	// address is an answer.
	var server peer.Peer
	resp, err := u.rpc.Acquire(ctx, ask.req, grpc.Peer(&server), grpc.WaitForReady(u.link.connected.Load()))
	if server.Addr != nil {
		ask.reached = true
		u.link.connected.Store(true)
	}
	return resp, u.noted(err)
}

func (u unary) renew(ctx context.Context, req *lockdv1.RenewRequest) (*lockdv1.RenewResponse, error) {
	// Ready or not: while there is no connection, the one that comes carries it at once.
	resp, err := u.rpc.Renew(ctx, req, grpc.WaitForReady(true))
	return resp, u.noted(err)
}

func (u unary) release(ctx context.Context, req *lockdv1.ReleaseRequest) (*lockdv1.ReleaseResponse, error) {
	resp, err := u.rpc.Release(ctx, req, grpc.WaitForReady(true))
	return resp, u.noted(err)
}

// noted takes down that unary calls work, if this one did.
func (u unary) noted(err error) error {
	if err == nil || status.Code(err) != codes.Unavailable && readRefusal("", err).reason != "" {
		u.link.unaryWorks.Store(true)
	}
	return err
}
