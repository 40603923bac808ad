package lease_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockd/lockd/internal/lease"
)

// heeding is a holder that notes what it is asked.
type heeding struct{ asked []lease.Event }

func (*heeding) Lost(lease.Loss)           {}
func (h *heeding) Requested(e lease.Event) { h.asked = append(h.asked, e) }

// hears is a holder of g that listens at l.
func hears(l *lease.Lessor, g lease.Grant) *heeding {
	h := new(heeding)
	l.Listen(new(lease.Listener), g.Lease.Name, g.Lease.Token, h)
	return h
}

func pleading(g lease.Grant) lease.ForceRequest {
	return lease.ForceRequest{Name: g.Lease.Name, Token: g.Lease.Token, By: "bo", Reason: "deploy"}
}

func pleads(t *testing.T, l *lease.Lessor, g lease.Grant, forceIn time.Duration) {
	t.Helper()
	if held, err := l.RequestRelease(t.Context(), pleading(g), forceIn); err != nil || held.Token != g.Lease.Token {
		t.Fatalf("RequestRelease = %v, %v, want the lease", held, err)
	}
}

// beside runs f with two Lessors in front of one store.
func beside(t *testing.T, f func(t *testing.T, l, other *lease.Lessor, s *fake)) {
	t.Helper()
	inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
		other := lease.NewLessor(s, lease.Limits{}.WithDefaults())
		f(t, l, other, s)
		wantErr(t, "Close", other.Close(t.Context()), nil)
	})
}

// A holder is asked at whichever server it is, once for each request, also if it comes there later; and it goes on
// holding.
func TestAHolderIsAskedWhereverItIs(t *testing.T) {
	beside(t, func(t *testing.T, l, other *lease.Lessor, s *fake) {
		g := grant(t, l, request("job", 1))
		here, there := hears(l, g), hears(other, g)
		pleads(t, l, g, 0)
		late := hears(other, g)
		for where, h := range map[string]*heeding{"here": here, "there": there, "later": late} {
			if len(h.asked) != 1 || h.asked[0].By != "bo" || h.asked[0].Reason != "deploy" || h.asked[0].ForceIn != 0 {
				t.Errorf("the holder %s was told %+v, want once by whom and why", where, h.asked)
			}
		}
		<-time.After(25 * time.Second)
		if s.tokenOf("job") != g.Lease.Token {
			t.Error("the lease does not stand any more, want it left alone")
		}
	})
}

// What was announced is done, to that lease and to no other, when it is time and not before; the one who asks is told.
func TestAnAnnouncedForceIsDone(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
		var reported []error
		l.ReportForces(func(_ lease.Event, err error) { reported = append(reported, err) })
		g := grant(t, l, request("job", 1))
		h := hears(l, g)
		pleads(t, l, g, 5*time.Second)
		if len(h.asked) != 1 || h.asked[0].ForceIn != 5*time.Second {
			t.Errorf("the holder was told %+v, want in 5s", h.asked)
		}
		<-time.After(5*time.Second - 1)
		if s.tokenOf("job") != g.Lease.Token {
			t.Error("the lease ended before its time")
		}
		<-time.After(time.Millisecond)
		synctest.Wait()
		if s.tokenOf("job") != 0 || len(reported) != 1 || reported[0] != nil {
			t.Errorf("the token %d is in force, %v is reported; want the lease ended, and that said", s.tokenOf("job"), reported)
		}
		next := grant(t, l, request("job", 2))
		pleads(t, l, next, time.Second)
		free(t, l, "job", 2)
		third := grant(t, l, request("job", 3))
		<-time.After(2 * time.Second)
		if s.tokenOf("job") != third.Lease.Token {
			t.Error("the next lease was ended, want the one that was asked for and no other")
		}
	})
}

// Should the server that was asked have gone, another one forces, soon after.
func TestAnotherServerForces(t *testing.T) {
	beside(t, func(t *testing.T, l, other *lease.Lessor, s *fake) {
		g := grant(t, l, request("job", 1))
		pleads(t, l, g, 5*time.Second)
		l.Drain()
		<-time.After(5*time.Second + 1500*time.Millisecond)
		synctest.Wait()
		if s.tokenOf("job") != 0 {
			t.Error("the lease stands, want it ended by the other server")
		}
	})
}

// A store that does not answer when it is time is asked again.
func TestAnAnnouncedForceIsTriedAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
		g := grant(t, l, request("job", 1))
		tries := 0
		s.force = func(ctx context.Context, r lease.ForceRequest) (lease.Lease, error) {
			if tries++; tries < 5 {
				return lease.Lease{}, fmt.Errorf("force: %w", lease.ErrUnknown)
			}
			return s.Store.ForceRelease(ctx, r)
		}
		pleads(t, l, g, time.Second)
		<-time.After(5 * time.Second)
		synctest.Wait()
		if s.tokenOf("job") != 0 {
			t.Errorf("the lease stands after %d tries, want it ended by the fifth", tries)
		}
	})
}

// Asked again, the earlier end counts, and a request without an end puts none off.
func TestTheEarlierEndCounts(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
		g := grant(t, l, request("job", 1))
		h := hears(l, g)
		for _, in := range []time.Duration{10 * time.Second, 3 * time.Second, 20 * time.Second, 0} {
			pleads(t, l, g, in)
		}
		if n := len(h.asked); n != 4 || h.asked[3].ForceIn != 3*time.Second {
			t.Errorf("the holder was told %+v, want four times, the end last in 3s", h.asked)
		}
		<-time.After(3*time.Second + time.Millisecond)
		synctest.Wait()
		if s.tokenOf("job") != 0 {
			t.Error("the lease stands, want it ended at the earliest end")
		}
	})
}

// What is not in force is not asked for, and what is wrong is refused.
func TestOnlyWhatIsInForceIsAskedFor(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
		g := grant(t, l, request("job", 1))
		h := hears(l, g)
		r := pleading(g)
		r.Token++
		var token *lease.TokenError
		if _, err := l.RequestRelease(t.Context(), r, 0); !errors.As(err, &token) || token.InForce == nil || token.InForce.Token != g.Lease.Token {
			t.Errorf("RequestRelease(another token) = %v, want a *TokenError that says which is in force", err)
		}
		r = pleading(g)
		r.Name = "free"
		if _, err := l.RequestRelease(t.Context(), r, 0); !errors.As(err, &token) || token.InForce != nil {
			t.Errorf("RequestRelease(free) = %v, want a *TokenError", err)
		}
		for field, change := range map[string]func(*lease.ForceRequest){
			"name": func(r *lease.ForceRequest) { r.Name = "" }, "token": func(r *lease.ForceRequest) { r.Token = 0 },
			"reason": func(r *lease.ForceRequest) { r.Reason = "" }, "by": func(r *lease.ForceRequest) { r.By = "\n" },
		} {
			r := pleading(g)
			change(&r)
			_, err := l.RequestRelease(t.Context(), r, 0)
			wantInvalid(t, "RequestRelease", err, field)
		}
		for _, in := range []time.Duration{-1, lease.MaxForceIn + 1} {
			_, err := l.RequestRelease(t.Context(), pleading(g), in)
			wantInvalid(t, "RequestRelease", err, "force_in")
		}
		if len(h.asked) != 0 {
			t.Errorf("the holder was told %+v, want nothing", h.asked)
		}
	})
}
