package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// gets answers every Get with the same.
type gets struct {
	lockdv1.UnimplementedLeaseServiceServer
	answer *lockdv1.GetResponse
}

func (g *gets) Get(context.Context, *lockdv1.GetRequest) (*lockdv1.GetResponse, error) {
	return g.answer, nil
}

// List answers the same lease.
func (g *gets) List(context.Context, *lockdv1.ListRequest) (*lockdv1.ListResponse, error) {
	return &lockdv1.ListResponse{Leases: []*lockdv1.Lease{g.answer.GetLease()}}, nil
}

// The line is shown in order, with what is not in the answer counted.
func TestGetShowsTheLine(t *testing.T) {
	t.Parallel()
	at := timestamppb.New(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	answer := &lockdv1.GetResponse{Name: "job", Held: true, WaiterCount: 250, Lease: &lockdv1.Lease{
		Name: "job", Token: 7, Owner: "me", Since: at, Ttl: durationpb.New(time.Minute), TtlLeft: durationpb.New(59 * time.Second),
	}}
	for i := range int64(100) {
		answer.Waiters = append(answer.Waiters, &lockdv1.Waiter{Owner: fmt.Sprintf("you\t%d", i+1), Since: at, Ticket: 1000 + i, Place: i + 1})
	}
	addr := serve(t, &gets{answer: answer})
	code, out, text := here(t, addr, "get", "job")
	head := `name   job
owner  me
token  7
since  2026-01-02T03:04:05Z
ttl    1m0s
left   59s

250 in line:
PLACE  TICKET  SINCE                 OWNER
1      1000    2026-01-02T03:04:05Z  "you\t1"
2      1001    2026-01-02T03:04:05Z  "you\t2"
`
	tail := `
100    1099    2026-01-02T03:04:05Z  "you\t100"
and 150 more
`
	if code != exitOK || !strings.HasPrefix(out, head) || !strings.HasSuffix(out, tail) {
		t.Errorf("lockctl get: %d, %s%s, want %s…%s", code, text, out, head, tail)
	}
	if _, out, _ := here(t, addr, "get", "job", "-o", "jsonl"); !strings.HasSuffix(out, `"ticket":"1099","place":"100"}],"waiterCount":"250","nodes":0,"ofNodes":0}`+"\n") {
		t.Errorf("lockctl get -o jsonl: %s, want the whole line and the count", out)
	}
}

// How much is left of a longest hold is shown where there is one, and nowhere else.
func TestGetShowsWhenTheHoldEnds(t *testing.T) {
	t.Parallel()
	at := timestamppb.New(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	l := &lockdv1.Lease{
		Name: "job", Token: 7, Owner: "me", Since: at, Ttl: durationpb.New(time.Minute), TtlLeft: durationpb.New(59 * time.Second),
		MaxHold: durationpb.New(time.Hour),
	}
	addr := serve(t, &gets{answer: &lockdv1.GetResponse{Name: "job", Held: true, Lease: l}})
	for left, want := range map[time.Duration]string{
		12*time.Minute + 3500*time.Millisecond: "hold   12m3s left of 1h0m0s\n",
		0:                                      "hold   the longest, 1h0m0s, is over\n",
	} {
		l.HoldEndsIn = durationpb.New(left)
		if code, out, text := here(t, addr, "get", "job"); code != exitOK || !strings.HasSuffix(out, want) {
			t.Errorf("lockctl get: %d, %s%s, want …%s", code, text, out, want)
		}
	}
	if _, out, _ := here(t, addr, "get", "job", "-o", "jsonl"); !strings.Contains(out, `"maxHold":"3600s","holdEndsIn":"0s"`) {
		t.Errorf("lockctl get -o jsonl: %s, want the hold", out)
	}
}

// On how many nodes of a quorum a lease stands is shown where a quorum keeps it, and nowhere else.
func TestGetShowsOnHowManyNodesALeaseStands(t *testing.T) {
	t.Parallel()
	at := timestamppb.New(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	answer := &lockdv1.GetResponse{Name: "job", Held: true, Nodes: 4, OfNodes: 5, Lease: &lockdv1.Lease{
		Name: "job", Token: 7, Owner: "me", Since: at, Ttl: durationpb.New(time.Minute), TtlLeft: durationpb.New(59 * time.Second),
	}}
	addr := serve(t, &gets{answer: answer})
	for format, want := range map[string]string{
		"table": "left   59s\nnodes  4 of 5\n",
		"jsonl": `"nodes":4,"ofNodes":5}` + "\n",
		"yaml":  "nodes: 4\nofNodes: 5\n",
	} {
		if code, out, text := here(t, addr, "get", "job", "-o", format); code != exitOK || !strings.HasSuffix(out, want) {
			t.Errorf("lockctl get -o %s: %d, %s%s, want …%s", format, code, text, out, want)
		}
	}
	addr = serve(t, &gets{answer: &lockdv1.GetResponse{Name: "job", Held: true, Lease: answer.GetLease()}})
	if _, out, _ := here(t, addr, "get", "job"); strings.Contains(out, "nodes") {
		t.Errorf("lockctl get where no quorum keeps leases: %s, want nothing about nodes", out)
	}
}

// A closed name is not free: get and ls show for how long it is closed, and whose lease that was.
func TestGetAndListShowAClosedName(t *testing.T) {
	t.Parallel()
	lost := &lockdv1.Lease{
		Name: "job", Token: 7, Owner: "me", Since: timestamppb.New(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)),
		Ttl: durationpb.New(time.Minute), TtlLeft: durationpb.New(0), ClosedFor: durationpb.New(12 * time.Second),
	}
	addr := serve(t, &gets{answer: &lockdv1.GetResponse{Name: "job", Lease: lost}})
	want := `job is closed for 12s after an unclean loss; it was held by
name   job
owner  me
token  7
since  2026-01-02T03:04:05Z
ttl    1m0s
left   closed 12s
`
	if code, out, text := here(t, addr, "get", "job"); code != exitOK || out != want {
		t.Errorf("lockctl get: %d, %s%s, want %s", code, text, out, want)
	}
	if _, out, _ := here(t, addr, "get", "job", "-o", "jsonl"); !strings.Contains(out, `"held":false`) || !strings.Contains(out, `"closedFor":"12s"`) {
		t.Errorf("lockctl get -o jsonl: %s, want nobody to hold it, and closedFor", out)
	}
	if _, out, _ := here(t, addr, "ls"); !strings.Contains(out, "closed 12s") {
		t.Errorf("lockctl ls: %s, want it closed for 12s", out)
	}
}
