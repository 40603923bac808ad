package rpc

import (
	"context"
	"errors"
	"strings"

	"go.uber.org/zap"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"

	"github.com/lockd/lockd/internal/audit"
	"github.com/lockd/lockd/internal/lease"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// doings are the calls of which a record is kept however they end, by what it calls them and an end without error. Of
// the others there is one when they were denied, or over a limit.
var doings = map[string]struct{ what, done string }{
	lockdv1.LeaseService_Acquire_FullMethodName:        {"acquire", "granted"},
	lockdv1.AdminService_ForceRelease_FullMethodName:   {"force-release", "forced"},
	lockdv1.AdminService_RequestRelease_FullMethodName: {"request-release", "asked"},
}

// record keeps a record of c, if one is kept and c is worth it.
func (l *accessLog) record(ctx context.Context, c call) {
	if l.audit == nil {
		return
	}
	doing, always := doings[c.method]
	if !always {
		if !denied(c) {
			return
		}
		doing.what = c.method[strings.LastIndexByte(c.method, '/')+1:]
	}
	r := audit.Record{What: doing.what, Outcome: doing.done, Who: principalOf(ctx)}
	if c.err != nil {
		if r.Outcome = refusalOf(ctx, c.err).reason; r.Outcome == "" {
			r.Outcome = c.code.String()
		}
	}
	if from, ok := peer.FromContext(ctx); ok {
		r.Peer = from.Addr
	}
	about(&r, c)
	l.audit.Note(r)
}

// forceful is a request to end another's lease, now or later.
type forceful interface {
	GetToken() int64
	GetBy() string
	GetReason() string
}

// forced notes what became of a force that was announced.
func (l *accessLog) forced(e lease.Event, err error) {
	outcome := "forced"
	if err != nil {
		outcome = refusalOf(context.Background(), err).reason
	}
	l.audit.Note(audit.Record{What: "force-release", Outcome: outcome, Name: e.Name, Token: int64(e.Token), Owner: e.Owner, By: e.By, Why: e.Reason})
	l.to.Warn("forced release, as announced", zap.String("outcome", outcome), zap.String("name", clip(e.Name, maxLogged)),
		zap.Int64("token", int64(e.Token)), zap.String("by", clip(e.By, maxLogged)), zap.String("reason", clip(e.Reason, maxLogged)))
}

// denied reports whether c was refused for who asked, or for how much it had.
func denied(c call) bool {
	return c.code == codes.PermissionDenied || c.code == codes.Unauthenticated || errors.As(c.err, new(*lease.LimitError))
}

// about fills in what a call was about.
func about(r *audit.Record, c call) {
	if of, ok := c.request.(interface{ GetName() string }); ok {
		r.Name = of.GetName()
	}
	if of, ok := c.request.(interface{ GetLeaseId() string }); ok {
		r.Lease = of.GetLeaseId()
	}
	if of, ok := c.request.(forceful); ok {
		r.Token, r.By, r.Why = of.GetToken(), of.GetBy(), of.GetReason()
	}
	switch of, ok := c.reply.(interface{ GetLease() *lockdv1.Lease }); {
	case c.err != nil:
	case c.granted != nil:
		r.Token, r.Owner = int64(c.granted.Token), c.granted.Owner
	case ok:
		r.Token, r.Owner = of.GetLease().GetToken(), of.GetLease().GetOwner()
	}
}
