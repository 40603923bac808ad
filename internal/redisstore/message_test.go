package redisstore

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/test/proxy"
	"github.com/lockd/lockd/test/redisproc"
)

// behindProxy returns a store that reaches r through a proxy, and one that reaches it directly.
func behindProxy(t *testing.T, r *redisproc.Server) (through, direct *Store, p *proxy.Proxy) {
	t.Helper()
	p = proxy.Redis(t, r.Addr())
	through = open(t, "redis://"+p.Addr())
	return through, open(t, r.URL()), p
}

// calls matches EVALSHA of one of our scripts.
func calls(script *redis.Script) proxy.Match { return proxy.Contains(script.Hash()) }

// An acquire whose reply is lost is unknown, never "held by another"; the retry gets the lease that
// was granted; and once it has, the undo of the first attempt does not hurt it.
func TestALostAcquireReplyIsUnknownAndTheRetryHoldsTheLease(t *testing.T) {
	s, direct, p := behindProxy(t, redisproc.Shared(t))
	a := asking("job")
	fault := p.LoseReply(calls(batchScript), 1)
	if l, err := s.Acquire(soon(t), a); !errors.Is(err, lease.ErrUnknown) {
		t.Fatalf("Acquire with its reply lost = %v, %v, want ErrUnknown", l.Token, err)
	}
	if fault.Hits() != 1 {
		t.Fatal("the fault did not bite")
	}
	standing, err := direct.Get(soon(t), lease.GetRequest{Name: "job"})
	if err != nil || !standing.Held {
		t.Fatalf("Get = %+v, %v, want the lease that the lost reply spoke of", standing, err)
	}
	again := acquire(t, direct, retry(a)) // through another lockd
	if again.Token != standing.Lease.Token {
		t.Errorf("retry's token = %d, want the first attempt's %d", again.Token, standing.Lease.Token)
	}
	if err := s.Undo(t.Context(), undoing(a)); err != nil {
		t.Errorf("Undo = %v", err)
	}
	if !held(t, direct, "job") {
		t.Error("the undo of the first attempt removed the lease that the retry holds")
	}
}

func undoing(a lease.Acquisition) lease.Undoing {
	return lease.Undoing{Name: a.Name, ID: a.ID, Tag: a.Tag, Deadline: time.Now()}
}

// What nobody takes over is gone once its undo returns.
func TestAnUndoneAcquireLeavesNothing(t *testing.T) {
	s, direct, p := behindProxy(t, redisproc.Shared(t))
	a := asking("job")
	p.LoseReply(calls(batchScript), 1)
	if _, err := s.Acquire(soon(t), a); !errors.Is(err, lease.ErrUnknown) {
		t.Fatalf("Acquire = %v, want ErrUnknown", err)
	}
	// The undo's own reply is lost as well: it goes on until it is sure.
	lost := p.LoseReply(calls(leaveScript), 2)
	if err := s.Undo(t.Context(), undoing(a)); err != nil {
		t.Fatalf("Undo = %v", err)
	}
	if lost.Hits() != 2 {
		t.Errorf("undo replies lost = %d, want 2", lost.Hits())
	}
	if held(t, direct, "job") {
		t.Error("the name is still held after its undo")
	}
}

// A copy that sat in a buffer while its undo or its release went by must not create a lease.
func TestALateCopyCreatesNothing(t *testing.T) {
	t.Parallel()
	s, direct, p := behindProxy(t, redisproc.Start(t))
	a := asking("job")
	delayed := p.DelayRequest(calls(batchScript))
	if _, err := s.Acquire(soon(t), a); !errors.Is(err, lease.ErrUnknown) {
		t.Fatalf("Acquire with its request held back = %v, want ErrUnknown", err)
	}
	if err := direct.Undo(t.Context(), undoing(a)); err != nil {
		t.Fatalf("Undo = %v", err)
	}
	direct.client.ConfigResetStat(t.Context())
	delayed.Release()
	until(t, 5*time.Second, "the delayed acquire reaches redis", func() bool {
		return commandCalls(t, direct.client, "evalsha") == 1
	})
	if held(t, direct, "job") {
		t.Error("the name is held by a copy that arrived after its undo")
	}
}

// An acquire that waits in a stopped Redis's socket beyond its deadline writes nothing when Redis wakes.
func TestAnAcquireThatAPausedRedisExecutesLateWritesNothing(t *testing.T) {
	t.Parallel()
	r := redisproc.Start(t)
	s := open(t, r.URL())
	acquire(t, s, asking("warm")) // a connection and the scripts are there
	r.Pause()
	a := asking("job")
	_, err := s.Acquire(soon(t), a)
	r.Resume()
	if !errors.Is(err, lease.ErrUnknown) {
		t.Fatalf("Acquire of a stopped Redis = %v, want ErrUnknown", err)
	}
	// Whatever was in the socket has been executed before a later command is answered.
	direct := client(t, r)
	until(t, 5*time.Second, "redis answers", func() bool { return direct.Ping(context.Background()).Err() == nil })
	if held(t, s, "job") {
		t.Error("the name is held by an acquire that was given up before it was executed")
	}
}

// A reply that was another call's is noticed by its nonce: the call is unknown, the connections go.
func TestASwappedReplyIsNotBelieved(t *testing.T) {
	s, direct, p := behindProxy(t, redisproc.Shared(t))
	a, b := asking("a"), asking("b")
	acquire(t, direct, a)
	acquire(t, direct, b)
	swapped := p.SwapReplies(calls(batchScript))
	errs := make([]error, 2)
	var both sync.WaitGroup
	for i, x := range []lease.Acquisition{a, b} {
		both.Go(func() { _, errs[i] = s.Renew(soon(t), lease.Renewal{Name: x.Name, ID: x.ID}) })
		until(t, 5*time.Second, "one more call is under way", func() bool { // which they do not share
			s.batch.mu.Lock()
			defer s.batch.mu.Unlock()
			return len(s.batch.calls) == i+1 || swapped.Hits() > 0
		})
	}
	both.Wait()
	if swapped.Hits() == 0 {
		t.Fatal("the fault did not bite")
	}
	for _, err := range errs {
		if !errors.Is(err, lease.ErrUnknown) {
			t.Errorf("Renew answered by another call's reply = %v, want ErrUnknown", err)
		}
	}
	if s.Status().Desynchronised == 0 {
		t.Error("Status().Desynchronised = 0, want the swapped replies counted")
	}
	before := p.Accepted()
	if _, err := s.Renew(soon(t), lease.Renewal{Name: "a", ID: a.ID}); err != nil {
		t.Errorf("Renew on a fresh connection = %v, want nil", err)
	}
	if p.Accepted() == before {
		t.Error("no connection is new, want those from before dropped")
	}
}

// Each command repeated after a lost reply has the effect of one.
func TestEachCommandIsSafeToRepeatAfterALostReply(t *testing.T) {
	s, _, p := behindProxy(t, redisproc.Shared(t))
	a := asking("job")
	l := acquire(t, s, a)

	p.LoseReply(calls(batchScript), 1)
	if _, err := s.Renew(soon(t), lease.Renewal{Name: "job", ID: a.ID}); !errors.Is(err, lease.ErrUnknown) {
		t.Errorf("Renew = %v, want ErrUnknown", err)
	}
	if again, err := s.Renew(soon(t), lease.Renewal{Name: "job", ID: a.ID}); err != nil || again.Token != l.Token {
		t.Errorf("Renew again = %v, %v, want token %v", again.Token, err, l.Token)
	}

	p.LoseReply(calls(batchScript), 1)
	if _, err := s.Release(soon(t), lease.ReleaseRequest{Name: "job", ID: a.ID}); !errors.Is(err, lease.ErrUnknown) {
		t.Errorf("Release = %v, want ErrUnknown", err)
	}
	other := asking("job")
	next := acquire(t, s, other)
	if got, err := s.Release(soon(t), lease.ReleaseRequest{Name: "job", ID: a.ID}); err != nil || got.Outcome != lease.HeldByOther {
		t.Errorf("Release again = %v, %v, want HeldByOther", got.Outcome, err)
	}

	p.LoseReply(calls(freeScript), 1)
	if _, err := s.ForceRelease(soon(t), lease.ForceRequest{Name: "job", Token: next.Token}); !errors.Is(err, lease.ErrUnknown) {
		t.Errorf("ForceRelease = %v, want ErrUnknown", err)
	}
	third := acquire(t, s, asking("job"))
	var stale *lease.TokenError
	if _, err := s.ForceRelease(soon(t), lease.ForceRequest{Name: "job", Token: next.Token}); !errors.As(err, &stale) || stale.InForce.Token != third.Token {
		t.Errorf("ForceRelease again = %v, want a *TokenError that names token %d", err, third.Token)
	}
}

// Reckoning Redis's clock wrongly costs a round trip, not the call: LATE teaches the right time.
func TestALateAnswerMendsTheClock(t *testing.T) {
	s := open(t, redisproc.Shared(t).URL())
	s.clock.Learn(time.Now(), time.Now().Add(-time.Hour).UnixMicro()) // as if Redis's clock had jumped an hour ahead
	acquire(t, s, asking("job"))
}

// A call that found no free connection was certainly not sent.
func TestACallWithoutAConnectionIsCertain(t *testing.T) {
	s := open(t, redisproc.Shared(t).URL())
	for range maxCalls {
		s.calls <- struct{}{}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	l := acquire(t, s, asking("job")) // shared calls have connections of their own
	force := lease.ForceRequest{Name: "job", Token: l.Token}
	if _, err := s.ForceRelease(ctx, force); !errors.Is(err, lease.ErrUnavailable) || errors.Is(err, lease.ErrUnknown) {
		t.Errorf("ForceRelease = %v, want ErrUnavailable and not ErrUnknown", err)
	}
	<-s.calls
	if _, err := s.ForceRelease(soon(t), force); err != nil {
		t.Errorf("ForceRelease with a connection = %v, want nil", err)
	}
}

// An undo returns only when the execution can arrive no more: before that, "not there" is no answer.
func TestAnUndoWaitsForWhatIsStillUnderWay(t *testing.T) {
	t.Parallel()
	s := open(t, redisproc.Start(t).URL())
	u := undoing(asking("job"))
	u.Deadline = time.Now().Add(300 * time.Millisecond)
	if err := s.Undo(t.Context(), u); err != nil {
		t.Fatalf("Undo = %v", err)
	}
	if early := time.Until(u.Deadline); early > 0 {
		t.Errorf("Undo returned %s before the execution's deadline", early)
	}
}
