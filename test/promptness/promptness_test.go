//go:build !race

package promptness

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"go.uber.org/goleak"

	lockd "github.com/lockd/lockd/clients/go"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
	"github.com/lockd/lockd/test/fleet"
	"github.com/lockd/lockd/test/lockdproc"
	"github.com/lockd/lockd/test/redisproc"
)

// bound is how long a holder may believe in a lease that has been taken from it.
const bound = 100 * time.Millisecond

// rounds is how often each test looks.
const rounds = 20

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(lockdproc.Main{M: redisproc.Main{M: m}})
}

// Whichever lockd an operator forces a lease at, its holder's context ends within 100 ms of the call, and
// says who did it and why.
func TestForced(t *testing.T) {
	f := fleet.Start(t, 2)
	admin := lockdv1.NewAdminServiceClient(lockdproc.Conn(t, f.Lockds[1].Addr()))
	c := dial(t, f.Target(0))
	for i := range rounds {
		l := acquire(t, c, fmt.Sprint("job/", i))
		forced := time.Now()
		_, err := admin.ForceRelease(soon(t), &lockdv1.ForceReleaseRequest{Name: l.Name(), Token: l.Token(), Reason: "it hangs", By: "ops"})
		if err != nil {
			t.Fatal(err)
		}
		var why *lockd.ForcedError
		if cause := ended(t, l, forced); !errors.As(cause, &why) || why.By != "ops" || why.Reason != "it hangs" {
			t.Errorf("the cause is %v, want that ops forced it because it hangs", cause)
		}
	}
}

// A holder whose name the store has forgotten, and lockd granted to another, hears of it at once, not at its
// next renewal.
func TestGrantedToAnother(t *testing.T) {
	f := fleet.Start(t, 1)
	redis := f.Redis.Client()
	defer redis.Close()
	c, other := dial(t, f.Target(0)), dial(t, f.Target(0))
	for i := range rounds {
		l := acquire(t, c, fmt.Sprint("job/", i))
		if n, err := redis.Del(t.Context(), "lockd:{0}:lock:"+l.Name()).Result(); n != 1 || err != nil {
			t.Fatalf("DEL of the lock = %d, %v, want 1", n, err)
		}
		taken := time.Now()
		acquire(t, other, l.Name())
		if cause := ended(t, l, taken); !errors.Is(cause, lockd.ErrLost) {
			t.Errorf("the cause is %v, want ErrLost", cause)
		}
	}
}

// ended waits for the end of l's context, which must come within bound of since, and returns its cause.
func ended(t *testing.T, l *lockd.Lease, since time.Time) error {
	t.Helper()
	select {
	case <-l.Context().Done():
	case <-soon(t).Done():
		t.Fatal("the lease does not end")
	}
	if took := time.Since(since); took > bound {
		t.Errorf("the holder heard of it after %s, want within %s", took, bound)
	}
	return context.Cause(l.Context())
}

func dial(t *testing.T, target string) *lockd.Client {
	t.Helper()
	c, err := lockd.Dial(target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() }) // what was taken from it cannot be released
	return c
}

func acquire(t *testing.T, c *lockd.Client, name string) *lockd.Lease {
	t.Helper()
	l, err := c.Acquire(soon(t), name, lockd.WithTTL(time.Minute))
	if err != nil {
		t.Fatalf("Acquire(%s) = %v", name, err)
	}
	return l
}

func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}
