package rpc

import (
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/lockd/lockd/internal/auth"
	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/internal/memstore"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

// In no second are there more requests than twice the rate, over many seconds no more than the rate, and who asks
// again when it was told to is let in.
func TestAWindowLetsTheRateIn(t *testing.T) {
	const most, seconds = 100, 20
	var w window
	var let []time.Duration
	for at := time.Duration(0); at < seconds*time.Second; at += time.Millisecond {
		for range 3 { // thirty times the rate
			in := w.take(1, most, at)
			if in == 0 {
				let = append(let, at)
				continue
			}
			if later := (&window{second: w.second, now: w.now, before: w.before}); later.take(1, most, at+in+time.Millisecond) != 0 {
				t.Fatalf("at %s it said in %s, and then refused", at, in)
			}
		}
	}
	for i, at := range let {
		n := 0
		for _, other := range let[i:] {
			if other < at+time.Second {
				n++
			}
		}
		if n > 2*most {
			t.Fatalf("%d in the second after %s, want at most %d", n, at, 2*most)
		}
	}
	if n := len(let); n < most*(seconds-1) || n > most*(seconds+1) {
		t.Errorf("%d were let in within %d s, want %d", n, seconds, most*seconds)
	}
}

// asEach is for whom no policy says anything.
var asEach = new(auth.Limits)

// Each principal has a rate of its own, and all together have one; what is not authenticated has only that.
func TestEachHasItsRate(t *testing.T) {
	g := newGate(Bounds{Each: Traffic{Rate: 10}, All: Traffic{Rate: 35}})
	let := func(who string, vital bool) (n int) {
		v := g.visitor(who)
		for range 100 {
			if g.ask(v, asEach, 1, vital, g.began) == nil {
				n++
			}
		}
		return n
	}
	a, err := g.enter("a", asEach)
	if err != nil {
		t.Fatal(err)
	}
	defer g.leave(a)
	if n := let("a", false); n != 10 {
		t.Errorf("%d of a's requests were let in, want 10", n)
	}
	if n := let("a", true); n != 10 {
		t.Errorf("%d of a's renewals were let in after that, want 10: as many again", n)
	}
	if n := let("b", false); n != 10 {
		t.Errorf("%d of b's requests were let in, want 10: a's are none of its", n)
	}
	if n := let("", false); n != 5 {
		t.Errorf("%d requests of nobody were let in, want 5: what is left of all", n)
	}
}

// Who has too many calls open gets no other, and nobody else is kept from his.
func TestEachHasItsOpenCalls(t *testing.T) {
	g := newGate(Bounds{Each: Traffic{Streams: 2}, All: Traffic{Streams: 3}})
	enter := func(who, whose string, want int) *visitor {
		t.Helper()
		v, err := g.enter(who, asEach)
		var over *lease.LimitError
		if errors.As(err, &over); want == 0 && err != nil || want > 0 && (over == nil || over.Limit != want || over.Whose != whose) {
			t.Errorf("a call of %q = %v, want the limit %d of %q (0: none)", who, err, want, whose)
		}
		return v
	}
	a := enter("a", "", 0)
	enter("a", "", 0)
	enter("a", "a", 2)
	enter("b", "", 0)
	enter("b", "", 3)
	g.leave(a)
	enter("b", "", 0)
}

// Principals that came once are forgotten.
func TestVisitorsAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(Bounds{Each: Traffic{Rate: 1}})
		for n := range 5000 {
			v, err := g.enter(fmt.Sprint(n), asEach)
			if err != nil {
				t.Fatal(err)
			}
			_ = g.ask(v, asEach, 1, false, time.Now())
			g.leave(v)
			<-time.After(10 * time.Millisecond)
		}
		if n := len(g.visitors); n > 2000 {
			t.Errorf("%d of 5000 are known, want at most 2000", n)
		}
	})
}

// A unary call beyond the rate is refused, and says when to ask again; renewals and probes go on.
func TestACallBeyondTheRateIsRefused(t *testing.T) {
	s := serve(t, memstore.New())
	s.SetBounds(Bounds{All: Traffic{Rate: 5}})
	var refused error
	for range 20 {
		if _, err := s.leases.Get(t.Context(), &lockdv1.GetRequest{Name: "a"}); err != nil {
			refused = err
		}
	}
	if status.Code(refused) != codes.ResourceExhausted || reason(refused) != "OVER_LIMIT" {
		t.Fatalf("20 calls at once end with %v, want OVER_LIMIT", refused)
	}
	if in := detail[*errdetails.RetryInfo](refused).GetRetryDelay().AsDuration(); in <= 0 || in > 2*time.Second {
		t.Errorf("it says to ask again in %s, want up to 2s", in)
	}
	if _, err := healthpb.NewHealthClient(s.conn).Check(t.Context(), &healthpb.HealthCheckRequest{}); err != nil {
		t.Errorf("a probe = %v, want an answer", err)
	}
	s.SetBounds(Bounds{})
	if _, err := s.leases.Get(t.Context(), &lockdv1.GetRequest{Name: "a"}); err != nil {
		t.Errorf("Get, the limit lifted = %v, want an answer", err)
	}
}

// An operation beyond the rate is refused; renewals and releases have as much room again; the session is not read
// for a moment and then goes on.
func TestAnOperationBeyondTheRateIsRefusedAndTheSessionRests(t *testing.T) {
	s := serve(t, memstore.New())
	k := openSession(t, s)
	s.SetBounds(Bounds{All: Traffic{Rate: 10}})
	var ops []*lockdv1.Operation
	for n := range 40 {
		ops = append(ops, operation(uint64(n+1), &lockdv1.AcquireRequest{Name: fmt.Sprint("a/", n), LeaseId: leaseID(n)}))
	}
	ops = append(ops, operation(41, &lockdv1.RenewRequest{Name: "a/0", LeaseId: leaseID(0)}))
	ops = append(ops, operation(42, &lockdv1.ReleaseRequest{Name: "a/1", LeaseId: leaseID(1)}))
	sent := time.Now()
	k.send(&lockdv1.SessionRequest{Operations: ops})
	granted := 0
	for n := range 40 {
		switch a := k.answer(uint64(n + 1)); {
		case a.GetAcquired() != nil:
			granted++
		case a.GetError().GetReason() != "OVER_LIMIT" || a.GetError().GetRetryIn().AsDuration() <= 0:
			t.Fatalf("acquisition %d = %v, want OVER_LIMIT and when to ask again", n, a)
		}
	}
	if granted == 0 || granted > 10 {
		t.Errorf("%d of 40 were granted, want up to 10", granted)
	}
	if a := k.answer(41); a.GetError().GetReason() == "OVER_LIMIT" {
		t.Errorf("a renewal = %v, want it done", a)
	}
	if a := k.answer(42); a.GetReleased() == nil {
		t.Errorf("a release = %v, want it done", a)
	}
	s.SetBounds(Bounds{})
	k.last = 42
	k.answer(k.do(&lockdv1.AcquireRequest{Name: "b", LeaseId: leaseID(100)}))
	if took := time.Since(sent); took < holdUp {
		t.Errorf("the next message was read after %s, want a rest of %s", took, holdUp)
	}
}

// Who asks too much hears of it after a moment, whether it still wants to or not.
func TestARefusalIsHeldUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAround(Config{Log: zap.NewNop(), Bounds: Bounds{}})
		defer a.endStreams()
		v, began := a.gate.visitor("a"), time.Now()
		a.holdUp(t.Context(), v, &lease.LimitError{RetryIn: time.Minute})
		if took := time.Since(began); took != holdUp {
			t.Errorf("a refusal comes after %s, want %s", took, holdUp)
		}
	})
}

// Connections beyond the bound are closed at once; one that ends makes room.
func TestConnectionsHaveABound(t *testing.T) {
	for what, b := range map[string]Bounds{"in all": {Connections: 2}, "from one address": {FromOne: 2}} {
		t.Run(what, func(t *testing.T) {
			s := serve(t, &fakeStore{})
			_ = s.conn.Close()
			s.SetBounds(b)
			var open []net.Conn
			for range 2 {
				conn, err := dialled(t, s)
				if err != nil {
					t.Fatalf("a connection within the bound = %v, want it served", err)
				}
				open = append(open, conn)
			}
			if _, err := dialled(t, s); err == nil {
				t.Error("a third connection is served, want it closed at once")
			}
			_ = open[0].Close()
			eventually(t, "there is room again", func() bool { _, err := dialled(t, s); return err == nil })
			if n := s.log.FilterMessageSnippet("closed at once").Len(); n != 1 {
				t.Errorf("%d lines of the log say so, want 1", n)
			}
		})
	}
}

// dialled is a bare connection that has begun to speak HTTP/2 and was answered.
func dialled(t *testing.T, s *subject) (net.Conn, error) {
	t.Helper()
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	_, _ = io.WriteString(conn, preface)
	_ = writeFrame(conn, frame{kind: frameSettings})
	_, err = conn.Read(make([]byte, 1))
	return conn, err
}

// What a policy says of one goes before the bounds of each, both ways, and counts for calls and sessions that stand.
func TestAPolicysLimitsGoBeforeThoseOfEach(t *testing.T) {
	g := newGate(Bounds{Each: Traffic{Streams: 2, Rate: 10}})
	for who, c := range map[string]struct {
		own           *auth.Limits
		streams, rate int
	}{
		"as each": {asEach, 2, 10}, "less": {&auth.Limits{Streams: 1, Rate: 5}, 1, 5}, "more": {&auth.Limits{Streams: 3, Rate: 15}, 3, 15},
	} {
		for n := range c.streams {
			if _, err := g.enter(who, c.own); err != nil {
				t.Errorf("call %d of %s = %v, want it let in", n+1, who, err)
			}
		}
		var over *lease.LimitError
		if _, err := g.enter(who, c.own); !errors.As(err, &over) || over.Limit != c.streams || over.Whose != who {
			t.Errorf("a call too many of %s = %v, want its limit %d", who, err, c.streams)
		}
		let := 0
		for range 100 {
			if g.ask(g.visitor(who), c.own, 1, false, g.began) == nil {
				let++
			}
		}
		if let != c.rate {
			t.Errorf("%d requests of %s were let in, want %d", let, who, c.rate)
		}
	}
}

// A tenant at each limit that its policy sets is refused with RESOURCE_EXHAUSTED and when to ask again, on unary calls and on
// a session that stands, from the moment the policy is in force; a longer ttl is shortened; the neighbour notices nothing.
func TestALimitOfThePolicyIsInForceAtOnce(t *testing.T) {
	g := newGuarded(t)
	s := serve(t, newStore(t), g.asks)
	k := sessionAs(t, s, "a")
	ask := func(n int) *lockdv1.AcquireRequest {
		return &lockdv1.AcquireRequest{Name: fmt.Sprint("team-a/", n), LeaseId: leaseID(n), Ttl: durationpb.New(time.Hour)}
	}
	if a := k.answer(k.do(ask(1))).GetAcquired(); a.GetLease().GetTtl().AsDuration() != time.Hour {
		t.Fatalf("without limits: %v, want the whole ttl", a)
	}
	g.become(g.policy, teams+"limits:\n  - {who: token:a, leases: 2, ttl: 1m}\n")
	if a := k.answer(k.do(ask(2))).GetAcquired(); a.GetLease().GetTtl().AsDuration() != time.Minute {
		t.Errorf("with ttl: 1m, %v, want it shortened", a)
	}
	if r := k.answer(k.do(&lockdv1.RenewRequest{Name: "team-a/2", LeaseId: leaseID(2), Ttl: durationpb.New(time.Hour)})).GetRenewed(); r.GetLease().GetTtl().AsDuration() != time.Minute {
		t.Errorf("renewed with ttl: 1m, %v, want it shortened", r)
	}
	if e := k.answer(k.do(ask(3))).GetError(); e.GetReason() != "OVER_LIMIT" || e.GetRetryIn().AsDuration() <= 0 {
		t.Errorf("a third lease on a session = %v, want OVER_LIMIT and when to ask again", e)
	}
	_, err := s.leases.Acquire(as(t.Context(), "a"), ask(4))
	if in := detail[*errdetails.RetryInfo](err).GetRetryDelay().AsDuration(); status.Code(err) != codes.ResourceExhausted || in <= 0 {
		t.Errorf("a third lease = %v, again in %s, want RESOURCE_EXHAUSTED and when to ask again", err, in)
	}
	if _, err := s.leases.Acquire(as(t.Context(), "b"), &lockdv1.AcquireRequest{Name: "team-b/x", LeaseId: id1}); err != nil {
		t.Errorf("the neighbour's lease = %v, want it granted", err)
	}
	g.become(g.policy, teams+"limits:\n  - {who: token:a, requests: 2}\n")
	for n := range 8 {
		_, err = s.leases.Get(as(t.Context(), "a"), &lockdv1.GetRequest{Name: fmt.Sprint("team-a/", n)})
	}
	if status.Code(err) != codes.ResourceExhausted {
		t.Errorf("eight requests with requests: 2, the last = %v, want RESOURCE_EXHAUSTED", err)
	}
	g.become(g.policy, teams+"limits:\n  - {who: token:a, streams: 1}\n") // the session is one
	if _, err = s.leases.Get(as(t.Context(), "a"), &lockdv1.GetRequest{Name: "team-a/1"}); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a call beside a session with streams: 1 = %v, want RESOURCE_EXHAUSTED", err)
	}
}
