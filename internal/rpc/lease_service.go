package rpc

import (
	"context"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/lockd/lockd/internal/auth"
	"github.com/lockd/lockd/internal/lease"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// leaseService implements lockdv1.LeaseServiceServer, all of it: an RPC that it lacked would not
// compile.
type leaseService struct {
	lockdv1.UnsafeLeaseServiceServer
	lessor   *lease.Lessor
	process  process
	sessions *sessions
	access   *accessLog
	gate     *gate
}

func (s *leaseService) Acquire(ctx context.Context, req *lockdv1.AcquireRequest) (*lockdv1.AcquireResponse, error) {
	ask, err := decodeAcquire(req)
	if err != nil {
		return nil, err
	}
	caller, now := callerOf(ctx), time.Now()
	if ask.Principal, err = caller.May(auth.Acquire, ask.Name, now); err != nil {
		return nil, err
	}
	ask.Own = &caller.Limits(now).Own
	grant, err := s.lessor.Acquire(ctx, ask)
	if err != nil {
		return nil, masked(caller, err)
	}
	if _, err := caller.May(auth.Acquire, ask.Name, time.Now()); err != nil { // any more: it may have waited for minutes
		s.lessor.TakeBack(grant)
		return nil, err
	}
	return encodeGrant(grant), nil
}

func (s *leaseService) Renew(ctx context.Context, req *lockdv1.RenewRequest) (*lockdv1.RenewResponse, error) {
	ask, err := decodeRenew(req)
	if err != nil {
		return nil, err
	}
	caller, now := callerOf(ctx), time.Now()
	if ask.Principal, err = caller.May(auth.Acquire, ask.Name, now); err != nil {
		return nil, err
	}
	ask.Own = &caller.Limits(now).Own
	renewed, err := s.lessor.Renew(ask)
	if err != nil {
		return nil, err
	}
	return encodeRenewal(renewed), nil
}

func (s *leaseService) Release(ctx context.Context, req *lockdv1.ReleaseRequest) (*lockdv1.ReleaseResponse, error) {
	caller, ask := callerOf(ctx), decodeRelease(req)
	var err error
	if ask.Principal, err = caller.Check(time.Now()); err != nil {
		return nil, err
	}
	outcome, err := s.lessor.Release(ask)
	if err == nil {
		err = untold(caller, ask.Name, outcome)
	}
	if err != nil {
		return nil, err
	}
	return &lockdv1.ReleaseResponse{Outcome: encodeOutcome(outcome)}, nil
}

// untold refuses to say what a release found that found no lease of the caller's, if that may not acquire the name:
// GONE and HELD_BY_OTHER would tell whether anybody holds it.
func untold(caller *auth.Caller, name string, found lease.Outcome) error {
	if found == lease.Held {
		return nil
	}
	_, err := caller.May(auth.Acquire, name, time.Now())
	return err
}

func (s *leaseService) Get(ctx context.Context, req *lockdv1.GetRequest) (*lockdv1.GetResponse, error) {
	standing, err := s.lessor.Get(ctx, req.GetName())
	if err != nil {
		return nil, err
	}
	return encodeStanding(req.GetName(), standing), nil
}

func (s *leaseService) List(ctx context.Context, req *lockdv1.ListRequest) (*lockdv1.ListResponse, error) {
	ask := lease.ListRequest{Prefix: req.GetPrefix(), Size: int(req.GetPageSize()), Token: req.GetPageToken()}
	if caller := callerOf(ctx); caller != nil {
		ask.Shows = func(name string) bool { return mayRead(caller, name) }
	}
	for {
		page, err := s.lessor.List(ctx, ask)
		if err != nil {
			return nil, err
		}
		reply := encodePage(page)
		if proto.Size(reply) <= maxReply || len(page.Leases) == 1 {
			return reply, nil
		}
		// A page of the largest leases can be too long to send. Only the store can cut its pages, so it
		// is asked for a shorter one; one lease is never too long.
		ask.Size = len(page.Leases) / 2
	}
}

func (s *leaseService) CheckToken(ctx context.Context, req *lockdv1.CheckTokenRequest) (*lockdv1.CheckTokenResponse, error) {
	inForce, err := s.lessor.CheckToken(ctx, req.GetName(), lease.Token(req.GetToken()))
	if err != nil {
		return nil, err
	}
	return &lockdv1.CheckTokenResponse{InForce: inForce}, nil
}
