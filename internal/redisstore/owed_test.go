package redisstore

import (
	"testing"
	"time"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/test/proxy"
	"github.com/lockd/lockd/test/redisproc"
)

// What our own askings may still do, or have done, for those who have gone.

// many is more often than anything is tried in a test.
const many = 1000

// shortWait puts one into line whose wait, and whose lease, are soon over.
func shortWait(t *testing.T, s *Store) turn {
	t.Helper()
	w := waiting("job")
	w.TTL, w.Until = 100*time.Millisecond, time.Now().Add(callTimeout+500*time.Millisecond)
	enqueued(t, s, w)
	return w
}

// What is owed is tried until nothing can be left to undo, not for less: Redis may hand the name over when it is
// back. Errands do not keep it waiting, nor it them.
func TestWhatIsOwedIsTriedUntilItHasRunOut(t *testing.T) {
	t.Parallel()
	for what, leaves := range map[string]func(*testing.T, *Store, *proxy.Proxy, turn){
		"an asking of unknown outcome": func(_ *testing.T, s *Store, _ *proxy.Proxy, w turn) {
			s.waiters.askAgain("job", w.ID, time.Now().Add(callTimeout))
			s.waiters.turn("job", w.ID, w.Tag, handover(7))
			s.outlast("job", w.ID, false)
		},
		"an asking that is answered after the turn": func(t *testing.T, s *Store, p *proxy.Proxy, w turn) {
			late := p.DelayReply(calls(queueScript))
			asked := make(chan struct{})
			go func() { s.askFor("job", w.ID); close(asked) }()
			until(t, 5*time.Second, "it is asked for", func() bool { return late.Hits() == 1 })
			s.waiters.turn("job", w.ID, w.Tag, handover(7))
			late.Release()
			<-asked
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			s, _, p := behindProxy(t, redisproc.Start(t))
			for range maxErrands {
				s.errands <- struct{}{}
			}
			acquire(t, s, asking("job"))
			w := shortWait(t, s)
			p.LoseReply(calls(leaveScript), many)
			leaves(t, s, p, w)
			if len(s.owed) != 1 {
				t.Fatalf("%d undoings are owed, want one", len(s.owed))
			}
			until(t, lease.KeepPlace/2, "nothing is owed", func() bool { return len(s.owed) == 0 })
			if left := time.Until(w.Until.Add(w.TTL + lease.Grace(w.TTL))); left > 0 {
				t.Errorf("given up %s before it has run out", left)
			}
		})
	}
}

// Whatever an asking may get, at once or by a hand-over, has run out when it is given up.
func TestADoubtLastsAsLongAsWhatMayComeOfIt(t *testing.T) {
	for what, wait := range map[string]time.Duration{"handed over": time.Hour, "granted": -time.Hour} {
		ws, w, deadline := newWaiters(), waiting("job"), time.Now().Add(callTimeout)
		w.Until = time.Now().Add(wait)
		entered(t, ws, w, 1)
		ws.askAgain("job", w.ID, deadline)
		ws.turn("job", w.ID, w.Tag, handover(7))
		d, is := ws.doubt("job", w.ID)
		for _, last := range []time.Time{w.Until, deadline} {
			if end := last.Add(w.TTL + lease.Grace(w.TTL)); !is || d.over.Before(end) {
				t.Errorf("%s: in doubt: %v, until %s before it has run out", what, is, end.Sub(d.over))
			}
		}
	}
}

// Who has gone during an outage of Redis is not left with the name when it is back.
func TestWhoHasGoneDuringAnOutageIsNotLeftWithTheName(t *testing.T) {
	t.Parallel()
	s, direct, p := behindProxy(t, redisproc.Start(t))
	holder := asking("job")
	acquire(t, direct, holder)
	gone, second := queued(t, s, "job"), queued(t, s, "job")
	s.waiters.askAgain("job", gone.ID, time.Now().Add(callTimeout))
	s.waiters.turn("job", gone.ID, gone.Tag, handover(7)) // of a lease that has ended meanwhile: its place is a late asking's
	p.Refuse()
	p.Cut()
	s.outlast("job", gone.ID, false)
	freed(t, direct, "job", holder.ID)
	if err := p.Accept(); err != nil {
		t.Fatal(err)
	}
	second.within(t, 5*time.Second)
}
