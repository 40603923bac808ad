package main

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/lockd/lockd/internal/lease"
)

func TestReadinessFollowsTheStore(t *testing.T) {
	store := newSeen()
	s := serveInProcess(t, store)
	expect := func(health string, code int, text string) {
		t.Helper()
		eventually(t, health, 5*time.Second, func() bool { return healthOf(t, s.conn) == health })
		if got, body := probe(t, s.http, "/readyz"); got != code || body != text {
			t.Errorf("/readyz = %d %q, want %d %q", got, body, code, text)
		}
		if got, body := probe(t, s.http, "/healthz"); got != 200 || body != "ok" {
			t.Errorf("/healthz = %d %q, want 200: the process lives", got, body)
		}
	}
	expect("SERVING", 200, "ok")
	reason, none := "the clock is 3s ahead", ""
	store.refusal.Store(&reason)
	expect("NOT_SERVING", 503, reason)
	store.refusal.Store(&none)
	expect("SERVING", 200, "ok")
	if code, _ := probe(t, s.http, "/elsewhere"); code != 404 {
		t.Errorf("/elsewhere = %d, want 404", code)
	}
}

func TestReadinessIsPolledEverySecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []bool
		r := newReadiness(func(serving bool) { told = append(told, serving) }, zap.NewNop(), "")
		ctx, cancel := context.WithTimeout(t.Context(), 4*pollEvery+pollEvery/2)
		defer cancel()
		refusals := []string{"full", "full", "", ""}
		r.follow(ctx, func() lease.Status {
			next := lease.Status{Refusal: refusals[0]}
			refusals = refusals[1:]
			return next
		})
		if len(refusals) > 0 {
			t.Errorf("%d looks are missing after 4.5 s, want one each second", len(refusals))
		}
		if want := []bool{true, false, true}; !slices.Equal(told, want) {
			t.Errorf("health is told %v, want %v: once per change", told, want)
		}
	})
}
