package redlock

import (
	"bytes"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/test/redisproc"
)

// A name that comes free is asked for at once if who is here has waited the longest, and a moment later if somebody has elsewhere.
func TestANameIsLeftToWhoHasWaitedTheLongest(t *testing.T) {
	s := opening(t, redisproc.SharedNodes(t, 3), callTimeout)
	s.granted(t, leaseOf("job"))
	a := leaseOf("job")
	a.Until, a.Turn = time.Now().Add(time.Minute), func(lease.Handover) {}
	if _, err := s.Acquire(soon(t), a); !errors.As(err, new(*lease.HeldError)) {
		t.Fatalf("Acquire(held) = %v, want a place", err)
	}
	for next, least := range map[string]time.Duration{"0123456789abcdef": courtesy / 2, s.instance: 0, "": 0} {
		now := s.lines.lock()
		l := s.lines.byName["job"]
		l.rings = now.Add(time.Hour) // as it is while the name is held
		s.lines.wakeLocked("job", l, next, now)
		in := l.rings.Sub(now)
		l.timer.Stop()
		s.lines.unlock()
		if in < least || in > least*3 {
			t.Errorf("with %q next it is asked for in %s, want %s to %s", next, in, least, 3*least)
		}
	}
}

// redsync is asked when its verdict is sure: its goroutines, one for each node, are not there while the nodes are.
func TestRedsyncIsAskedWhenItsVerdictIsSure(t *testing.T) {
	s, proxies := allBehind(t)
	for _, p := range proxies {
		p.HoldRequests()
	}
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		_, _ = s.Acquire(soon(t), leaseOf("job"))
	}()
	stacks := func() []byte {
		text := make([]byte, 1<<20)
		return text[:runtime.Stack(text, true)]
	}
	until(t, 5*time.Second, "the nodes are being asked", func() bool { return bytes.Contains(stacks(), []byte("(*round).lock(")) })
	for range 20 {
		if text := stacks(); bytes.Contains(text, []byte("(*round).lock(")) && bytes.Contains(text, []byte("actOnPoolsAsync")) {
			t.Fatal("redsync waits for nodes that have not answered")
		}
		runtime.Gosched()
	}
	for _, p := range proxies {
		p.Release()
	}
	<-asked
}
