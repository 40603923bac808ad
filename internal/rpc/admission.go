package rpc

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/lockd/lockd/internal/auth"
	"github.com/lockd/lockd/internal/lease"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// Who may call what. It is asked before anything is done, so that who is refused costs no store call. What depends on a
// name is asked where the name is known: here for unary calls, by their handlers for streams, and in a session for each
// operation.

// admission is what a method asks of who calls it.
type admission struct {
	verb  auth.Verb // 0: to be known is enough
	below bool      // for any name under the request's prefix
}

// admissions has every method that may be called at all, where callers are told apart.
var admissions = map[string]admission{
	lockdv1.LeaseService_Acquire_FullMethodName:        {verb: auth.Acquire},
	lockdv1.LeaseService_Renew_FullMethodName:          {verb: auth.Acquire},
	lockdv1.LeaseService_Release_FullMethodName:        {}, // the lease id and the principal say whether it is the caller's
	lockdv1.LeaseService_Get_FullMethodName:            {verb: auth.Read},
	lockdv1.LeaseService_CheckToken_FullMethodName:     {verb: auth.Read},
	lockdv1.LeaseService_List_FullMethodName:           {verb: auth.Read, below: true},
	lockdv1.LeaseService_Watch_FullMethodName:          {}, // by its handler
	lockdv1.LeaseService_Session_FullMethodName:        {}, // for each operation
	lockdv1.AdminService_ForceRelease_FullMethodName:   {verb: auth.Force},
	lockdv1.AdminService_RequestRelease_FullMethodName: {verb: auth.Force},
	lockdv1.AdminService_Status_FullMethodName:         {verb: auth.Admin},
	lockdv1.AdminService_Diagnose_FullMethodName:       {verb: auth.Admin},
	lockdv1.AuthService_CanI_FullMethodName:            {},

	// They say nothing of anybody's leases.
	"/grpc.health.v1.Health/Check":                                   {},
	"/grpc.health.v1.Health/List":                                    {},
	"/grpc.health.v1.Health/Watch":                                   {},
	"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo":      {},
	"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": {},
}

// errNotAdmitted refuses a method that admissions lacks.
var errNotAdmitted = errors.New("nobody may call this method here")

type callingKey struct{}

// calling is who calls, and over which connection if it is that which says so.
type calling struct {
	caller *auth.Caller
	by     *connected // nil: something else says who it is
}

func callingOf(ctx context.Context) calling {
	c, _ := ctx.Value(callingKey{}).(calling)
	return c
}

// callerOf answers who calls; nil if nobody is asked.
func callerOf(ctx context.Context) *auth.Caller { return callingOf(ctx).caller }

// check answers an error if who calls is nobody, or nobody any more.
func (c calling) check(at time.Time) error {
	_, err := c.caller.Check(at)
	c.by.judged(err)
	return err
}

// withCaller notes in ctx what the caller has shown.
func (a *around) withCaller(ctx context.Context) context.Context {
	if !a.guard.Identifies() {
		return ctx
	}
	shown := auth.Shown{Authorization: metadata.ValueFromIncomingContext(ctx, "authorization")}
	var by *connected
	if from, ok := peer.FromContext(ctx); ok && len(shown.Authorization) == 0 {
		if by, ok = from.AuthInfo.(*connected); ok {
			shown.Certificates = by.State.PeerCertificates
		}
	}
	return context.WithValue(ctx, callingKey{}, calling{a.guard.Caller(shown), by})
}

// admit asks for what can be asked without knowing the method's handler.
func admit(c calling, method string, req any) error {
	now, caller := time.Now(), c.caller
	if err := c.check(now); err != nil {
		return err
	}
	asks, ok := admissions[method]
	var err error
	switch {
	case !ok:
		err = errNotAdmitted
	case asks.verb == 0:
	case asks.below:
		_, err = caller.MayBelow(asks.verb, req.(interface{ GetPrefix() string }).GetPrefix(), now)
	default:
		name := ""
		if r, ok := req.(interface{ GetName() string }); ok {
			name = r.GetName()
		}
		_, err = caller.May(asks.verb, name, now)
	}
	return err
}

// admitUnary lets a call through whose caller may make it.
func (a *around) admitUnary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if c := callingOf(ctx); c.caller != nil {
		if err := admit(c, info.FullMethod, req); err != nil {
			charge(ctx, 1)
			return nil, err
		}
	}
	return next(ctx, req)
}

// admitStream lets a stream through whose caller is known, and each of its messages as long as that is so.
func (a *around) admitStream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	c := callingOf(stream.Context())
	if c.caller == nil {
		return next(srv, stream)
	}
	if err := admit(c, info.FullMethod, nil); err != nil {
		charge(stream.Context(), 1)
		return err
	}
	return next(srv, &admittedStream{stream, c})
}

type admittedStream struct {
	grpc.ServerStream
	calling
}

// RecvMsg implements grpc.ServerStream.
func (s *admittedStream) RecvMsg(m any) error {
	if err := s.ServerStream.RecvMsg(m); err != nil {
		return err
	}
	return s.check(time.Now())
}

// masked is err as caller may see it: without read, who holds a name is nobody in particular.
func masked(caller *auth.Caller, err error) error {
	var held *lease.HeldError
	if caller == nil || !errors.As(err, &held) || mayRead(caller, held.Holder.Name) {
		return err
	}
	return maskedHeld(held)
}

func maskedHeld(held *lease.HeldError) *lease.HeldError {
	h := held.Holder
	return &lease.HeldError{
		Holder: lease.Lease{Name: h.Name, ExpiresIn: h.ExpiresIn, Delay: h.Delay, Closed: h.Closed}, Place: held.Place, Ticket: held.Ticket,
	}
}

func mayRead(caller *auth.Caller, name string) bool {
	_, err := caller.May(auth.Read, name, time.Now())
	return err == nil
}
