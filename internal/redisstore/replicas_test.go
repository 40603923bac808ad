package redisstore

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/test/redisproc"
)

// withReplica starts a primary and a replica, and a store whose leases the replica has to have.
func withReplica(t *testing.T) (s *Store, primary, replica *redisproc.Server, direct *redis.Client) {
	t.Helper()
	primary = redisproc.Start(t, redisproc.TCP(), redisproc.Args("--repl-diskless-sync-delay", "0"))
	host, port, _ := strings.Cut(primary.Addr(), ":")
	replica = redisproc.Start(t, redisproc.Args("--replicaof", host+" "+port))
	direct = client(t, primary)
	until(t, 20*time.Second, "the replica confirms", func() bool { // it is said to be online before that
		direct.Set(t.Context(), "warm", "", 0)
		n, _ := direct.Do(t.Context(), "WAIT", 1, 1000).Int()
		return n == 1
	})
	s, err := Open(t.Context(), Config{URL: primary.URL(), MinReplicas: 1})
	if err != nil {
		t.Fatalf("Open = %v", err)
	}
	t.Cleanup(func() { s.Close() })
	return s, primary, replica, direct
}

// What is told has been replicated; what is not replicated in time is not told, and undone if nobody asks again.
func TestAGrantIsToldWhenReplicasHaveIt(t *testing.T) {
	t.Parallel()
	s, _, replica, direct := withReplica(t)
	after := client(t, replica)
	held := asking("held")
	var told lease.Lease
	until(t, 5*time.Second, "a lease is told", func() bool { // a busy machine may take longer than replicas have
		var err error
		told, err = s.Acquire(soon(t), held)
		held = retry(held)
		return err == nil
	})
	if n, _ := after.Exists(t.Context(), s.keys.lock("held")).Result(); n != 1 {
		t.Error("the replica does not have a lease that was told")
	}
	if fence := after.Get(t.Context(), s.keys.fence()).Val(); fence != fmt.Sprint(told.Token) {
		t.Errorf("the replica has the fence %q, want %d: it grants larger tokens than what was told", fence, told.Token)
	}
	replica.Pause()
	lost, again := asking("lost"), asking("again")
	for _, a := range []lease.Acquisition{lost, again} {
		if _, err := s.Acquire(soon(t), a); !errors.Is(err, lease.ErrUnknown) || !strings.Contains(err.Error(), "replicas") {
			t.Errorf("Acquire with a mute replica = %v, want ErrUnknown that names replicas", err)
		}
	}
	if _, err := s.Renew(soon(t), lease.Renewal{Name: "held", ID: held.ID}); !errors.Is(err, lease.ErrUnknown) {
		t.Errorf("Renew with a mute replica = %v, want ErrUnknown", err)
	}
	if got, err := s.Release(soon(t), lease.ReleaseRequest{Name: "held", ID: held.ID}); err != nil || got.Outcome != lease.Held {
		t.Errorf("Release with a mute replica = %v, %v, want Held", got.Outcome, err)
	}
	deadline := time.Now().Add(callTimeout)
	if err := s.Undo(t.Context(), lease.Undoing{Name: "lost", ID: lost.ID, Tag: lost.Tag, Deadline: deadline}); err != nil {
		t.Errorf("Undo = %v", err)
	}
	if held := direct.Exists(t.Context(), s.keys.lock("lost")).Val(); held != 0 {
		t.Error("what was undone stands still")
	}
	replica.Resume()
	until(t, 5*time.Second, "the retry is told", func() bool {
		_, err := s.Acquire(soon(t), retry(again))
		return err == nil
	})
}

// A turn in line is told when it is replicated, too.
func TestATurnIsToldWhenReplicasHaveIt(t *testing.T) {
	t.Parallel()
	s, _, replica, _ := withReplica(t)
	held := asking("job")
	until(t, 5*time.Second, "a lease is told", func() bool {
		_, err := s.Acquire(soon(t), held)
		held = retry(held)
		return err == nil
	})
	w := queued(t, s, "job")
	replica.Pause()
	if _, err := s.Release(soon(t), lease.ReleaseRequest{Name: "job", ID: held.ID}); err != nil {
		t.Errorf("Release = %v", err)
	}
	select {
	case h := <-w.came:
		t.Errorf("the turn was told with token %d, want it withheld", h.Lease.Token)
	case <-time.After(time.Second):
	}
	replica.Resume()
	w.within(t, 5*time.Second)
}

// Without enough replicas the store is not ready, and says why.
func TestTooFewReplicas(t *testing.T) {
	t.Parallel()
	s, _, replica, _ := withReplica(t)
	if got := s.Status().Refusal; got != "" {
		t.Errorf("Status().Refusal = %q, want none", got)
	}
	replica.Kill()
	until(t, 10*time.Second, "the reason", func() bool { return strings.Contains(s.Status().Refusal, "want 1, as --redis-min-replicas says") })
	replica.Restart()
	until(t, 20*time.Second, "it is ready again", func() bool { return s.Status().Refusal == "" })

}
