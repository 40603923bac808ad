package main

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// listPage is how many leases are asked for at once; with all that may be attached to them, 1 MiB at most.
const listPage = 500

const listHelp = `Ls lists the leases in force, by name: all of them, or those on PREFIX and below it ("a/b" selects "a/b"
and "a/b/c", not "a/bc"; "a/b/" is the same).

LEFT is what the holder may still count on; 0s is the grace that follows, in which the name is still taken.`

func newList(to *server) *cobra.Command {
	var output format
	cmd := &cobra.Command{
		Use:     "ls [PREFIX]",
		Aliases: []string{"list"},
		Short:   "List the leases in force",
		Long:    listHelp,
		Example: `  lockctl ls
  lockctl ls orders -o json`,
		Args: cobra.MaximumNArgs(1),
	}
	output.register(cmd, asTable, asJSON, asLines, asYAML)
	cmd.RunE = action(func(cmd *cobra.Command, args []string) error {
		prefix, err := prefixOf(args)
		if err != nil {
			return err
		}
		leases, err := list(cmd.Context(), to, prefix)
		if err != nil {
			return err
		}
		return printLeases(cmd.OutOrStdout(), leases, output.name)
	})
	return cmd
}

// prefixOf is the PREFIX of a command line, "" if there is none.
func prefixOf(args []string) (string, error) {
	if len(args) == 0 {
		return "", nil
	}
	prefix := strings.TrimSuffix(args[0], "/")
	if prefix == "" {
		return "", usagef("PREFIX is %q; want at least one segment, or no PREFIX for all names", args[0])
	}
	return prefix, checkText("prefix", prefix)
}

// list reads all pages. A lease may appear in several, and a name with two of its leases if it changed
// hands meanwhile: the later one counts.
func list(ctx context.Context, to *server, prefix string) ([]*lockdv1.Lease, error) {
	caller, err := to.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer caller.close()
	latest := make(map[string]*lockdv1.Lease)
	req := &lockdv1.ListRequest{Prefix: prefix, PageSize: listPage}
	for more := true; more; more = req.PageToken != "" {
		var page *lockdv1.ListResponse
		_, err := caller.ask(func(ctx context.Context, conn grpc.ClientConnInterface, opts ...grpc.CallOption) (err error) {
			page, err = lockdv1.NewLeaseServiceClient(conn).List(ctx, req, opts...)
			return err
		})
		if err != nil {
			return nil, err
		}
		for _, lease := range page.GetLeases() {
			if seen := latest[lease.GetName()]; lease.GetToken() >= seen.GetToken() {
				latest[lease.GetName()] = lease
			}
		}
		req.PageToken = page.GetNextPageToken()
	}
	leases := slices.Collect(maps.Values(latest))
	slices.SortFunc(leases, func(a, b *lockdv1.Lease) int { return strings.Compare(a.GetName(), b.GetName()) })
	return leases, nil
}

func printLeases(w io.Writer, leases []*lockdv1.Lease, output string) error {
	if output == asTable {
		rows := [][]string{{"NAME", "TOKEN", "SINCE", "LEFT", "OWNER"}}
		for _, l := range leases {
			rows = append(rows, []string{plain(l.GetName()), strconv.FormatInt(l.GetToken(), 10),
				l.GetSince().AsTime().Format(time.RFC3339), rounded(l.GetTtlLeft().AsDuration()), plain(l.GetOwner())})
		}
		return table(w, rows)
	}
	raw := make([]json.RawMessage, 0, len(leases))
	for _, l := range leases {
		text, err := compactJSON(l)
		if err != nil {
			return err
		}
		raw = append(raw, text)
	}
	if output != asLines {
		return printValue(w, map[string]any{"leases": raw}, output)
	}
	for _, line := range raw {
		if err := printValue(w, line, output); err != nil {
			return err
		}
	}
	return nil
}
