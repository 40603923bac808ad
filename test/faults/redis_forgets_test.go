package faults

import (
	"context"
	"errors"
	"testing"

	lockd "github.com/lockd/lockd/clients/go"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
	"github.com/lockd/lockd/test/redisproc"
)

// Whatever makes Redis forget, the next token is larger than every token before it; the former holder
// is told that its lease is gone, and its release touches nobody.
func TestTokensIncreaseWhenRedisForgets(t *testing.T) {
	for name, forget := range map[string]func(*testing.T, *redisproc.Server){
		"FLUSHALL":             func(t *testing.T, r *redisproc.Server) { redisproc.Flush(t, r) },
		"restart without data": func(t *testing.T, r *redisproc.Server) { r.Kill(); r.Restart() },
	} {
		t.Run(name, func(t *testing.T) {
			r := redisproc.Start(t)
			s := start(t, r.URL())
			c := dial(t, s.Addr())
			before := take(t, c, "job", ttl)
			last := before.Token()
			for range 100 { // tokens run ahead of nothing: they are never far from the clock
				other := take(t, c, "other", ttl)
				last = max(last, other.Token())
				if err := other.Release(soon(t)); err != nil {
					t.Fatal(err)
				}
			}

			forget(t, r)
			next := take(t, dial(t, s.Addr()), "job", ttl)
			if next.Token() <= last {
				t.Errorf("token after %s = %d, want more than %d", name, next.Token(), last)
			}
			<-before.Context().Done()
			if cause := context.Cause(before.Context()); !errors.Is(cause, lockd.ErrLost) {
				t.Errorf("the former holder was told %v, want ErrLost", cause)
			}
			s.release(t, "job", before.ID(), lockdv1.ReleaseResponse_HELD_BY_OTHER)
			if held := s.get(t, "job"); held.GetToken() != next.Token() {
				t.Errorf("after the former holder's release %v holds the name, want token %d", held, next.Token())
			}
		})
	}
}

// Scripts that Redis has forgotten are sent again: nobody notices.
func TestScriptFlush(t *testing.T) {
	r := redisproc.Start(t)
	s := start(t, r.URL())
	flush := func() {
		t.Helper()
		if err := redisClient(t, r).ScriptFlush(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
	}
	id := newID(t)
	flush()
	first := s.acquire(t, request("job", id, 1))
	flush()
	if _, err := s.lease.Renew(soon(t), &lockdv1.RenewRequest{Name: "job", LeaseId: id}); err != nil {
		t.Errorf("Renew = %v, want nil", err)
	}
	flush()
	if held := s.get(t, "job"); held.GetToken() != first.GetToken() {
		t.Errorf("Get = %v, want token %d", held, first.GetToken())
	}
	flush()
	if _, err := s.lease.List(soon(t), &lockdv1.ListRequest{}); err != nil {
		t.Errorf("List = %v, want nil", err)
	}
	flush()
	s.release(t, "job", id, lockdv1.ReleaseResponse_HELD)
	flush()
	second := s.acquire(t, request("job", newID(t), 1))
	if second.GetToken() <= first.GetToken() {
		t.Errorf("token went from %d to %d, want larger", first.GetToken(), second.GetToken())
	}
	flush()
	if _, err := s.admin.ForceRelease(soon(t), &lockdv1.ForceReleaseRequest{Name: "job", Token: second.GetToken(), Reason: "test"}); err != nil {
		t.Errorf("ForceRelease = %v, want nil", err)
	}
}

// A Redis that syncs always loses no lease when it is killed.
func TestRedisKilledThatSyncsAlways(t *testing.T) {
	r := redisproc.Start(t, redisproc.Args("--appendonly", "yes", "--appendfsync", "always"))
	s := start(t, r.URL())
	l := take(t, dial(t, s.Addr()), "job", ttl)
	r.Kill()
	r.Restart()
	if held := s.getAgain(t, "job"); held.GetToken() != l.Token() {
		t.Errorf("after Redis's restart %v holds the name, want token %d", held, l.Token())
	}
	wantAllLiveOn(t, []*lockd.Lease{l}, l.Deadline().Add(-l.TTL()))
	if err := l.Release(soon(t)); err != nil {
		t.Errorf("Release = %v, want nil", err)
	}
}

// getAgain is get while Redis may not be reachable.
func (s *server) getAgain(t *testing.T, name string) (held *lockdv1.Lease) {
	t.Helper()
	until(t, "Redis is reached", func() bool {
		resp, err := s.lease.Get(soon(t), &lockdv1.GetRequest{Name: name})
		held = resp.GetLease()
		return err == nil
	})
	return held
}
