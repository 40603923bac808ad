package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

const getHelp = `Get shows who holds NAME: owner, token, since when and for how much longer, and who stands in line for it:
the first 100, in order, and how many there are. Where leases on NAME may be renewed for so long only (max-hold in lockd's
policy), it shows how much is left of that. Where a quorum keeps leases, it also shows on how many of the nodes the
lease stands. Of a name that stays closed after a lease that ran out or was ended by force, it shows for how long, and whose lease
that was. A free name is no error.`

func newGet(to *server) *cobra.Command {
	var out output
	cmd := &cobra.Command{
		Use:   "get NAME",
		Short: "Show who holds a name and who waits for it",
		Long:  getHelp,
		Example: `  lockctl get orders/42
  lockctl get orders/42 -o json | jq -r .lease.token
  lockctl get orders/42 -o json | jq -r '.waiters[].owner'`,
		Args: oneName,
	}
	out.register(cmd, asTable, asJSON, asLines, asYAML)
	out.registerHeaders(cmd)
	cmd.RunE = action(func(cmd *cobra.Command, args []string) error {
		resp, err := get(cmd.Context(), to, args[0])
		if err != nil {
			return err
		}
		return out.print(cmd, view{value: resp, table: func(s *screen) error { return showStanding(s, resp, time.Now()) }})
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

// showStanding shows the holder and, if anybody waits, the line.
func showStanding(s *screen, resp *lockdv1.GetResponse, now time.Time) (err error) {
	closed := resp.GetLease().GetClosedFor().AsDuration()
	switch {
	case resp.GetHeld():
		err = s.pairs(append(leaseRows(resp.GetLease()), nodesRow(resp)...))
	case closed > 0:
		if err = s.printf("%s is closed for %s after an unclean loss; it was held by\n", plain(resp.GetName()), rounded(closed)); err == nil {
			err = s.pairs(leaseRows(resp.GetLease()))
		}
	default:
		err = s.printf("%s is free\n", plain(resp.GetName()))
	}
	if err != nil || resp.GetWaiterCount() == 0 {
		return err
	}
	if err := s.printf("\n%d in line:\n", resp.GetWaiterCount()); err != nil {
		return err
	}
	var rows [][]cell
	for _, waiter := range resp.GetWaiters() {
		rows = append(rows, []cell{number(waiter.GetPlace()), number(waiter.GetTicket()), moment(waiter.GetSince(), now), {text: plain(waiter.GetOwner())}})
	}
	if err := s.table([]column{{title: "PLACE"}, {title: "TICKET"}, {title: "SINCE"}, {title: "OWNER", least: leastOwner}}, rows); err != nil {
		return err
	}
	if more := resp.GetWaiterCount() - int64(len(resp.GetWaiters())); more > 0 {
		err = s.printf("and %d more\n", more)
	}
	return err
}

// nodesRow says on how many nodes of a quorum the lease stands; nothing where no quorum keeps it.
func nodesRow(resp *lockdv1.GetResponse) [][2]cell {
	n, of := resp.GetNodes(), resp.GetOfNodes()
	if of == 0 {
		return nil
	}
	at := cell{text: fmt.Sprintf("%d of %d", n, of)}
	if n <= of/2+1 {
		at.style = warned // one node less, and the lease is lost
	}
	return [][2]cell{{{text: "nodes"}, at}}
}

// leftCell is what is left of a lease, or for how long its name is closed after it.
func leftCell(l *lockdv1.Lease) cell {
	left := l.GetTtlLeft().AsDuration()
	switch closed := l.GetClosedFor().AsDuration(); {
	case closed > 0:
		return cell{text: "closed " + rounded(closed), style: warned}
	case left <= 0:
		return cell{text: rounded(left), style: warned}
	}
	return cell{text: rounded(left)}
}

// holdEnds says when the longest hold of a lease is over: then no renewal keeps it any more.
func holdEnds(longest, left time.Duration) cell {
	if left <= 0 {
		return cell{text: fmt.Sprintf("the longest, %s, is over", longest), style: warned}
	}
	at := cell{text: fmt.Sprintf("%s left of %s", rounded(left), longest)}
	if left <= longest/5 {
		at.style = warned
	}
	return at
}

// leaseRows are a lease, a line for each thing that is known of it.
func leaseRows(l *lockdv1.Lease) [][2]cell {
	rows := [][2]cell{
		{{text: "name"}, {text: plain(l.GetName())}},
		{{text: "owner"}, {text: plain(l.GetOwner())}},
		{{text: "token"}, number(l.GetToken())},
		{{text: "since"}, {text: l.GetSince().AsTime().Format(time.RFC3339)}},
		{{text: "ttl"}, {text: l.GetTtl().AsDuration().String()}},
		{{text: "left"}, leftCell(l)},
	}
	if longest := l.GetMaxHold().AsDuration(); longest > 0 && l.GetClosedFor().AsDuration() == 0 {
		rows = append(rows, [2]cell{{text: "hold"}, holdEnds(longest, l.GetHoldEndsIn().AsDuration())})
	}
	if principal := l.GetPrincipal(); principal != "" {
		rows = append(rows, [2]cell{{text: "principal"}, {text: plain(principal)}})
	}
	if len(l.GetMetadata()) > 0 {
		rows = append(rows, [2]cell{{text: "metadata"}, {text: plainPairs(l.GetMetadata())}})
	}
	return rows
}
