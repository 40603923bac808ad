package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

const statusHelp = `Status shows the server that answers, its store and the store's nodes, as last checked, how many leases are held, and
those that have been held for longest, with how many wait for each. Of many leases it reads the first 5000; where you may not
read any it leaves them out. It ends with 0 also when no leases are granted: what matters to a script is in -o json.`

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
		caller, err := to.connect(cmd.Context())
		if err != nil {
			return err
		}
		defer caller.close()
		is := overall{}
		if is.status, err = caller.status(); err != nil {
			return err
		}
		if err := is.look(caller); err != nil {
			return err
		}
		return out.print(cmd, view{value: is, table: func(s *screen) error { return is.show(s, to.target, time.Now()) }})
	})
	return cmd
}

// overall is what a server says of itself, and what is held.
type overall struct {
	status  *lockdv1.StatusResponse
	read    bool // leases may be read by the caller
	count   int
	more    bool      // than counted
	longest []inForce // held, the oldest first
}

// longestShown is how many of the oldest leases are shown.
const longestShown = 5

// look reads what is held, as far as the caller may, and as far as the store answers: that it does not is shown already.
func (o *overall) look(c *caller) error {
	if o.status.GetStore().GetRefusal() != "" {
		each := *c
		each.unavailableFor = lookWithin
		c = &each
	}
	leases, more, err := c.list("", topMost)
	var all []inForce
	for _, l := range leases {
		if l.GetClosedFor() == nil { // otherwise nobody has it
			all = append(all, inForce{lease: l})
		}
	}
	sortLeases(all, "since")
	longest := all[:min(longestShown, len(all))]
	if err == nil {
		err = c.countWaiters(longest)
	}
	if endsWith(err, exitDenied) || endsWith(err, exitUnavailable) {
		return nil
	}
	o.read, o.count, o.more, o.longest = err == nil, len(all), more, longest
	return err
}

// show is one screen.
func (o *overall) show(s *screen, target string, now time.Time) error {
	rows := statusRows(target, o.status)
	if o.read {
		text := fmt.Sprintf("%d held", o.count)
		if o.more {
			text = "more than " + text
		}
		rows = append(rows, [2]cell{{text: "leases"}, {text: text}})
	}
	if err := s.pairs(rows); err != nil || len(o.longest) == 0 {
		return err
	}
	if err := s.printf("\nheld for longest:\n"); err != nil {
		return err
	}
	return s.table(topTable(o.longest, now))
}

// MarshalJSON implements json.Marshaler: the server's answer, and then what is held.
func (o overall) MarshalJSON() ([]byte, error) {
	text, err := compactJSON(o.status)
	if err != nil || !o.read {
		return text, err
	}
	longest, err := json.Marshal(marshalers(o.longest, true))
	return fmt.Appendf(text[:len(text)-1], `,"leaseCount":"%d","moreLeases":%t,"longest":%s}`, o.count, o.more, longest), err
}

// status asks for the server's and its store's.
func (c *caller) status() (resp *lockdv1.StatusResponse, err error) {
	_, err = c.ask(func(ctx context.Context, conn grpc.ClientConnInterface, opts ...grpc.CallOption) (err error) {
		resp, err = lockdv1.NewAdminServiceClient(conn).Status(ctx, &lockdv1.StatusRequest{}, opts...)
		return err
	})
	return resp, err
}

func statusRows(target string, resp *lockdv1.StatusResponse) [][2]cell {
	store := resp.GetStore()
	rows := [][2]cell{
		{{text: "server"}, {text: fmt.Sprintf("%s, lockd %s", target, plain(resp.GetVersion()))}},
		{{text: "instance"}, {text: fmt.Sprintf("%s, since %s", plain(resp.GetInstance()), resp.GetStarted().AsTime().Format(time.RFC3339))}},
		{{text: "store"}, grantsCell(store)},
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

// grantsCell says whether leases can be had.
func grantsCell(store *lockdv1.StoreStatus) cell {
	if !store.GetGrants() {
		return cell{text: plain(store.GetKind()) + ", GRANTS NO LEASES: " + plain(store.GetRefusal()), style: bad}
	}
	return cell{text: plain(store.GetKind()) + ", grants leases", style: good}
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
