package rpc

import (
	"context"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/lockd/lockd/internal/auth"
	"github.com/lockd/lockd/internal/lease"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// Who may acquire a name but not read it learns that it is held, and nothing of the holder, on whichever way.
func TestARefusalShowsOnlyWhatMayBeRead(t *testing.T) {
	g := newGuarded(t)
	s := serve(t, newStore(t), g.asks)
	secret := func(what, text string) {
		t.Helper()
		for _, part := range []string{"canary", "token:a"} {
			if strings.Contains(text, part) {
				t.Errorf("%s shows the holder: %s", what, text)
			}
		}
	}
	_, err := s.leases.Acquire(as(t.Context(), "a"), &lockdv1.AcquireRequest{
		Name: "team-a/x", LeaseId: id1, Owner: "canary-owner", Metadata: map[string]string{"k": "canary-metadata"},
	})
	if err != nil {
		t.Fatal(err)
	}
	ask := &lockdv1.AcquireRequest{Name: "team-a/x", LeaseId: id2}
	_, err = s.leases.Acquire(as(t.Context(), "blind"), ask)
	held := heldIn(err)
	if held == nil || held.GetLease().GetToken() != 0 || held.GetExpiresIn().AsDuration() <= 0 {
		t.Errorf("Acquire = %v, %v, want LEASE_HELD with the time alone", held, err)
	}
	secret("the refusal", err.Error()+held.String())
	k := sessionAs(t, s, "blind")
	refused := k.answer(k.do(ask)).GetError()
	if refused.GetReason() != "LEASE_HELD" || refused.GetHeld().GetLease().GetToken() != 0 {
		t.Errorf("on a session: %v, want LEASE_HELD without the holder", refused)
	}
	secret("the refusal on a session", refused.String())
	waiting := &lockdv1.AcquireRequest{Name: "team-a/x", LeaseId: id2, Wait: durationpb.New(patience)}
	op := k.do(waiting)
	queued := k.answer(op).GetQueued()
	if queued.GetPlace() != 1 || queued.GetTicket() == 0 {
		t.Errorf("queued: %v, want the own place", queued)
	}
	secret("queued", queued.String())
	k.cancel(op)
	// Who may read is shown all of it.
	_, err = s.leases.Acquire(as(t.Context(), "a"), &lockdv1.AcquireRequest{Name: "team-a/x", LeaseId: id2})
	if held := heldIn(err); held.GetLease().GetPrincipal() != "token:a" || held.GetLease().GetOwner() != "canary-owner" {
		t.Errorf("Acquire by who may read = %v, want the holder", held)
	}
}

func heldIn(err error) *lockdv1.Held {
	for _, d := range status.Convert(err).Details() {
		if held, ok := d.(*lockdv1.Held); ok {
			return held
		}
	}
	return nil
}

// A list has what may be read, as if there were nothing else: nor do pages of one lease count what there is.
func TestAListHasWhatMayBeRead(t *testing.T) {
	g := newGuarded(t)
	s := serve(t, newStore(t), g.asks)
	for who, names := range map[string][]string{"a": {"team-a/x", "team-a/y"}, "b": {"team-b/x", "team-b/y", "team-b/z"}} {
		for _, name := range names {
			if _, err := s.leases.Acquire(as(t.Context(), who), &lockdv1.AcquireRequest{Name: name, LeaseId: id1}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for who, want := range map[string]int{"a": 2, "b": 3, "ops": 5} {
		page, err := s.leases.List(as(t.Context(), who), &lockdv1.ListRequest{})
		if err != nil || len(page.GetLeases()) != want {
			t.Errorf("List as %s = %v, %v, want %d leases", who, page, err, want)
		}
		pages := 0
		for ask := (&lockdv1.ListRequest{PageSize: 1}); pages == 0 || ask.GetPageToken() != ""; pages++ {
			page, err := s.leases.List(as(t.Context(), who), ask)
			if err != nil {
				t.Fatal(err)
			}
			ask.PageToken = page.GetNextPageToken()
		}
		if pages != want {
			t.Errorf("List as %s has %d pages of one lease, want %d", who, pages, want)
		}
	}
}

// How many events are missing is told to who may watch all that could be among them.
func TestAGapCountsWhatMayBeWatched(t *testing.T) {
	g := newGuarded(t)
	for _, c := range []struct {
		who, prefix string
		want        int64
	}{{"a", "", 0}, {"a", "team-a", 7}, {"a", "team-a/x", 7}, {"ops", "", 7}} {
		w, caller := newWatcher(), g.guard.Caller(auth.Shown{Authorization: []string{"Bearer secret-" + c.who}})
		w.filtered(caller, c.prefix)(lease.Event{Kind: lease.EventMissed, Missed: 7})
		got := w.take()
		if len(got) != 1 || got[0].GetKind() != lockdv1.Event_MISSED || got[0].GetMissed() != c.want {
			t.Errorf("%s, who watches %q, is told %v, want a gap of %d", c.who, c.prefix, got, c.want)
		}
	}
}

// A watch tells what may be watched, and ends when that is nothing any more.
func TestAWatchTellsWhatMayBeWatched(t *testing.T) {
	g := newGuarded(t)
	s := serve(t, newStore(t), g.asks)
	ctx, cancel := context.WithTimeout(as(t.Context(), "a"), patience)
	defer cancel()
	watch, err := s.leases.Watch(ctx, &lockdv1.WatchRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if first, err := watch.Recv(); err != nil || first.GetEvents()[0].GetKind() != lockdv1.Event_SYNCED {
		t.Fatalf("Watch = %v, %v, want SYNCED", first, err)
	}
	for _, of := range [][2]string{{"b", "team-b/x"}, {"a", "team-a/x"}} {
		if _, err := s.leases.Acquire(as(t.Context(), of[0]), &lockdv1.AcquireRequest{Name: of[1], LeaseId: id1}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := watch.Recv()
	if err != nil || len(got.GetEvents()) != 1 || got.GetEvents()[0].GetName() != "team-a/x" || got.GetEvents()[0].GetPrincipal() != "token:a" {
		t.Errorf("Watch = %v, %v, want the event of team-a/x alone", got, err)
	}
	g.become(g.policy, strings.Replace(teams, "may: [acquire, read, watch], under: team-a", "may: [acquire, read], under: team-a", 1))
	if got, err := watch.Recv(); status.Code(err) != codes.PermissionDenied {
		t.Errorf("after the right was taken away: %v, %v, want PERMISSION_DENIED", got, err)
	}
}

// Of a lease that it may neither have nor read nobody learns how it ended, by saying that it was its own.
func TestALossIsNotToldToEverybody(t *testing.T) {
	g := newGuarded(t)
	s := serve(t, newStore(t), g.asks)
	granted, err := s.leases.Acquire(as(t.Context(), "a"), &lockdv1.AcquireRequest{Name: "team-a/x", LeaseId: id1})
	if err != nil {
		t.Fatal(err)
	}
	mine, others := sessionAs(t, s, "a"), sessionAs(t, s, "b")
	resumed := []*lockdv1.Resumed{{Name: "team-a/x", Token: granted.GetLease().GetToken()}}
	for _, k := range []*talk{mine, others} {
		k.send(&lockdv1.SessionRequest{Resumed: resumed})
		k.answer(k.do(&lockdv1.ReleaseRequest{Name: "team-c", LeaseId: id2})) // what came before has been taken
	}
	_, err = s.admin.ForceRelease(as(t.Context(), "ops"), &lockdv1.ForceReleaseRequest{
		Name: "team-a/x", Token: granted.GetLease().GetToken(), Reason: "test", By: "ada",
	})
	if err != nil {
		t.Fatal(err)
	}
	mine.hear("the loss", func() bool { return len(mine.lost) > 0 })
	if by := mine.lost[0].GetLoss().GetBy(); by != "token:ops (ada)" {
		t.Errorf("forced by %q, want who it is, and what it calls itself", by)
	}
	others.answer(others.do(&lockdv1.ReleaseRequest{Name: "team-c", LeaseId: id2}))
	if len(others.lost) > 0 {
		t.Errorf("another tenant is told %v", others.lost)
	}
}

// Whose rights are taken away is told what becomes of a lease that it was seen to have, and not of one that it said it had.
func TestALossIsToldToWhoMayStillHearOfIt(t *testing.T) {
	g := newGuarded(t)
	s := serve(t, newStore(t), g.asks)
	mine, claims := sessionAs(t, s, "a"), sessionAs(t, s, "blind")
	granted := mine.answer(mine.do(&lockdv1.AcquireRequest{Name: "team-a/x", LeaseId: id1})).GetAcquired()
	if granted == nil {
		t.Fatal("no lease")
	}
	claims.send(&lockdv1.SessionRequest{Resumed: []*lockdv1.Resumed{{Name: "team-a/x", Token: granted.GetLease().GetToken()}}})
	claims.answer(claims.do(&lockdv1.ReleaseRequest{Name: "team-a/z", LeaseId: id2})) // what came before has been taken
	g.become(g.policy, "rules:\n  - {who: token:ops, may: [read, force], under: team-a}\n")
	_, err := s.admin.RequestRelease(as(t.Context(), "ops"), &lockdv1.RequestReleaseRequest{
		Name: "team-a/x", Token: granted.GetLease().GetToken(), Reason: "test", By: "ada",
	})
	if err != nil {
		t.Fatal(err)
	}
	mine.hear("the request", func() bool { return len(mine.requested) > 0 })
	_, err = s.admin.ForceRelease(as(t.Context(), "ops"), &lockdv1.ForceReleaseRequest{
		Name: "team-a/x", Token: granted.GetLease().GetToken(), Reason: "test", By: "ada",
	})
	if err != nil {
		t.Fatal(err)
	}
	mine.hear("the loss", func() bool { return len(mine.lost) > 0 })
	claims.answer(claims.do(&lockdv1.ReleaseRequest{Name: "team-a/z", LeaseId: id2}))
	if len(claims.lost)+len(claims.requested) > 0 {
		t.Errorf("who only says that it had the lease is told %v, %v", claims.requested, claims.lost)
	}
}
