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
	// acquire sends a.attempt, and notes there how that went.
	acquire(a *acquisition) (terms, error)
	renew(ctx context.Context, l *Lease) (terms, error)
	release(ctx context.Context, name, id string) (lockdv1.ReleaseResponse_Outcome, error)
	// tellsPlace reports whether who stands in line is told so at once, and told by what is sent to
	// keep the place while it waits on.
	tellsPlace() bool
}

// unary is the way of plain calls, for servers, and proxies before them, that know no Session.
type unary struct {
	link *link
	rpc  lockdv1.LeaseServiceClient
}

func (unary) tellsPlace() bool { return false }

func (u unary) acquire(a *acquisition) (terms, error) {
	t := &a.attempt
	ctx, cancel := context.WithTimeout(a.asking(), t.patience+t.reply)
	defer cancel()
	req := &lockdv1.AcquireRequest{
		Name: a.name, LeaseId: a.id, Attempt: a.attempts, Owner: a.client.owner, Metadata: a.metadata,
		Ttl: maybe(a.ttl), Wait: durationpb.New(t.asked()),
	}
	// Read before the message is given away: the server may answer before the call returns.
	t.sent = now()
	// Once there has been a connection the next one is worth waiting for; before, a refusal by every
	// address is an answer.
	var server peer.Peer
	resp, err := u.rpc.Acquire(ctx, req, grpc.Peer(&server), grpc.WaitForReady(u.link.connected.Load()))
	t.came = now()
	if server.Addr != nil {
		t.reached = true
		u.link.connected.Store(true)
	}
	granted := termsIn(resp.GetLease(), a.name)
	granted.waited = resp.GetWaited().AsDuration()
	return granted, u.noted(err)
}

func (u unary) renew(ctx context.Context, l *Lease) (terms, error) {
	req := &lockdv1.RenewRequest{Name: l.name, LeaseId: l.id, Token: l.token, Ttl: maybe(l.asked)}
	// Ready or not: while there is no connection, the one that comes carries it at once.
	resp, err := u.rpc.Renew(ctx, req, grpc.WaitForReady(true))
	return termsIn(resp.GetLease(), l.name), u.noted(err)
}

func (u unary) release(ctx context.Context, name, id string) (lockdv1.ReleaseResponse_Outcome, error) {
	resp, err := u.rpc.Release(ctx, &lockdv1.ReleaseRequest{Name: name, LeaseId: id}, grpc.WaitForReady(true))
	return resp.GetOutcome(), u.noted(err)
}

// maybe returns a duration that need not be there.
func maybe(d *time.Duration) *durationpb.Duration {
	if d == nil {
		return nil
	}
	return durationpb.New(*d)
}

// noted takes down that unary calls work, if this one did.
func (u unary) noted(err error) error {
	if err == nil || status.Code(err) != codes.Unavailable && readRefusal("", err).reason != "" {
		u.link.unaryWorks.Store(true)
	}
	return err
}
