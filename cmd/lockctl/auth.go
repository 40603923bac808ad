package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

func newAuth(to *server) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "auth COMMAND",
		Short: "Ask who you are to lockd, and what you may do",
		Long: `Auth asks lockd who it takes you for, by your certificate (--cert, --key) or token (--token-file), and what its policy
allows you.`,
		Example: `  lockctl auth can-i acquire team-a/x`,
	}
	onlyCommands(cmd)
	cmd.AddCommand(newCanI(to))
	return cmd
}

func newCanI(to *server) *cobra.Command {
	var out output
	cmd := &cobra.Command{
		Use:   "can-i VERB [NAME]",
		Short: "Say whether you may do something to a name",
		Long: `Can-i says whether the policy that is in force now lets you do something to NAME, and as whom. VERB is
acquire, read, watch, force or admin; admin is about no name. It ends with 0 if you may and with 77 if not.`,
		Example: `  lockctl auth can-i acquire team-a/x
  lockctl auth can-i force team-a/x -o json | jq .allowed`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 || len(args) > 2 {
				return fmt.Errorf("want VERB and NAME, got %d arguments", len(args))
			}
			return nil
		},
	}
	out.register(cmd, asTable, asJSON, asLines, asYAML)
	cmd.RunE = action(func(cmd *cobra.Command, args []string) error {
		req := &lockdv1.CanIRequest{Verb: args[0]}
		if len(args) > 1 {
			req.Name = args[1]
		}
		var resp *lockdv1.CanIResponse
		_, err := to.ask(cmd.Context(), func(ctx context.Context, conn grpc.ClientConnInterface, opts ...grpc.CallOption) (err error) {
			resp, err = lockdv1.NewAuthServiceClient(conn).CanI(ctx, req, opts...)
			return err
		})
		if err != nil {
			return err
		}
		err = out.print(cmd, view{value: resp, table: func(s *screen) error {
			answer := cell{text: "no", style: bad}
			if resp.GetAllowed() {
				answer = cell{text: "yes", style: good}
			}
			who := resp.GetPrincipal()
			if who == "" {
				who = "nobody in particular: this lockd asks nobody"
			}
			return s.pairs([][2]cell{{{text: "allowed"}, answer}, {{text: "you are"}, {text: plain(who)}}})
		}})
		if err == nil && !resp.GetAllowed() {
			return &exitError{code: exitDenied}
		}
		return err
	})
	return cmd
}
