package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

const renewHelp = `Renew restarts the ttl of a lease that "lockctl acquire" took, and never shortens it. Its id comes from
LOCKD_LEASE_ID in the environment or from a --lease-file; a flag's value would be visible to everybody.

It ends with 70 if the lease is not held any more; no renewal brings it back.`

func newRenew(to *server) *cobra.Command {
	var out output
	var ttl time.Duration
	var path string
	cmd := &cobra.Command{
		Use:   "renew NAME",
		Short: "Restart the ttl of a lease",
		Long:  renewHelp,
		Example: `  eval "$(lockctl acquire orders/42)" && lockctl renew orders/42
  lockctl renew nightly --lease-file /run/nightly.lease --ttl 10m`,
		Args: oneName,
	}
	flags := cmd.Flags()
	durationVar(flags, &ttl, "ttl", "", 0, "how long it shall last (default: as before)")
	flags.StringVar(&path, "lease-file", "", "read the lease id from this file")
	out.register(cmd, asTable, asJSON, asLines, asYAML)
	cmd.RunE = action(func(cmd *cobra.Command, args []string) error {
		id, err := leaseID(args[0], path)
		if err != nil {
			return err
		}
		req := &lockdv1.RenewRequest{Name: args[0], LeaseId: id}
		if flags.Changed("ttl") {
			req.Ttl = durationpb.New(ttl)
		}
		lease, err := renew(cmd.Context(), to, req)
		if err != nil {
			return err
		}
		return out.print(cmd, view{value: lease, table: func(s *screen) error {
			return s.printf("%s runs out in %s unless renewed\n", plain(lease.GetName()), lease.GetTtl().AsDuration())
		}})
	})
	return cmd
}

func renew(ctx context.Context, to *server, req *lockdv1.RenewRequest) (*lockdv1.Lease, error) {
	if err := checkText("name", req.GetName()); err != nil {
		return nil, err
	}
	var resp *lockdv1.RenewResponse
	_, err := to.ask(ctx, func(ctx context.Context, conn grpc.ClientConnInterface, opts ...grpc.CallOption) (err error) {
		resp, err = lockdv1.NewLeaseServiceClient(conn).Renew(ctx, req, opts...)
		return err
	})
	return resp.GetLease(), err
}
