package main

import (
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// Of a node of a quorum that does not count it is said why, and until when.
func TestANodeThatDoesNotVoteSaysWhy(t *testing.T) {
	node := &lockdv1.NodeStatus{Address: "a:1", Reachable: true, Version: "7.0.15", Role: "master", Persistence: "none", Eviction: "noeviction", Out: "its fence is gone"}
	const is = "a:1, version 7.0.15, master, persistence none, eviction noeviction, "
	if got, want := nodeLine(node), is+"does not vote: its fence is gone"; got != want {
		t.Errorf("nodeLine = %q, want %q", got, want)
	}
	node.OutUntil = timestamppb.New(time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC))
	if got, want := nodeLine(node), is+"does not vote before 2026-11-21T12:00:00Z: its fence is gone"; got != want {
		t.Errorf("nodeLine = %q, want %q", got, want)
	}
}
