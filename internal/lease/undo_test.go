package lease_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockd/lockd/internal/lease"
)

// settle lets everything run that does not need time to pass.
func settle() { synctest.Wait() }

// An acquisition that was granted when its caller had gone is undone at once, by its own tag.
func TestGrantedToNobody(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
		ctx, cancel := context.WithCancel(t.Context())
		s.acquire = func(call context.Context, a lease.Acquisition) (lease.Lease, error) {
			cancel()
			return s.Store.Acquire(call, a)
		}
		_, err := l.Acquire(ctx, request("job", 1))
		wantErr(t, "Acquire(caller gone meanwhile)", err, context.Canceled)
		settle()
		if got := s.tokenOf("job"); got != 0 {
			t.Errorf("token in force = %d, want the name free at once", got)
		}
		undos := s.noted("Undo")
		if len(undos) != 1 {
			t.Fatalf("%d undos, want 1", len(undos))
		}
		a, u := s.noted("Acquire")[0], undos[0].args.(lease.Undoing)
		want := lease.Undoing{Name: "job", ID: id(1), Tag: a.args.(lease.Acquisition).Tag, Deadline: a.at.Add(a.left)}
		if u.Name != want.Name || u.ID != want.ID || u.Tag != want.Tag || !u.Deadline.Equal(want.Deadline) {
			t.Errorf("undone was %+v, want %+v", u, want)
		}
	})
}

// A place in line is given up for as long as a turn may come to it: a store that cannot be reached for longer than the
// ttl must not hand the name to who has gone.
func TestAPlaceIsUndoneUntilTheWaitIsOver(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
		first := request("job", 1)
		first.TTL = in(time.Hour)
		grant(t, l, first)
		r := request("job", 2)
		r.TTL, r.Wait = in(time.Second), time.Minute
		a, err := l.Ask(r, new(ears))
		if err != nil {
			t.Fatal(err)
		}
		a.Run()
		settle()
		time.Sleep(10 * time.Second)
		a.Cancel(true)
		settle()
		undos := s.noted("Undo")
		if len(undos) != 1 || undos[0].left < r.Wait-10*time.Second {
			t.Errorf("undone was %+v, want once, and for what is left of the wait", undos)
		}
	})
}

// An acquisition without an answer is left to its client's retry for a second, then undone.
func TestUnknownIsUndoneAfterASecond(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
		s.acquire = s.lost
		_, err := l.Acquire(t.Context(), request("job", 1))
		wantErr(t, "Acquire(answer lost)", err, lease.ErrUnknown)
		if n := l.Status().PendingCleanups; n != 1 {
			t.Errorf("%d cleanups are pending, want 1", n)
		}
		time.Sleep(time.Second - time.Nanosecond)
		settle()
		if s.tokenOf("job") == 0 {
			t.Error("undone before a second was over, want it left to the retry")
		}
		time.Sleep(time.Nanosecond)
		settle()
		if got := s.tokenOf("job"); got != 0 {
			t.Errorf("token in force after a second = %d, want the name free", got)
		}
		if n := l.Status().PendingCleanups; n != 0 {
			t.Errorf("%d cleanups are pending, want none", n)
		}
	})
}

// A retry within that second gets the lease with the same token and keeps it, whether or not its
// client counts.
func TestRetryTakesTheUnknownOver(t *testing.T) {
	for _, attempts := range [][2]uint32{{1, 2}, {0, 0}} {
		t.Run(fmt.Sprint(attempts), func(t *testing.T) {
			inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
				s.acquire = s.lost
				r := request("job", 1)
				r.Attempt = attempts[0]
				_, err := l.Acquire(t.Context(), r)
				wantErr(t, "Acquire(answer lost)", err, lease.ErrUnknown)
				token := s.tokenOf("job")

				s.acquire = nil
				time.Sleep(time.Second - time.Nanosecond)
				r.Attempt = attempts[1]
				if g := grant(t, l, r); g.Lease.Token != token {
					t.Errorf("token of the retry = %d, want %d", g.Lease.Token, token)
				}
				time.Sleep(10 * time.Second)
				if got := s.tokenOf("job"); got != token {
					t.Errorf("token in force after the undo = %d, want %d still", got, token)
				}
			})
		})
	}
}

// An acquisition without an answer whose caller has gone will see no retry: it is undone at once.
func TestUnknownToNobody(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
		ctx, cancel := context.WithCancel(t.Context())
		s.acquire = func(call context.Context, a lease.Acquisition) (lease.Lease, error) {
			cancel()
			return s.lost(call, a)
		}
		_, err := l.Acquire(ctx, request("job", 1))
		wantErr(t, "Acquire(caller gone, answer lost)", err, context.Canceled)
		settle()
		if got := s.tokenOf("job"); got != 0 {
			t.Errorf("token in force = %d, want the name free at once", got)
		}
	})
}

// A lease whose token was told is never undone: its client may count on it.
func TestToldIsNeverUndone(t *testing.T) {
	for _, what := range []string{"answer lost", "caller gone"} {
		t.Run(what, func(t *testing.T) {
			inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
				r := request("job", 1)
				r.Told = grant(t, l, r).Lease.Token
				r.Attempt++
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				s.acquire = func(call context.Context, a lease.Acquisition) (lease.Lease, error) {
					if what == "caller gone" {
						cancel()
						return s.Store.Acquire(call, a)
					}
					return s.lost(call, a)
				}
				if _, err := l.Acquire(ctx, r); err == nil {
					t.Errorf("Acquire(%s) = nil, want an error", what)
				}
				time.Sleep(10 * time.Second)
				if n := len(s.noted("Undo")); n != 0 || s.tokenOf("job") != r.Told {
					t.Errorf("%d undos, token %d; want none, and %d still", n, s.tokenOf("job"), r.Told)
				}
			})
		})
	}
}

// What was refused for certain is not undone, whoever has gone.
func TestRefusedIsNotUndone(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
		grant(t, l, request("job", 1))
		for _, refusal := range []error{nil, lease.ErrUnavailable, lease.ErrLost, lease.ErrSuperseded, lease.ErrGrantsRefused, lease.ErrStoreFull} {
			for _, gone := range []bool{false, true} {
				ctx, cancel := context.WithCancel(t.Context())
				s.acquire = func(call context.Context, a lease.Acquisition) (lease.Lease, error) {
					if gone {
						cancel()
					}
					if refusal != nil {
						return lease.Lease{}, refusal
					}
					return s.Store.Acquire(call, a)
				}
				if _, err := l.Acquire(ctx, request("job", 2)); err == nil {
					t.Errorf("Acquire(%v) = nil, want an error", refusal)
				}
				cancel()
			}
		}
		time.Sleep(10 * time.Second)
		if n := len(s.noted("Undo")); n != 0 {
			t.Errorf("%d undos of what was refused, want none", n)
		}
	})
}

// An undo that gets no answer goes on until the lease, granted at the last moment, would have run out.
func TestUndoGivesUpWithTheLease(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
		s.acquire = s.lost
		s.undo = func(ctx context.Context, u lease.Undoing) error {
			<-ctx.Done()
			return lease.ErrUnknown
		}
		for _, ttl := range []time.Duration{time.Second, 30 * time.Second} {
			r := request("job", int(ttl))
			r.TTL = &ttl
			call := min(ttl/4, 500*time.Millisecond)
			_, err := l.Acquire(t.Context(), r)
			wantErr(t, "Acquire(answer lost)", err, lease.ErrUnknown)
			want := max(call+ttl+lease.Grace(ttl), 3*time.Second)
			time.Sleep(want - time.Nanosecond)
			settle()
			if n := l.Status().PendingCleanups; n != 1 {
				t.Errorf("ttl %s: %d cleanups pending just before %s, want 1", ttl, n, want)
			}
			time.Sleep(time.Nanosecond)
			settle()
			if n := l.Status().PendingCleanups; n != 0 {
				t.Errorf("ttl %s: %d cleanups pending after %s, want none", ttl, n, want)
			}
			s.Expire("job")
		}
	})
}
