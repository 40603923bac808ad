package memstore

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockd/lockd/internal/lease"
)

const ttl = 10 * time.Second

// call is a context with the deadline that a Lessor gives a call.
func call(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	t.Cleanup(cancel)
	return ctx
}

// claim is a first attempt; i tells lease ids apart.
func claim(name string, i int) lease.Acquisition {
	return lease.Acquisition{
		Name: name, ID: lease.ID(fmt.Sprintf("%032x", i)), TTL: ttl,
		Tag: lease.Tag{Attempt: 1, Exec: fmt.Sprintf("%016x", i)},
	}
}

func grant(t *testing.T, s *Store, a lease.Acquisition) lease.Lease {
	t.Helper()
	l, err := s.Acquire(call(t), a)
	if err != nil {
		t.Fatalf("Acquire(%q) = %v, want a lease", a.Name, err)
	}
	return l
}

func held(t *testing.T, s *Store, name string) bool {
	t.Helper()
	standing, err := s.Get(call(t), lease.GetRequest{Name: name})
	if err != nil {
		t.Fatalf("Get(%q) = %v, want nil", name, err)
	}
	return standing.Held
}

// A name is taken for the ttl and the grace from the last renewal on, to the nanosecond.
func TestLeaseLastsTTLAndGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, a := New(), claim("job", 1)
		l := grant(t, s, a)
		if l.Left != ttl || l.ExpiresIn != ttl+lease.Grace(ttl) {
			t.Errorf("Acquire = Left %s, ExpiresIn %s, want %s and %s", l.Left, l.ExpiresIn, ttl, ttl+lease.Grace(ttl))
		}
		time.Sleep(ttl)
		if l, err := s.Renew(call(t), lease.Renewal{Name: "job", ID: a.ID}); err != nil || l.Left != ttl {
			t.Errorf("Renew(at the end of its ttl) = Left %s, %v, want %s", l.Left, err, ttl)
		}
		time.Sleep(ttl + lease.Grace(ttl) - time.Nanosecond)
		if !held(t, s, "job") {
			t.Error("Get(just before the end of the grace) = false, want true")
		}
		time.Sleep(time.Nanosecond)
		if held(t, s, "job") {
			t.Error("Get(at the end of the grace) = true, want false")
		}
		if _, err := s.Renew(call(t), lease.Renewal{Name: "job", ID: a.ID}); !errors.Is(err, lease.ErrLost) {
			t.Errorf("Renew(at the end of the grace) = %v, want ErrLost", err)
		}
	})
}

// Tokens start from the clock, and grow also while it stands still.
func TestTokensStartFromTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New()
		start := lease.Token(time.Now().UnixMicro())
		for i := range 5 {
			name := fmt.Sprint("job/", i%2)
			if got, want := grant(t, s, claim(name, i)).Token, start+lease.Token(i); got != want {
				t.Errorf("grant %d: token = %d, want %d", i, got, want)
			}
			s.Expire(name)
		}
		time.Sleep(time.Minute)
		if got, want := grant(t, s, claim("job", 9)).Token, lease.Token(time.Now().UnixMicro()); got != want {
			t.Errorf("token a minute later = %d, want %d", got, want)
		}
	})
}

// At 2^53 no more is granted; what stands can be renewed and released.
func TestTokensUsedUp(t *testing.T) {
	s, a := New(), claim("job", 1)
	s.last = lease.MaxToken - 2
	if got := grant(t, s, a).Token; got != lease.MaxToken-1 {
		t.Errorf("token = %d, want %d", got, lease.MaxToken-1)
	}
	if _, err := s.Acquire(call(t), claim("other", 2)); !errors.Is(err, lease.ErrGrantsRefused) {
		t.Errorf("Acquire(no token left) = %v, want ErrGrantsRefused", err)
	}
	if held(t, s, "other") {
		t.Error("Get(refused) = true, want false")
	}
	if _, err := s.Renew(call(t), lease.Renewal{Name: "job", ID: a.ID}); err != nil {
		t.Errorf("Renew(no token left) = %v, want nil", err)
	}
	if r, err := s.Release(call(t), lease.ReleaseRequest{Name: "job", ID: a.ID}); err != nil || r.Outcome != lease.Held {
		t.Errorf("Release(no token left) = %v, %v, want Held", r, err)
	}
}

// An execution that had to wait for its turn until its deadline was over does nothing.
func TestLateInsideTheStore(t *testing.T) {
	s := New()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	s.mu.Lock()
	answer := make(chan error)
	go func() {
		_, err := s.Acquire(ctx, claim("job", 1))
		answer <- err
	}()
	<-ctx.Done()
	s.mu.Unlock()
	if err := <-answer; !errors.Is(err, lease.ErrUnavailable) {
		t.Errorf("Acquire(its turn came too late) = %v, want ErrUnavailable", err)
	}
	if held(t, s, "job") {
		t.Error("Get = true, want false: nothing may be granted after the deadline")
	}
}

// Undo returns when its execution would come too late: at its deadline, not before and not after.
func TestUndoReturnsAtTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, a := New(), claim("job", 1)
		start := time.Now()
		u := lease.Undoing{Name: a.Name, ID: a.ID, Tag: a.Tag, Deadline: start.Add(500 * time.Millisecond)}
		undone := make(chan error, 1)
		go func() { undone <- s.Undo(call(t), u) }()
		synctest.Wait()
		grant(t, s, a) // it had been under way
		if err := <-undone; err != nil || time.Since(start) != 500*time.Millisecond {
			t.Errorf("Undo = %v after %s, want nil after 500ms", err, time.Since(start))
		}
		if held(t, s, "job") {
			t.Error("Get(undone) = true, want false")
		}
	})
}

// Undo ends with its own ctx, and says that it cannot be sure.
func TestUndoEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, a := New(), claim("job", 1)
		start := time.Now()
		u := lease.Undoing{Name: a.Name, ID: a.ID, Tag: a.Tag, Deadline: start.Add(time.Hour)}
		if err := s.Undo(call(t), u); !errors.Is(err, lease.ErrUnknown) || time.Since(start) != time.Second {
			t.Errorf("Undo = %v after %s, want ErrUnknown after 1s", err, time.Since(start))
		}
	})
}

// What has run out is over for everybody, although it is not forgotten yet.
func TestExpiredIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const many = 100 // more than the calls below forget by the way; the last are forgotten last
		s := New()
		var claims []lease.Acquisition
		var tokens []lease.Token
		for i := range many {
			a := claim(fmt.Sprint("job/", i), i)
			claims, tokens = append(claims, a), append(tokens, grant(t, s, a).Token)
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Minute)

		if p, err := s.List(call(t), lease.ListRequest{Size: many}); err != nil || len(p.Leases) != 0 {
			t.Errorf("List(expired) = %d leases, %v, want none", len(p.Leases), err)
		}
		if held(t, s, claims[many-1].Name) {
			t.Error("Get(expired) = true, want false")
		}
		a := claims[many-2]
		if _, err := s.Renew(call(t), lease.Renewal{Name: a.Name, ID: a.ID}); !errors.Is(err, lease.ErrLost) {
			t.Errorf("Renew(expired) = %v, want ErrLost", err)
		}
		a = claims[many-3]
		if r, err := s.Release(call(t), lease.ReleaseRequest{Name: a.Name, ID: a.ID}); err != nil || r.Outcome != lease.Gone {
			t.Errorf("Release(expired) = %v, %v, want Gone", r, err)
		}
		stale := &lease.TokenError{}
		_, err := s.ForceRelease(call(t), lease.ForceRequest{Name: claims[many-4].Name, Token: tokens[many-4]})
		if !errors.As(err, &stale) || stale.InForce != nil {
			t.Errorf("ForceRelease(expired) = %v, want *TokenError with nothing in force", err)
		}
		if l := grant(t, s, claims[many-5]); l.Token <= tokens[many-5] {
			t.Errorf("token over an expiry went from %d to %d, want larger", tokens[many-5], l.Token)
		}
	})
}
