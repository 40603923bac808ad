//go:build !race

package deadlinetest

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	lockd "github.com/lockd/lockd/clients/go"
	"github.com/lockd/lockd/clients/go/lockdtest"
	"github.com/lockd/lockd/test/proxy"
)

// bound is how long after the safe deadline a context may take to end.
const bound = 50 * time.Millisecond

func TestMain(m *testing.M) {
	if addr := os.Getenv(addrVariable); addr != "" {
		hold(addr)
		return
	}
	goleak.VerifyTestMain(m)
}

// When lockd is unreachable the context of a lease ends at its safe deadline, not before and no later
// than 50 ms after it, with ErrExpired as cause; so does what derives from it.
func TestUnreachable(t *testing.T) {
	for name, cutOff := range map[string]func(*testing.T, *lockdtest.Server, *proxy.Proxy){
		"stopped": func(t *testing.T, s *lockdtest.Server, _ *proxy.Proxy) { s.Stop(t) },
		"mute":    func(_ *testing.T, _ *lockdtest.Server, p *proxy.Proxy) { p.HoldReplies() },
		"cut":     func(_ *testing.T, _ *lockdtest.Server, p *proxy.Proxy) { p.Refuse(); p.Cut() },
	} {
		t.Run(name, func(t *testing.T) {
			server := lockdtest.Start(t)
			p := proxy.GRPC(t, server.Addr())
			c, err := lockd.Dial(p.Addr())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()

			const leases = 50
			ends := make(chan end, leases)
			for i := range leases {
				l, err := c.Acquire(t.Context(), fmt.Sprint(i), lockd.WithTTL(700*time.Millisecond))
				if err != nil {
					t.Fatal(err)
				}
				watch(l, ends)
			}
			cutOff(t, server, p)
			for range leases {
				(<-ends).check(t)
			}
			p.Release()
		})
	}
}

// end is how a lease ended.
type end struct {
	late  time.Duration // after its deadline
	cause error
}

// watch reports when a context derived from l's has ended.
func watch(l *lockd.Lease, ends chan<- end) {
	derived, cancel := context.WithCancel(l.Context())
	go func() {
		defer cancel()
		<-derived.Done()
		ends <- end{late: time.Since(l.Deadline()), cause: context.Cause(derived)}
	}()
}

func (e end) check(t *testing.T) {
	t.Helper()
	if e.late < 0 || e.late > bound || e.cause != lockd.ErrExpired {
		t.Errorf("ended %s after the safe deadline with %v, want 0 to %s and ErrExpired", e.late, e.cause, bound)
	}
}
