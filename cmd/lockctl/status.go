package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

const statusHelp = `Status shows the server that answers, its store and the store's nodes, as last checked. It ends with 0
also when no leases are granted: what matters to a script is in -o json.`

func newStatus(to *server) *cobra.Command {
	var out output
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the server and its store",
		Long:  statusHelp,
		Example: `  lockctl status
  lockctl status -o json | jq .store.grants`,
		Args: cobra.NoArgs,
	}
	out.register(cmd, asTable, asJSON, asLines, asYAML)
	cmd.RunE = action(func(cmd *cobra.Command, _ []string) error {
		var resp *lockdv1.StatusResponse
		_, err := to.ask(cmd.Context(), func(ctx context.Context, conn grpc.ClientConnInterface, opts ...grpc.CallOption) (err error) {
			resp, err = lockdv1.NewAdminServiceClient(conn).Status(ctx, &lockdv1.StatusRequest{}, opts...)
			return err
		})
		if err != nil {
			return err
		}
		return out.print(cmd, view{value: resp, table: func(s *screen) error { return s.pairs(statusRows(to.target, resp)) }})
	})
	return cmd
}

func statusRows(target string, resp *lockdv1.StatusResponse) [][2]cell {
	store := resp.GetStore()
	grants := cell{text: plain(store.GetKind()) + ", grants leases", style: good}
	if !store.GetGrants() {
		grants = cell{text: plain(store.GetKind()) + ", GRANTS NO LEASES: " + plain(store.GetRefusal()), style: bad}
	}
	rows := [][2]cell{
		{{text: "server"}, {text: fmt.Sprintf("%s, lockd %s", target, plain(resp.GetVersion()))}},
		{{text: "instance"}, {text: fmt.Sprintf("%s, since %s", plain(resp.GetInstance()), resp.GetStarted().AsTime().Format(time.RFC3339))}},
		{{text: "store"}, grants},
	}
	for _, warning := range store.GetWarnings() {
		rows = append(rows, [2]cell{{text: "warning"}, {text: plain(warning), style: warned}})
	}
	for _, node := range store.GetNodes() {
		line := cell{text: nodeLine(node)}
		switch {
		case !node.GetReachable():
			line.style = bad
		case node.GetOut() != "":
			line.style = warned
		}
		rows = append(rows, [2]cell{{text: "node"}, line})
	}
	if n := store.GetPendingCleanups(); n != 0 {
		rows = append(rows, [2]cell{{text: "pending"}, {text: fmt.Sprintf("%d acquisitions given up and releases are being made sure of", n)}})
	}
	if n := store.GetDesynchronised(); n != 0 {
		rows = append(rows, [2]cell{{text: "answers"}, {text: fmt.Sprintf("%d belonged to another call", n)}})
	}
	return rows
}

// nodeLine says about a node what was found out about it.
func nodeLine(node *lockdv1.NodeStatus) string {
	if !node.GetReachable() {
		return fmt.Sprintf("%s, UNREACHABLE: %s", plain(node.GetAddress()), plain(node.GetError()))
	}
	parts := []string{plain(node.GetAddress()), "version " + plain(node.GetVersion()), plain(node.GetRole())}
	if skew := node.GetClockSkew(); skew != nil {
		parts = append(parts, "clock "+signed(skew.AsDuration()))
	}
	parts = append(parts, "persistence "+plain(node.GetPersistence()), "eviction "+plain(node.GetEviction()))
	if problem := node.GetError(); problem != "" {
		parts = append(parts, plain(problem))
	}
	if why := node.GetOut(); why != "" {
		does := "does not vote"
		if until := node.GetOutUntil(); until != nil {
			does += " before " + until.AsTime().Format(time.RFC3339)
		}
		parts = append(parts, does+": "+plain(why))
	}
	return strings.Join(parts, ", ")
}

func signed(d time.Duration) string {
	if d >= 0 {
		return "+" + d.String()
	}
	return d.String()
}
