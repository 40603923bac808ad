package redlock

import (
	"errors"
	"testing"
	"time"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/test/proxy"
	"github.com/lockd/lockd/test/redisproc"
)

// nodeDeadline is what a node has to answer here, and within what, and little more, everything is to be done.
const (
	nodeDeadline = 250 * time.Millisecond
	littleMore   = 50 * time.Millisecond
)

// hurting is what networks do to a node, and how it ends.
type hurting struct {
	hurt func(*proxy.Proxy)
	heal func(*testing.T, *proxy.Proxy)
}

var cut = hurting{
	func(p *proxy.Proxy) { p.Refuse(); p.Cut() },
	func(t *testing.T, p *proxy.Proxy) { must(t, p.Accept()) },
}

// allBehind is a store on five nodes, each reached through a proxy.
func allBehind(t *testing.T) (*Store, []*proxy.Proxy) {
	t.Helper()
	c := Config{NodeTimeout: nodeDeadline, MaxTTL: time.Hour, Notice: func(msg string) { t.Log("notice:", msg) }}
	var proxies []*proxy.Proxy
	for _, s := range redisproc.SharedNodes(t, 5) {
		p := proxy.Redis(t, s.Addr())
		proxies = append(proxies, p)
		c.URLs = append(c.URLs, "redis://"+p.Addr())
	}
	s, err := Open(t.Context(), c)
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s, proxies
}

// With three of five cut off nothing is granted, everybody is told so in time, and nothing is left; 2 s after they are
// back there is service.
func TestThreeOfFiveAreCutOffAndComeBack(t *testing.T) {
	s, proxies := allBehind(t)
	held := leaseOf("held")
	first := s.granted(t, held)
	for _, p := range proxies[:3] {
		cut.hurt(p)
	}
	for range 4 {
		began := time.Now()
		if l, err := s.Acquire(soon(t), leaseOf("job")); !errors.Is(err, lease.ErrUnknown) && !errors.Is(err, lease.ErrUnavailable) {
			t.Errorf("Acquire on two nodes of five = %+v, %v, want ErrUnavailable", l, err)
		}
		if took := time.Since(began); took > nodeDeadline+littleMore {
			t.Errorf("it took %s, want no more than %s and %s", took, nodeDeadline, littleMore)
		}
	}
	until(t, 2*time.Second, "nothing is left at the other two", func() bool {
		return s.at(t, 3, "job") == nil && s.at(t, 4, "job") == nil
	})
	for _, p := range proxies[:3] {
		cut.heal(t, p)
	}
	back := time.Now()
	until(t, 2*time.Second, "the name is granted", func() bool {
		l, err := s.Acquire(soon(t), leaseOf("job"))
		return err == nil && l.Token > first.Token
	})
	if _, err := s.Renew(soon(t), lease.Renewal{Name: held.Name, ID: held.ID}); err != nil {
		t.Errorf("Renew = %v, want nil: it has not run out", err)
	}
	t.Logf("service was back after %s", time.Since(back))
}
