package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

const getHelp = `Get shows who holds NAME: owner, token, since when and for how much longer, and who stands in line for it:
the first 100, in order, and how many there are. A free name is no error.`

func newGet(to *server) *cobra.Command {
	var output format
	cmd := &cobra.Command{
		Use:   "get NAME",
		Short: "Show who holds a name and who waits for it",
		Long:  getHelp,
		Example: `  lockctl get orders/42
  lockctl get orders/42 -o json | jq -r .lease.token
  lockctl get orders/42 -o json | jq -r '.waiters[].owner'`,
		Args: oneName,
	}
	output.register(cmd, asTable, asJSON, asLines, asYAML)
	cmd.RunE = action(func(cmd *cobra.Command, args []string) error {
		resp, err := get(cmd.Context(), to, args[0])
		if err != nil {
			return err
		}
		if output.name != asTable {
			return printMessage(cmd.OutOrStdout(), resp, output.name)
		}
		return printStanding(cmd.OutOrStdout(), resp)
	})
	return cmd
}

func get(ctx context.Context, to *server, name string) (*lockdv1.GetResponse, error) {
	if err := checkText("name", name); err != nil {
		return nil, err
	}
	var resp *lockdv1.GetResponse
	_, err := to.ask(ctx, func(ctx context.Context, conn grpc.ClientConnInterface, opts ...grpc.CallOption) (err error) {
		resp, err = lockdv1.NewLeaseServiceClient(conn).Get(ctx, &lockdv1.GetRequest{Name: name}, opts...)
		return err
	})
	return resp, err
}

// printStanding prints the holder and, if anybody waits, the line.
func printStanding(w io.Writer, resp *lockdv1.GetResponse) (err error) {
	if resp.GetHeld() {
		err = printLease(w, resp.GetLease())
	} else {
		_, err = fmt.Fprintf(w, "%s is free\n", plain(resp.GetName()))
	}
	if err != nil || resp.GetWaiterCount() == 0 {
		return err
	}
	if _, err := fmt.Fprintf(w, "\n%d in line:\n", resp.GetWaiterCount()); err != nil {
		return err
	}
	rows := [][]string{{"PLACE", "TICKET", "SINCE", "OWNER"}}
	for _, waiter := range resp.GetWaiters() {
		rows = append(rows, []string{strconv.FormatInt(waiter.GetPlace(), 10), strconv.FormatInt(waiter.GetTicket(), 10),
			waiter.GetSince().AsTime().Format(time.RFC3339), plain(waiter.GetOwner())})
	}
	if err := table(w, rows); err != nil {
		return err
	}
	if more := resp.GetWaiterCount() - int64(len(resp.GetWaiters())); more > 0 {
		_, err = fmt.Fprintf(w, "and %d more\n", more)
	}
	return err
}

// printLease prints one lease, a line for each thing that is known of it.
func printLease(w io.Writer, l *lockdv1.Lease) error {
	rows := [][]string{
		{"name", plain(l.GetName())},
		{"owner", plain(l.GetOwner())},
		{"token", strconv.FormatInt(l.GetToken(), 10)},
		{"since", l.GetSince().AsTime().Format(time.RFC3339)},
		{"ttl", l.GetTtl().AsDuration().String()},
		{"left", rounded(l.GetTtlLeft().AsDuration())},
	}
	if principal := l.GetPrincipal(); principal != "" {
		rows = append(rows, []string{"principal", plain(principal)})
	}
	if len(l.GetMetadata()) > 0 {
		rows = append(rows, []string{"metadata", plainPairs(l.GetMetadata())})
	}
	return table(w, rows)
}
