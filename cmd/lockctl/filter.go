package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// inForce is a lease as ls shows it.
type inForce struct {
	lease   *lockdv1.Lease
	waiters int64 // in line for it; not looked at unless filter.waits
}

// filter says which leases ls shows, and in which order.
type filter struct {
	owner          string
	olderThan      time.Duration
	expiringWithin time.Duration
	waiting        bool
	sort           string
}

// orders are the values of --sort. Each puts first what an operator looks for; names decide what is equal.
var orders = map[string]func(a, b inForce) int{
	"name":    func(a, b inForce) int { return 0 },
	"since":   func(a, b inForce) int { return a.lease.GetSince().AsTime().Compare(b.lease.GetSince().AsTime()) },
	"left":    func(a, b inForce) int { return cmp.Compare(a.left(), b.left()) },
	"owner":   func(a, b inForce) int { return strings.Compare(a.lease.GetOwner(), b.lease.GetOwner()) },
	"waiters": func(a, b inForce) int { return cmp.Compare(b.waiters, a.waiters) },
}

// orderNames are those in the order in which help has them.
var orderNames = []string{"name", "since", "left", "owner", "waiters"}

func (f *filter) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.owner, "owner", "", "only leases whose owner, or principal, contains `TEXT`")
	durationVar(flags, &f.olderThan, "older-than", "", 0, "only leases that have been held for longer, by this machine's clock")
	durationVar(flags, &f.expiringWithin, "expiring-within", "", 0, "only leases that run out within that, unless they are renewed")
	flags.BoolVar(&f.waiting, "waiting", false, "only leases that somebody waits for, with how many do")
	flags.StringVar(&f.sort, "sort", "name", "order: "+strings.Join(orderNames, ", ")+": the oldest, the first to run out, the longest line come first")
	// It fails only for a flag that does not exist.
	_ = cmd.RegisterFlagCompletionFunc("sort", cobra.FixedCompletions(orderNames, cobra.ShellCompDirectiveNoFileComp))
}

func (f *filter) check() error {
	switch {
	case f.olderThan < 0:
		return usagef("--older-than is %s; want 0 or more", f.olderThan)
	case f.expiringWithin < 0:
		return usagef("--expiring-within is %s; want 0 or more", f.expiringWithin)
	case orders[f.sort] == nil:
		return usagef("--sort is %q; want one of %s%s", f.sort, strings.Join(orderNames, ", "), meant(f.sort, orderNames))
	}
	return nil
}

// waits reports whether lines have to be looked at.
func (f *filter) waits() bool { return f.waiting || f.sort == "waiters" }

// selects reports whether a lease is shown, but for its line.
func (f *filter) selects(l *lockdv1.Lease, now time.Time) bool {
	return (strings.Contains(l.GetOwner(), f.owner) || strings.Contains(l.GetPrincipal(), f.owner)) &&
		(f.olderThan == 0 || now.Sub(l.GetSince().AsTime()) > f.olderThan) &&
		(f.expiringWithin == 0 || l.GetClosedFor() == nil && l.GetTtlLeft().AsDuration() <= f.expiringWithin)
}

// apply answers what is shown of leases, in order.
func (f *filter) apply(c *caller, leases []*lockdv1.Lease, now time.Time) ([]inForce, error) {
	var shown []inForce
	for _, l := range leases {
		if f.selects(l, now) {
			shown = append(shown, inForce{lease: l})
		}
	}
	if f.waits() {
		if err := c.countWaiters(shown); err != nil {
			return nil, err
		}
	}
	if f.waiting {
		shown = slices.DeleteFunc(shown, func(l inForce) bool { return l.waiters == 0 })
	}
	sortLeases(shown, f.sort)
	return shown, nil
}

// sortLeases puts leases in one of the orders.
func sortLeases(all []inForce, order string) {
	slices.SortFunc(all, func(a, b inForce) int {
		return cmp.Or(orders[order](a, b), strings.Compare(a.lease.GetName(), b.lease.GetName()))
	})
}

// left is what the holder may still count on.
func (l inForce) left() time.Duration { return l.lease.GetTtlLeft().AsDuration() }

// looksAtOnce is how many lines are looked at at a time.
const looksAtOnce = 16

// countWaiters looks at the line of each, which is one request for each. Whoever has another lease by now is counted too:
// the line is the name's.
func (c *caller) countWaiters(all []inForce) error {
	turns := make(chan int)
	failed := make(chan error, looksAtOnce)
	var looks sync.WaitGroup
	for range min(looksAtOnce, len(all)) {
		looks.Go(func() {
			each := *c // each counts its own tries
			for i := range turns {
				resp, err := each.standing(all[i].lease.GetName())
				if err != nil {
					failed <- err
					return
				}
				all[i].waiters = resp.GetWaiterCount()
			}
		})
	}
	err := func() error {
		defer close(turns)
		for i := range all {
			select {
			case turns <- i:
			case err := <-failed:
				return err
			}
		}
		return nil
	}()
	looks.Wait()
	select {
	case err = <-failed:
	default:
	}
	return err
}

// standing asks who holds a name and who waits for it.
func (c *caller) standing(name string) (resp *lockdv1.GetResponse, err error) {
	_, err = c.ask(func(ctx context.Context, conn grpc.ClientConnInterface, opts ...grpc.CallOption) (err error) {
		resp, err = lockdv1.NewLeaseServiceClient(conn).Get(ctx, &lockdv1.GetRequest{Name: name}, opts...)
		return err
	})
	return resp, err
}

// MarshalJSON implements json.Marshaler: the lease as ever, and the line if that was looked at.
func (l counted) MarshalJSON() ([]byte, error) {
	text, err := compactJSON(l.lease)
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(text[:len(text)-1], `,"waiterCount":"%d"}`, l.waiters), nil
}

// counted is an inForce whose line has been looked at.
type counted inForce
