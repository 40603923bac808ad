package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/test/redisproc"
)

// toldOf are the leases that somebody was told of, and what others were told instead.
type toldOf struct {
	mu       sync.Mutex
	held     map[string]lease.ID
	unproven int // who was told that too few replicas have it
	wrong    []error
}

func (o *toldOf) note(name string, id lease.ID, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case err == nil:
		o.held[name] = id
	case errors.Is(err, lease.ErrUnknown) && strings.Contains(err.Error(), "replicas"):
		o.unproven++
	case !errors.Is(err, lease.ErrUnknown) && !errors.Is(err, lease.ErrUnavailable) && !errors.Is(err, lease.ErrGrantsRefused):
		o.wrong = append(o.wrong, err)
	}
}

func (o *toldOf) counts() (held, unproven int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.held), o.unproven
}

// What was told to have been granted stands after a fail-over to the replica that confirmed it, though that one had
// not heard of the last that the primary did; and what it had not is told to be in doubt, and is gone afterwards.
func testFailoverWithMinReplicas(t *testing.T, g *redisproc.Group) {
	s, err := Open(t.Context(), Config{URL: g.URL(), MinReplicas: 1})
	if err != nil {
		t.Fatalf("Open = %v", err)
	}
	defer s.Close()
	lessor := lease.NewLessor(s, lease.Limits{}.WithDefaults())
	told := toldOf{held: make(map[string]lease.ID)}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var working sync.WaitGroup
	ttl := time.Minute
	for i := range hands {
		working.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				name, id := fmt.Sprintf("told/%d/%d", i, n), newID()
				_, err := lessor.Acquire(t.Context(), lease.AcquireRequest{Name: name, ID: id, Attempt: 1, Owner: "hand", TTL: &ttl})
				if told.note(name, id, err); err != nil {
					sleep(ctx, 5*time.Millisecond)
				}
			}
		})
	}
	until(t, 20*time.Second, "leases are told", func() bool { held, _ := told.counts(); return held > 200 })

	old := g.Primary()
	direct := client(t, old)
	direct.Do(t.Context(), "ACL", "SETUSER", "default", "-psync", "-sync") // the replica does not come back
	direct.Do(t.Context(), "CLIENT", "KILL", "TYPE", "replica")
	until(t, 20*time.Second, "some leases are in doubt", func() bool { _, unproven := told.counts(); return unproven > hands })
	old.Kill()
	now := g.AwaitPrimary(old)
	stop()
	working.Wait()

	after := client(t, now)
	for name, id := range told.held {
		if value := after.Get(t.Context(), s.keys.lock(name)).Val(); !strings.HasPrefix(value, string(id)+"|") {
			t.Errorf("%s is %q at the new primary, want the lease that was told", name, value)
		}
	}
	if len(told.wrong) > 0 {
		t.Errorf("Acquire = %v, and %d more, want what can be tried again", told.wrong[0], len(told.wrong)-1)
	}
	old.Restart()
	host, port, _ := strings.Cut(now.Addr(), ":")
	client(t, old).Do(t.Context(), "REPLICAOF", host, port) // the sentinels would do so after a while
	until(t, 20*time.Second, "leases are told again", func() bool {
		name, id := "told/after", newID()
		_, err := lessor.Acquire(t.Context(), lease.AcquireRequest{Name: name, ID: id, Attempt: 1, Owner: "hand", TTL: &ttl})
		told.note(name, id, err)
		return err == nil
	})
	until(t, 20*time.Second, "nothing stands but what was told", func() bool {
		held, _ := told.counts()
		locks, err := after.Keys(t.Context(), "*:lock:told/*").Result()
		return err == nil && len(locks) == held && lessor.Status().PendingCleanups == 0
	})
	if err := lessor.Close(t.Context()); err != nil {
		t.Errorf("Close = %v", err)
	}
}
