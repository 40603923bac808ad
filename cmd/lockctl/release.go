package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

const releaseHelp = `Release gives back a lease that "lockctl acquire" took. Its id comes from LOCKD_LEASE_ID in the
environment or from a --lease-file, which is removed; a flag's value would be visible to everybody.

It ends with 70 if the lease was not held any more: what was done last may not have been protected.`

func newRelease(to *server) *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "release NAME",
		Short: "Give a lease back",
		Long:  releaseHelp,
		Example: `  eval "$(lockctl acquire orders/42)" && { work; lockctl release orders/42; }
  lockctl release nightly --lease-file /run/nightly.lease`,
		Args: oneName,
	}
	cmd.Flags().StringVar(&path, "lease-file", "", "read the lease id from this file, and remove it")
	cmd.RunE = action(func(cmd *cobra.Command, args []string) error {
		id, err := leaseID(args[0], path)
		if err != nil {
			return err
		}
		return release(cmd.Context(), to, &lockdv1.ReleaseRequest{Name: args[0], LeaseId: id}, path)
	})
	return cmd
}

func release(ctx context.Context, to *server, req *lockdv1.ReleaseRequest, path string) error {
	if err := checkText("name", req.GetName()); err != nil {
		return err
	}
	var resp *lockdv1.ReleaseResponse
	asked, err := to.ask(ctx, func(ctx context.Context, conn grpc.ClientConnInterface, opts ...grpc.CallOption) (err error) {
		resp, err = lockdv1.NewLeaseServiceClient(conn).Release(ctx, req, opts...)
		return err
	})
	if err != nil {
		return err
	}
	if path != "" {
		if err := os.Remove(path); err != nil {
			return fmt.Errorf("released, but --lease-file: %w", err)
		}
	}
	switch {
	case resp.GetOutcome() == lockdv1.ReleaseResponse_HELD:
		return nil
	case asked > 1: // an earlier request, whose answer was lost, may have released it
		return nil
	case resp.GetOutcome() == lockdv1.ReleaseResponse_HELD_BY_OTHER:
		return exitWith(exitLost, "the lease on %s had ended before, and another holds the name now", plain(req.GetName()))
	}
	return exitWith(exitLost, "the lease on %s had ended before", plain(req.GetName()))
}
