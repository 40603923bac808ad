package main

import (
	"context"
	"maps"
	"slices"
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

LEFT is what the holder may still count on; 0s is the grace that follows, in which the name is still taken. "closed 12s" is for
how long the name stays closed after a lease that ran out or was ended by force: nobody has it.`

func newList(to *server) *cobra.Command {
	var out output
	cmd := &cobra.Command{
		Use:     "ls [PREFIX]",
		Aliases: []string{"list"},
		Short:   "List the leases in force",
		Long:    listHelp,
		Example: `  lockctl ls
  lockctl ls orders -o json`,
		Args: cobra.MaximumNArgs(1),
	}
	out.register(cmd, asTable, asJSON, asLines, asYAML)
	out.registerHeaders(cmd)
	cmd.RunE = action(func(cmd *cobra.Command, args []string) error {
		prefix, err := prefixOf(args)
		if err != nil {
			return err
		}
		leases, err := list(cmd.Context(), to, prefix)
		if err != nil {
			return err
		}
		return out.print(cmd, leasesView(leases, time.Now()))
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

// leasesView has a lease on each line.
func leasesView(leases []*lockdv1.Lease, now time.Time) view {
	lines := make([]any, len(leases))
	for i, l := range leases {
		lines[i] = l
	}
	return view{
		value: map[string]any{"leases": raw(leases)},
		lines: lines,
		table: func(s *screen) error {
			rows := make([][]cell, len(leases))
			for i, l := range leases {
				left := leftCell(l)
				rows[i] = []cell{{text: plain(l.GetName())}, number(l.GetToken()), moment(l.GetSince(), now), left, {text: plain(l.GetOwner())}}
			}
			return s.table([]column{{title: "NAME"}, {title: "TOKEN"}, {title: "SINCE"}, {title: "LEFT"}, {title: "OWNER", least: leastOwner}}, rows)
		},
	}
}
