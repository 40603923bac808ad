package main

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/spf13/pflag"

	lockd "github.com/lockd/lockd/clients/go"
	"github.com/lockd/lockd/clients/go/lockdtest"
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

// While the name is closed nobody is said to hold it, and for how long is; then who holds it is said again.
func TestStandingWhileTheNameIsClosed(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 12, 30, 0, 0, time.Local)
	s := standing{name: "job", owner: "me"}
	s.hear(lockd.HeldError{Name: "job", Owner: "alice", Since: now, Position: 3, ClosedFor: 12 * time.Second})
	for width, want := range map[int]string{
		90: `waiting for "job": closed for 12s after an unclean loss, you are 3rd in line`,
		70: `waiting: closed for 12s after an unclean loss, you are 3rd in line`,
		44: `waiting: closed for 12s after an unclean loss`[:44],
	} {
		if got := s.text(now, width); got != want {
			t.Errorf("in %d columns it says %s, want %s", width, got, want)
		}
	}
	s.see(&lockdv1.GetResponse{Name: "job", Lease: &lockdv1.Lease{Owner: "alice", ClosedFor: durationpb.New(7 * time.Second)}})
	if got := s.text(now, 90); !strings.Contains(got, "closed for 7s") {
		t.Errorf("later it says %s, want what is left of it", got)
	}
	s.see(&lockdv1.GetResponse{Name: "job", Held: true, Lease: &lockdv1.Lease{Owner: "bob", Since: timestamppb.New(now)}})
	if got := s.text(now, 90); !strings.Contains(got, "held by bob") {
		t.Errorf("when it is held again it says %s, want the holder", got)
	}
}

// While nobody answers it says so, and of the place that it was.
func TestStandingWhileLockdIsAway(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 12, 30, 0, 0, time.Local)
	s := standing{name: "job", owner: "me"}
	s.hear(lockd.HeldError{Name: "job", Owner: "alice", Since: now, Position: 3})
	s.away = "lockd cannot be reached"
	for width, want := range map[int]string{
		79: `waiting for "job": lockd cannot be reached, you were 3rd in line`,
		60: `waiting: lockd cannot be reached, you were 3rd in line`,
		20: `waiting: lockd canno`,
	} {
		if got := s.text(now, width); got != want {
			t.Errorf("in %d columns it says %s, want %s", width, got, want)
		}
	}
	s.see(&lockdv1.GetResponse{Name: "job"})
	if got := s.text(now, 79); !strings.Contains(got, "held by alice") {
		t.Errorf("answered again, it says %s, want the holder", got)
	}
}

// In a log it says once what it waits for, and once that it has it; quietly, nothing.
func TestInALogTheWaitingIsSaidOnce(t *testing.T) {
	t.Parallel()
	server := lockdtest.Start(t)
	client := server.Client(t, lockd.WithOwner("the holder"))
	for _, quiet := range []bool{false, true} {
		holder := takeOver(t, client, "job")
		args := []string{"run", "job", "--owner", "me"}
		if quiet {
			args = append(args, "-q")
		}
		l := start(t, server.Addr(), append(args, "--", "echo", "ran")...)
		eventually(t, "it stands in line", func() bool { return inLine(t, client, "job") == 1 })
		if !quiet {
			l.await(`(?m)^lockctl: waiting for "job": held by the holder since \d\d:\d\d:\d\d, you are 1st in line$`)
		}
		if err := holder.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		l.exits(0)
		lines := strings.Count(l.Log(), "lockctl: ")
		if quiet && lines != 0 || !quiet && lines != 2 {
			t.Errorf("quiet: %t: it says %d lines of its own, want 2 or, quietly, none", quiet, lines)
		}
		if !quiet {
			l.await(`(?m)^lockctl: job is granted after a wait of [0-9.]+m?s$`)
		}
	}
}

// A wait that was asked for is not cut short because lockd is away, and what was heard of before is not
// said as if it were so now.
func TestAWaitGoesOnWhileLockdIsAway(t *testing.T) {
	t.Parallel()
	for wait, want := range map[time.Duration]time.Duration{time.Second: 10 * time.Second, time.Minute: time.Minute} {
		for _, set := range []bool{false, true} {
			var to server
			to.register(pflag.NewFlagSet("lockctl", pflag.ContinueOnError))
			given := []string{"--server", "localhost:1"}
			if set {
				given = append(given, "--unavailable-for", "10s")
			}
			if err := to.flags.Parse(given); err != nil {
				t.Fatal(err)
			}
			c := claim{wait: wait, waitSet: true}
			client, err := c.dial(&to)
			if err != nil {
				t.Fatal(err)
			}
			client.Close()
			if set {
				want = 10 * time.Second
			}
			if to.unavailableFor != want {
				t.Errorf("waiting %s, it gives up when nobody served for %s, want %s", wait, to.unavailableFor, want)
			}
		}
	}

	server := lockdtest.Start(t)
	client := server.Client(t, lockd.WithOwner("the holder"))
	takeOver(t, client, "job")
	const wait = 4 * time.Second
	began := time.Now()
	l := start(t, server.Addr(), "acquire", "job", "--wait", wait.String())
	l.await("you are 1st in line")
	server.Stop(t)
	l.exits(exitUnavailable)
	if took := time.Since(began); took < wait {
		t.Errorf("it gave up after %s, want %s", took, wait)
	}
	l.await(`lockctl: nobody served when the wait of 4s ended; last heard: job is held by the holder .*; you were 1st in line`)

	server.Start(t)
	takeOver(t, client, "other")
	l = start(t, server.Addr(), "acquire", "other", "--wait", "1m", "--unavailable-for", "300ms")
	l.await("you are 1st in line")
	server.Stop(t)
	l.exits(exitUnavailable)
	l.await(`nobody served at .* for 300ms|unavailable: the server is draining`) // what it was told last
}

// Whether somebody serves at the end of a wait is nothing to who has been interrupted meanwhile.
func TestInterruptedDuringTheLastLookIs130(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	addr := serve(t, nil, grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
		cancel(&interrupted{syscall.SIGINT})
		<-stream.Context().Done()
		return nil
	}))
	c := claim{wait: firstAnswer, waitSet: true, conflict: exitHeld}
	client, err := c.dial(&server{target: addr, unavailableFor: time.Second, origin: map[string]string{}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	err = c.refused(ctx, client, "job", errors.Join(&lockd.HeldError{Name: "job"}, context.DeadlineExceeded))
	if code, text := explain(err); code != 130 {
		t.Errorf("it ends with %d, %q, want 130", code, text)
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
