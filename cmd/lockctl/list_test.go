package main

import (
	"context"
	"fmt"
	"strings"
	"testing"

	lockd "github.com/lockd/lockd/clients/go"
	"github.com/lockd/lockd/clients/go/lockdtest"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

func TestListReadsEveryPage(t *testing.T) {
	t.Parallel()
	server := lockdtest.Start(t)
	client := server.Client(t)
	const leases = 2*listPage + 1
	for i := range leases {
		if _, err := client.Acquire(t.Context(), fmt.Sprintf("n/%04d", leases-i), lockd.WithoutKeepalive()); err != nil {
			t.Fatal(err)
		}
	}
	code, out, text := here(t, server.Addr(), "ls", "n", "-o", "jsonl")
	if code != exitOK {
		t.Fatalf("lockctl ls: %d, %s", code, text)
	}
	n := 0
	for line := range strings.Lines(out) {
		n++
		if want := fmt.Sprintf(`{"name":"n/%04d",`, n); !strings.HasPrefix(line, want) {
			t.Fatalf("line %d = %s, want %s…", n, line, want)
		}
	}
	if n != leases {
		t.Errorf("lockctl ls prints %d leases, want %d", n, leases)
	}
}

// pages serves List from a script: a page for each token.
type pages struct {
	lockdv1.UnimplementedLeaseServiceServer
	byToken map[string]*lockdv1.ListResponse
}

func (p *pages) List(_ context.Context, req *lockdv1.ListRequest) (*lockdv1.ListResponse, error) {
	return p.byToken[req.GetPageToken()], nil
}

// Pages may be empty, overlap, and see a name before and after it changed hands.
func TestListShowsANameOnce(t *testing.T) {
	t.Parallel()
	lease := func(name string, token int64) *lockdv1.Lease { return &lockdv1.Lease{Name: name, Token: token} }
	addr := serve(t, &pages{byToken: map[string]*lockdv1.ListResponse{
		"":  {Leases: []*lockdv1.Lease{lease("b", 5), lease("a", 1)}, NextPageToken: "2"},
		"2": {NextPageToken: "3"},
		"3": {Leases: []*lockdv1.Lease{lease("b", 4), lease("a", 1), lease("c", 2)}, NextPageToken: "4"},
		"4": {Leases: []*lockdv1.Lease{lease("c", 3)}},
	}})
	_, out, _ := here(t, addr, "ls")
	var got []string
	for line := range strings.Lines(out) {
		got = append(got, strings.Join(strings.Fields(line)[:2], " "))
	}
	if want := "NAME TOKEN, a 1, b 5, c 3"; strings.Join(got, ", ") != want {
		t.Errorf("lockctl ls prints %q, want %q", got, want)
	}
}
