package rpc

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/lockd/lockd/internal/auth"
	"github.com/lockd/lockd/internal/diagnosis"
	"github.com/lockd/lockd/internal/lease"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// process is who serves.
type process struct {
	version  string
	instance string // 16 hex digits, random, so that no two processes share it
	started  time.Time
}

func newProcess(version string) process {
	var instance [8]byte
	_, _ = rand.Read(instance[:]) // never fails
	return process{version: version, instance: hex.EncodeToString(instance[:]), started: time.Now()}
}

// adminService implements lockdv1.AdminServiceServer, all of it.
type adminService struct {
	lockdv1.UnsafeAdminServiceServer
	lessor  *lease.Lessor
	process process

	diagnose   func(context.Context) diagnosis.Report // nil: nothing is looked at
	diagnosing chan struct{}                          // holds one for each under way
}

// maxDiagnoses is how many there are at once: each has connections of its own to every Redis.
const maxDiagnoses = 2

func (s *adminService) ForceRelease(ctx context.Context, req *lockdv1.ForceReleaseRequest) (*lockdv1.ForceReleaseResponse, error) {
	principal, err := callerOf(ctx).May(auth.Force, req.GetName(), time.Now())
	if err != nil {
		return nil, err
	}
	ended, err := s.lessor.ForceRelease(ctx, lease.ForceRequest{
		Name: req.GetName(), Token: lease.Token(req.GetToken()), Reason: req.GetReason(), By: signed(principal, req.GetBy()),
	})
	if err != nil {
		return nil, err
	}
	return &lockdv1.ForceReleaseResponse{Lease: encodeLease(ended)}, nil
}

func (s *adminService) RequestRelease(ctx context.Context, req *lockdv1.RequestReleaseRequest) (*lockdv1.RequestReleaseResponse, error) {
	principal, err := callerOf(ctx).May(auth.Force, req.GetName(), time.Now())
	if err != nil {
		return nil, err
	}
	forceIn, err := decodeDuration("force_in", req.GetForceIn())
	if err != nil {
		return nil, err
	}
	held, err := s.lessor.RequestRelease(ctx, lease.ForceRequest{
		Name: req.GetName(), Token: lease.Token(req.GetToken()), Reason: req.GetReason(), By: signed(principal, req.GetBy()),
	}, forceIn)
	if err != nil {
		return nil, err
	}
	return &lockdv1.RequestReleaseResponse{Lease: encodeLease(held)}, nil
}

// signed is how somebody who is known calls itself.
func signed(principal, by string) string {
	if principal == "" || by == "" || len(by) > lease.MaxOwnerBytes {
		return cmp.Or(by, principal) // what is too long is refused
	}
	return clip(principal+" ("+by+")", lease.MaxOwnerBytes)
}

func (s *adminService) Status(context.Context, *lockdv1.StatusRequest) (*lockdv1.StatusResponse, error) {
	return &lockdv1.StatusResponse{
		Version: s.process.version, Instance: s.process.instance, Started: timestamppb.New(s.process.started),
		Store: encodeStatus(s.lessor.Status()),
	}, nil
}

func (s *adminService) Diagnose(ctx context.Context, _ *lockdv1.DiagnoseRequest) (*lockdv1.DiagnoseResponse, error) {
	var report diagnosis.Report
	select {
	case s.diagnosing <- struct{}{}:
		defer func() { <-s.diagnosing }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if s.diagnose != nil {
		report = s.diagnose(ctx)
	}
	return encodeReport(report), nil
}
