package main

import (
	"context"
	"encoding/json"
	"errors"
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
how long the name stays closed after a lease that ran out or was ended by force: nobody has it.

Filters add up. --waiting and --sort waiters look at each lease that the other filters leave, a request each, and show
how many wait for it.`

func newList(to *server) *cobra.Command {
	var out output
	var f filter
	cmd := &cobra.Command{
		Use:     "ls [PREFIX]",
		Aliases: []string{"list"},
		Short:   "List the leases in force",
		Long:    listHelp,
		Example: `  lockctl ls
  lockctl ls orders -o json
  lockctl ls --older-than 1h --waiting --sort waiters`,
		Args: cobra.MaximumNArgs(1),
	}
	f.register(cmd)
	out.register(cmd, asTable, asJSON, asLines, asYAML)
	out.registerHeaders(cmd)
	cmd.RunE = action(func(cmd *cobra.Command, args []string) error {
		prefix, err := prefixOf(args)
		if err := errors.Join(err, f.check()); err != nil {
			return err
		}
		caller, err := to.connect(cmd.Context())
		if err != nil {
			return err
		}
		defer caller.close()
		leases, _, err := caller.list(prefix, 0)
		if err != nil {
			return err
		}
		now := time.Now()
		shown, err := f.apply(caller, leases, now)
		if err != nil {
			return err
		}
		return out.print(cmd, leasesView(shown, f.waits(), now))
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
// hands meanwhile: the later one counts. With most of more than 0 it ends with the page on which there are as many, and more
// says whether others would follow.
func (c *caller) list(prefix string, most int) (leases []*lockdv1.Lease, more bool, err error) {
	latest := make(map[string]*lockdv1.Lease)
	req := &lockdv1.ListRequest{Prefix: prefix, PageSize: listPage}
	for more = true; more && (most <= 0 || len(latest) < most); more = req.PageToken != "" {
		var page *lockdv1.ListResponse
		_, err := c.ask(func(ctx context.Context, conn grpc.ClientConnInterface, opts ...grpc.CallOption) (err error) {
			page, err = lockdv1.NewLeaseServiceClient(conn).List(ctx, req, opts...)
			return err
		})
		if err != nil {
			return nil, false, err
		}
		for _, lease := range page.GetLeases() {
			if seen := latest[lease.GetName()]; lease.GetToken() >= seen.GetToken() {
				latest[lease.GetName()] = lease
			}
		}
		req.PageToken = page.GetNextPageToken()
	}
	return slices.Collect(maps.Values(latest)), more, nil
}

// leasesView has a lease on each line, with how many wait for it if that has been looked at.
func leasesView(all []inForce, waits bool, now time.Time) view {
	lines := make([]any, len(all))
	for i, l := range all {
		lines[i] = l.lease
		if waits {
			lines[i] = counted(l)
		}
	}
	return view{
		value: map[string]any{"leases": marshalers(all, waits)},
		lines: lines,
		table: func(s *screen) error { return s.table(leaseTable(all, waits, now)) },
	}
}

// marshalers are leases as a JSON array has them; never nil, which would be null there.
func marshalers(all []inForce, waits bool) []json.Marshaler {
	out := make([]json.Marshaler, len(all))
	for i, l := range all {
		out[i] = marshaler{l.lease}
		if waits {
			out[i] = counted(l)
		}
	}
	return out
}

// leaseTable is leases for people.
func leaseTable(all []inForce, waits bool, now time.Time) ([]column, [][]cell) {
	titles := []column{{title: "NAME"}, {title: "TOKEN"}, {title: "SINCE"}, {title: "LEFT"}, {title: "OWNER", least: leastOwner}}
	if waits {
		titles = slices.Insert(titles, 4, column{title: "WAITERS"})
	}
	rows := make([][]cell, len(all))
	for i, l := range all {
		rows[i] = []cell{{text: plain(l.lease.GetName())}, number(l.lease.GetToken()), moment(l.lease.GetSince(), now), leftCell(l.lease), {text: plain(l.lease.GetOwner())}}
		if waits {
			rows[i] = slices.Insert(rows[i], 4, number(l.waiters))
		}
	}
	return titles, rows
}
