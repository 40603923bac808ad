package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

const forceHelp = `Force-release ends the lease that holds NAME with exactly this token, as "lockctl get" shows it, and shows
what it ended. It can never break the next holder: that has another token.

Without --token it shows what it would end, who holds NAME, since when, and who waits for it, asks on the terminal whether to,
and then compares the token that it has shown. With --yes it does not ask. Without a terminal it ends nothing unless
there is --token, or --yes: nobody has seen what would be ended.

The holder is told at once, by whom and why, or learns of it at its next renewal; until then, and if it does
not look, it goes on. Only what refuses its token is protected from that.

It ends with 70 if no lease with this token is in force: that one has ended before, and nothing was changed.`

func newForceRelease(to *server) *cobra.Command {
	var out output
	var yes bool
	req := &lockdv1.ForceReleaseRequest{}
	cmd := &cobra.Command{
		Use:   "force-release NAME [--token N] --reason TEXT",
		Short: "End somebody else's lease",
		Long:  forceHelp,
		Example: `  lockctl force-release orders/42 --reason "host is gone, see ticket 812"
  lockctl force-release orders/42 --token 1763704923123456 --reason "host is gone, see ticket 812"`,
		Args: oneName,
	}
	cmd.Flags().Var((*token)(&req.Token), "token", "the token of the lease to end: nothing is asked, the token says what was meant")
	cmd.Flags().BoolVar(&yes, "yes", false, "without --token: end whatever lease holds NAME, and do not ask")
	cmd.Flags().StringVar(&req.Reason, "reason", "", "why, for the holder and the record: at most 256 bytes (required)")
	cmd.Flags().StringVar(&req.By, "by", "", "who ends it, for the holder and the record: at most 256 bytes (default user@host:pid)")
	out.register(cmd, asTable, asJSON, asLines, asYAML)
	cmd.RunE = action(func(cmd *cobra.Command, args []string) error {
		req.Name = args[0]
		if err := checkForce(req); err != nil {
			return err
		}
		if given := cmd.Flags().Changed("token"); given && req.GetToken() == 0 {
			return usagef("--token is 0; want the token of the lease to end, as \"lockctl get\" shows it")
		} else if !given {
			if err := confirm(cmd, to, req, yes, out.name); err != nil {
				return err
			}
		}
		lease, err := forceRelease(cmd.Context(), to, req)
		if err != nil {
			return err
		}
		return out.print(cmd, view{value: lease, table: func(s *screen) error {
			if err := s.printf("ended by force:\n"); err != nil {
				return err
			}
			return s.pairs(leaseRows(lease))
		}})
	})
	return cmd
}

// checkForce refuses what no server needs to be asked about.
func checkForce(req *lockdv1.ForceReleaseRequest) error {
	if req.GetReason() == "" {
		return usagef("--reason is missing; want why the lease is ended, in up to 256 bytes")
	}
	if req.By == "" {
		req.By = self()
	}
	return errors.Join(checkText("name", req.GetName()), checkText("reason", req.GetReason()), checkText("by", req.GetBy()))
}

func forceRelease(ctx context.Context, to *server, req *lockdv1.ForceReleaseRequest) (*lockdv1.Lease, error) {
	var resp *lockdv1.ForceReleaseResponse
	asked, err := to.ask(ctx, func(ctx context.Context, conn grpc.ClientConnInterface, opts ...grpc.CallOption) (err error) {
		resp, err = lockdv1.NewAdminServiceClient(conn).ForceRelease(ctx, req, opts...)
		return err
	})
	if err != nil && asked > 1 {
		code, text := explain(err)
		return nil, exitWith(code, "%s (asked %d times: an earlier request may have ended it)", text, asked)
	}
	return resp.GetLease(), err
}

// self is lockctl, in the form of a client's default owner.
func self() string { return runBy(os.Getpid()) }

// runBy is the process pid, in that form.
func runBy(pid int) string {
	name := fmt.Sprint(os.Getuid())
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	host, _ := os.Hostname() // "" is as good as any name for a host that has none
	return strings.ToValidUTF8(fmt.Sprintf("%s@%s:%d", name, host, pid), "?")
}
