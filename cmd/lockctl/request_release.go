package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

const requestHelp = `Request-release asks the holder of NAME, with exactly this token, as "lockctl get" shows it, to release it, and
shows the lease. The holder hears by whom and why: "lockctl run" sends its command SIGTERM (see --on-request there),
a program finds it in its lease's ReleaseRequested. A holder that has no session with lockd hears nothing, and none
has to follow.

With --force-in D the lease is ended by force after that, if it still stands, as "lockctl force-release" does:
by the lockd that was asked, or, should that one have gone, by any other that has heard of it. Only if all of them have
gone nobody does. lockctl does not wait for it; "lockctl watch" shows it.

It ends with 70 if no lease with this token is in force: that one has ended before, and nobody was asked.`

func newRequestRelease(to *server) *cobra.Command {
	var out output
	var forceIn time.Duration
	req := &lockdv1.RequestReleaseRequest{}
	cmd := &cobra.Command{
		Use:     "request-release NAME --token N --reason TEXT",
		Short:   "Ask somebody else to release",
		Long:    requestHelp,
		Example: `  lockctl request-release orders/42 --token 1763704923123456 --reason "deploy at noon" --force-in 5m`,
		Args:    oneName,
	}
	cmd.Flags().Var((*token)(&req.Token), "token", "the token of the lease to be released (required)")
	cmd.Flags().StringVar(&req.Reason, "reason", "", "why, for the holder and the record: at most 256 bytes (required)")
	cmd.Flags().StringVar(&req.By, "by", "", "who asks, for the holder and the record: at most 256 bytes (default user@host:pid)")
	durationVar(cmd.Flags(), &forceIn, "force-in", "", 0, "end the lease by force after that, if it still stands; at most 1h (default never)")
	out.register(cmd, asTable, asJSON, asLines, asYAML)
	cmd.RunE = action(func(cmd *cobra.Command, args []string) error {
		req.Name = args[0]
		if forceIn < 0 || forceIn > time.Hour {
			return usagef("--force-in is %s; want up to 1h", forceIn)
		}
		if forceIn > 0 {
			req.ForceIn = durationpb.New(forceIn)
		}
		lease, err := requestRelease(cmd.Context(), to, req)
		if err != nil {
			return err
		}
		return out.print(cmd, view{value: lease, table: func(s *screen) error {
			text := "asked to release:\n"
			if forceIn > 0 {
				text = "asked to release, and ended by force in " + forceIn.String() + " otherwise:\n"
			}
			if err := s.printf("%s", text); err != nil {
				return err
			}
			return s.pairs(leaseRows(lease))
		}})
	})
	return cmd
}

func requestRelease(ctx context.Context, to *server, req *lockdv1.RequestReleaseRequest) (*lockdv1.Lease, error) {
	switch {
	case req.GetToken() == 0:
		return nil, usagef("--token is missing; want the token of the lease to be released, as \"lockctl get\" shows it")
	case req.GetReason() == "":
		return nil, usagef("--reason is missing; want why it should be released, in up to 256 bytes")
	}
	if req.By == "" {
		req.By = self()
	}
	if err := errors.Join(checkText("name", req.GetName()), checkText("reason", req.GetReason()), checkText("by", req.GetBy())); err != nil {
		return nil, err
	}
	var resp *lockdv1.RequestReleaseResponse
	_, err := to.ask(ctx, func(ctx context.Context, conn grpc.ClientConnInterface, opts ...grpc.CallOption) (err error) {
		resp, err = lockdv1.NewAdminServiceClient(conn).RequestRelease(ctx, req, opts...)
		return err
	})
	return resp.GetLease(), err
}
