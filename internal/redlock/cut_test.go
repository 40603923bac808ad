package redlock

import (
	"errors"
	"fmt"
	"slices"
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

var (
	cut = hurting{
		func(p *proxy.Proxy) { p.Refuse(); p.Cut() },
		func(t *testing.T, p *proxy.Proxy) { must(t, p.Accept()) },
	}
	slowed = hurting{
		func(p *proxy.Proxy) { p.Slow(time.Second) },
		func(_ *testing.T, p *proxy.Proxy) { p.Slow(0) },
	}
)

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

// ledger keeps the last token of each name and how long everything took.
type ledger struct {
	last map[string]lease.Token
	took []time.Duration
}

func (l *ledger) timed(t *testing.T, what string, f func() error) {
	t.Helper()
	began := time.Now()
	if err := f(); err != nil {
		t.Errorf("%s = %v, want nil", what, err)
	}
	l.took = append(l.took, time.Since(began))
}

// pair grants and releases a name and renews held.
func (l *ledger) pair(t *testing.T, s *Store, held, a lease.Acquisition) {
	t.Helper()
	l.timed(t, "Acquire", func() error {
		got, err := s.Acquire(soon(t), a)
		if err == nil && got.Token <= l.last[a.Name] {
			t.Errorf("token of %q went from %d to %d, want larger", a.Name, l.last[a.Name], got.Token)
		}
		l.last[a.Name] = max(l.last[a.Name], got.Token)
		return err
	})
	l.timed(t, "Renew", func() error {
		_, err := s.Renew(soon(t), lease.Renewal{Name: held.Name, ID: held.ID})
		return err
	})
	l.timed(t, "Release", func() error {
		got, err := s.Release(soon(t), lease.ReleaseRequest{Name: a.Name, ID: a.ID})
		if err == nil && got.Outcome != lease.Held {
			return fmt.Errorf("it was not held: %v", got.Outcome)
		}
		return err
	})
}

// While two of five are slow or cut off, each in its turn, the three others go on without waiting for them; and those
// two count again by themselves, since the next two leave no quorum without them.
func TestAnyTwoOfFive(t *testing.T) {
	for what, how := range map[string]hurting{"slow": slowed, "cut off": cut} {
		t.Run(what, func(t *testing.T) {
			s, proxies := allBehind(t)
			held, l := leaseOf("held"), &ledger{last: make(map[string]lease.Token)}
			s.granted(t, held)
			for _, two := range [][2]int{{0, 1}, {2, 3}, {4, 0}} {
				for _, i := range two {
					how.hurt(proxies[i])
				}
				for i := range 24 {
					l.pair(t, s, held, leaseOf(fmt.Sprintf("job/%d", i%7)))
				}
				for _, i := range two {
					how.heal(t, proxies[i])
				}
				until(t, 8*time.Second, fmt.Sprintf("nodes %v count again, and what was released elsewhere is there, too", two), func() bool {
					for name := range l.last {
						if s.at(t, two[0], name) != nil || s.at(t, two[1], name) != nil {
							return false
						}
					}
					_, renewed := s.Renew(soon(t), lease.Renewal{Name: held.Name, ID: held.ID})
					got, err := s.Get(soon(t), lease.GetRequest{Name: held.Name})
					return renewed == nil && err == nil && got.Nodes == 5
				})
			}
			slices.Sort(l.took)
			if p99 := l.took[len(l.took)*99/100]; p99 > nodeDeadline+littleMore {
				t.Errorf("p99 = %s, want no more than %s and %s", p99, nodeDeadline, littleMore)
			}
			t.Logf("%d calls: p50 %s, p99 %s, largest %s", len(l.took), l.took[len(l.took)/2], l.took[len(l.took)*99/100], l.took[len(l.took)-1])
		})
	}
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
