package redlock

import (
	"errors"
	"testing"
	"time"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/test/proxy"
)

// An acquisition whose client was told a token grants nothing anew, so when it fails there is nothing to undo: what
// stands is what the client counts on, also at a node that has taken note of the attempt and whose answer was lost.
func TestAToldAcquisitionThatFailsUndoesNothing(t *testing.T) {
	s, _, p := behind(t, 3)
	a := leaseOf("job")
	first := s.granted(t, a)
	until(t, 5*time.Second, "all three have the lease", func() bool {
		got, err := s.Get(soon(t), lease.GetRequest{Name: "job"})
		return err == nil && got.Nodes == 3
	})
	out := s.queues[1].node
	was := out.standing.Load()
	out.standing.Store(&standing{run: was.run, marker: was.marker, out: "the test says so"})
	lost := p.LoseReply(proxy.Contains("ACQUIRE", string(a.ID)), 1)
	again := a
	again.Tag, again.Told = lease.Tag{Attempt: 2, Exec: leaseOf("").Tag.Exec}, first.Token
	if _, err := s.Acquire(soon(t), again); !errors.Is(err, lease.ErrUnknown) {
		t.Fatalf("Acquire with one answer of three = %v, want ErrUnknown", err)
	}
	<-lost.Bitten()
	s.asks(t, 2, ask{name: "job", kind: kindLook, until: time.Now().Add(callTimeout)}) // after what was put there before
	if v := s.at(t, 2, "job"); v == nil || v.token != int64(first.Token) {
		t.Errorf("node 3 has %+v, want the lease still", v)
	}
	if l, err := s.Renew(soon(t), lease.Renewal{Name: "job", ID: a.ID}); err != nil || l.Token != first.Token {
		t.Errorf("Renew = token %d, %v, want %d: its client was told of it", l.Token, err, first.Token)
	}
}
