package main

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	lockd "github.com/lockd/lockd/clients/go"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

func TestStandingFollowsItsOwnTicket(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 12, 30, 0, 0, time.Local)
	since := timestamppb.New(now.Add(-27 * time.Minute))
	waiter := func(owner string, place, ticket int64) *lockdv1.Waiter {
		return &lockdv1.Waiter{Owner: owner, Place: place, Ticket: ticket}
	}
	by := func(holder string, waiters ...*lockdv1.Waiter) *lockdv1.GetResponse {
		return &lockdv1.GetResponse{Held: true, Lease: &lockdv1.Lease{Owner: holder, Since: since}, Waiters: waiters, WaiterCount: int64(len(waiters))}
	}
	s := standing{name: "job", owner: "me"}
	if got := s.text(now, 200); got != "" {
		t.Errorf("before anything is known it says %q", got)
	}
	s.hear(lockd.HeldError{Name: "job", Owner: "al\nice", Since: since.AsTime(), Position: 3})
	for _, step := range []struct {
		seen *lockdv1.GetResponse
		want string
	}{
		{nil, `held by "al\nice" since 12:03:00, you are 3rd in line`},
		// Others may call themselves the same, before us and behind us.
		{by("bob", waiter("me", 1, 10), waiter("x", 2, 11), waiter("me", 3, 12), waiter("me", 4, 13)), "held by bob since 12:03:00, you are 3rd in line"},
		{by("me", waiter("x", 1, 11), waiter("me", 2, 12), waiter("me", 3, 13)), "held by me since 12:03:00, you are 2nd in line"},
		{&lockdv1.GetResponse{Name: "job"}, "held by me since 12:03:00, you are 2nd in line"}, // changing hands
		{by("x", waiter("me", 1, 12), waiter("me", 2, 13)), "held by x since 12:03:00, you are 1st in line"},
		{by("me", waiter("me", 1, 13)), "held by me since 12:03:00, you are 1st in line"}, // ours: the answer is on its way
	} {
		if step.seen != nil {
			s.see(step.seen)
		}
		if got, want := s.text(now, 200), `waiting for "job": `+step.want; got != want {
			t.Errorf("it says %s, want %s", got, want)
		}
	}
}

// The place is what one wants to know, however long the names are.
func TestThePlaceIsNeverCut(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 12, 30, 0, 0, time.Local)
	s := standing{name: "job", holder: "deploy@a-host-with-a-long-name.example:12345", since: now, place: 12}
	for width, want := range map[int]string{
		79: `waiting for "job": held by deploy@a-host… since 12:30:00, you are 12th in line`,
		69: `waiting: held by deploy@a-host… since 12:30:00, you are 12th in line`,
		57: `waiting: held by deploy@a-host-wi…, you are 12th in line`,
		40: `waiting, you are 12th in line`,
	} {
		if got := s.text(now, width); got != want || columns(got) > width {
			t.Errorf("in %d columns it says %s, want %s", width, got, want)
		}
	}
}

func TestALineFitsTheTerminal(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{"": "", "short": "short", "exactly 10": "exactly 10", "more than 10": "more than ", "漢字漢字漢字": "漢字漢字漢", "a漢字漢字漢字": "a漢字漢字"} {
		if got := clip(s, 10); got != want || columns(got) > 10 {
			t.Errorf("clip(%q, 10) = %q, want %q", s, got, want)
		}
	}
	yesterday := time.Date(2026, 1, 1, 23, 59, 59, 0, time.Local)
	if got := clock(yesterday, yesterday.Add(time.Second)); got != "2026-01-01 23:59:59" {
		t.Errorf("a time of yesterday is %s, want its date, too", got)
	}
	if strings.Contains(clock(yesterday, yesterday), "-") {
		t.Error("a time of today bears its date")
	}
}
