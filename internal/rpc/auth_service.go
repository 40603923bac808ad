package rpc

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/lockd/lockd/internal/auth"
	"github.com/lockd/lockd/internal/lease"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// authService implements lockdv1.AuthServiceServer, all of it.
type authService struct {
	lockdv1.UnsafeAuthServiceServer
}

func (authService) CanI(ctx context.Context, req *lockdv1.CanIRequest) (*lockdv1.CanIResponse, error) {
	verb, ok := auth.ParseVerb(req.GetVerb())
	if !ok {
		return nil, invalid("verb", "is %q; want one of %s", req.GetVerb(), strings.Join(auth.VerbNames, ", "))
	}
	if verb == auth.Admin && req.GetName() != "" {
		return nil, invalid("name", "is %q; want none: admin is about no name", req.GetName())
	}
	if verb != auth.Admin {
		if err := lease.CheckName(req.GetName()); err != nil {
			return nil, err
		}
	}
	caller, now := callerOf(ctx), time.Now()
	principal, err := caller.Check(now)
	if err != nil {
		return nil, err
	}
	_, err = caller.May(verb, req.GetName(), now)
	if err != nil && !errors.As(err, new(*auth.DeniedError)) {
		return nil, err
	}
	return &lockdv1.CanIResponse{Allowed: err == nil, Principal: principal}, nil
}
