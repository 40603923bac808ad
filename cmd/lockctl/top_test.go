package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// Whatever names and owners are, the screen is no wider and no higher than the terminal, and who waits is shown.
func TestTopFitsTheScreen(t *testing.T) {
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	m := &topScreen{caller: &caller{server: server{target: strings.Repeat("lockd.example.org:7420,", 9)}}, columns: 80, lines: 24, err: errors.New(strings.Repeat("no ", 99))}
	m.last = seen{at: now, more: true, waiters: map[string]int64{"n/00": 3}, status: &lockdv1.StatusResponse{Store: &lockdv1.StoreStatus{Kind: "redis", Refusal: strings.Repeat("x ", 99)}}}
	for i := range 50 {
		m.last.leases = append(m.last.leases, inForce{lease: &lockdv1.Lease{
			Name: fmt.Sprintf("n/%02d", i) + strings.Repeat("/long", i), Owner: strings.Repeat("owner@", i), Token: int64(i + 1),
			Since: timestamppb.New(now.Add(-time.Hour + time.Duration(i)*time.Second)), TtlLeft: durationpb.New(29 * time.Second),
		}})
	}
	text := on(t, 80, func(s *screen) error { m.show(s, now); return nil })
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(lines) != 24 {
		t.Errorf("it has %d lines, want 24:\n%s", len(lines), text)
	}
	for _, line := range lines {
		if columns(line) > 80 {
			t.Errorf("a line has %d columns, want at most 80: %s", columns(line), line)
		}
	}
	for _, want := range []string{"GRANTS NO LEASES", "more than 50 by since", "\nHELD  LEFT  WAITING  NAME", "\n60m   29s   3        n/00"} {
		if !strings.Contains(text, want) {
			t.Errorf("it shows\n%s\nwant %q", text, want)
		}
	}
}
