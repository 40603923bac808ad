package rpc

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/lockd/lockd/internal/lease"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// adminService implements lockdv1.AdminServiceServer, all of it.
type adminService struct {
	lockdv1.UnsafeAdminServiceServer
	lessor   *lease.Lessor
	version  string
	instance string // 16 hex digits, random, so that no two processes share it
	started  *timestamppb.Timestamp
}

func newAdminService(lessor *lease.Lessor, version string, started time.Time) *adminService {
	var instance [8]byte
	_, _ = rand.Read(instance[:]) // never fails
	return &adminService{lessor: lessor, version: version, instance: hex.EncodeToString(instance[:]), started: timestamppb.New(started)}
}

func (s *adminService) ForceRelease(ctx context.Context, req *lockdv1.ForceReleaseRequest) (*lockdv1.ForceReleaseResponse, error) {
	ended, err := s.lessor.ForceRelease(ctx, lease.ForceRequest{
		Name: req.GetName(), Token: lease.Token(req.GetToken()), Reason: req.GetReason(),
	})
	if err != nil {
		return nil, err
	}
	return &lockdv1.ForceReleaseResponse{Lease: encodeLease(ended)}, nil
}

func (s *adminService) Status(context.Context, *lockdv1.StatusRequest) (*lockdv1.StatusResponse, error) {
	return &lockdv1.StatusResponse{
		Version: s.version, Instance: s.instance, Started: s.started, Store: encodeStatus(s.lessor.Status()),
	}, nil
}
