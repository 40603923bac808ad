package redlock

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/internal/redisconn"
	"github.com/lockd/lockd/test/proxy"
	"github.com/lockd/lockd/test/redisproc"
)

// What was released while a node was away is released there as soon as it answers anybody again: it would stand in the way of who
// asks next, as soon as another node fails.
func TestWhatWasReleasedMeanwhileIsFreedAtOnce(t *testing.T) {
	s, _, p := behind(t, 3)
	var held []lease.Acquisition
	for i := range 2 * maxBatch {
		a := leaseOf(fmt.Sprintf("job/%d", i))
		s.granted(t, a)
		held = append(held, a)
	}
	until(t, 5*time.Second, "node 3 has all", func() bool { return s.at(t, 2, held[len(held)-1].Name) != nil })
	cut.hurt(p)
	for _, a := range held {
		s.gives(t, a)
	}
	cut.heal(t, p)
	until(t, 5*time.Second, "node 3 answers", func() bool {
		probe := leaseOf("probe")
		s.granted(t, probe)
		defer s.gives(t, probe)
		return s.at(t, 2, "probe") != nil
	})
	until(t, owedEvery, "nothing is left at node 3", func() bool {
		for _, a := range held {
			if s.at(t, 2, a.Name) != nil {
				return false
			}
		}
		return true
	})
}

// Where a node is not tried by itself for long, any answer of its has it asked for what it owes.
func TestAnyAnswerHasANodeAskedForWhatItOwes(t *testing.T) {
	s := opening(t, redisproc.SharedNodes(t, 3), callTimeout)
	a := leaseOf("job")
	s.granted(t, a)
	until(t, 5*time.Second, "node 3 has it too", func() bool { return s.at(t, 2, "job") != nil })
	s.owed[2].mute.Store(true) // so that what is added has nobody try
	s.owes(2, releasing(lease.ReleaseRequest{Name: "job", ID: a.ID}, time.Time{}), time.Now(), func(said answer) (bool, time.Time) { return did(said), again(said) })
	s.granted(t, leaseOf("probe"))
	until(t, 5*time.Second, "nothing is left at node 3", func() bool { return s.at(t, 2, "job") == nil })
}

// A debt that is paid, or that nobody can be helped by any more, is forgotten, and there is room for so many only.
func TestDebtsAreBounded(t *testing.T) {
	now := time.Now()
	o := newOwed(nil, 0)
	for range maxOwed + 1 {
		o.add(&debt{next: now, until: now.Add(time.Second)})
	}
	if n := len(o.debts); n != maxOwed {
		t.Errorf("a node owes %d, want %d", n, maxOwed)
	}
	if due, _ := o.take(now.Add(-time.Millisecond)); len(due) != 0 {
		t.Errorf("%d are due before their time, want none", len(due))
	}
	if due, _ := o.take(now); len(due) != maxBatch {
		t.Errorf("%d are tried together, want %d", len(due), maxBatch)
	}
	if due, _ := o.take(now.Add(time.Second)); len(due) != 0 || len(o.debts) != 0 {
		t.Errorf("%d are tried, and %d kept, after what they would free has run out; want none", len(due), len(o.debts))
	}
}

// Of the nodes that decided the first round one may go before the second: then those that answer late make the quorum.
func TestASecondRoundAsksThoseWhoAnswerLate(t *testing.T) {
	s, proxies := allBehind(t)
	for node := range 3 {
		s.raw(t, node, "SET", s.keys.fence(), far+node)
	}
	a := leaseOf("job")
	late := []*proxy.Fault{proxies[3].DelayReply(proxy.Contains(string(a.ID))), proxies[4].DelayReply(proxy.Contains(string(a.ID)))}
	gone := proxies[2].LoseReply(proxy.Contains("COMMIT", string(a.ID)), 1)
	granted := make(chan error, 1)
	go func() {
		_, err := s.Acquire(soon(t), a)
		granted <- err
	}()
	<-gone.Bitten()
	for _, f := range late {
		<-f.Bitten()
		f.Release()
	}
	if err := <-granted; err != nil {
		t.Errorf("Acquire = %v, want nil: four nodes can have its token", err)
	}
}

// A node that cannot do what it owes, as one that takes no writes, is asked again, and not without a pause.
func TestWhatANodeCannotDoIsAskedAgain(t *testing.T) {
	s, all, _ := behind(t, 3)
	a := leaseOf("job")
	s.granted(t, a)
	until(t, 5*time.Second, "node 3 has it too", func() bool { return s.at(t, 2, "job") != nil })
	for _, setting := range [][]any{{"min-replicas-to-write", 1}, {"min-replicas-to-write", 0}} {
		on(t, all[2], append([]any{"CONFIG", "SET"}, setting...)...)
		if setting[1] == 1 {
			if _, err := s.Release(soon(t), lease.ReleaseRequest{Name: "job", ID: a.ID}); err != nil && !errors.Is(err, lease.ErrUnknown) {
				t.Fatalf("Release = %v", err)
			}
		}
	}
	until(t, 5*time.Second, "nothing is left at node 3", func() bool { return s.at(t, 2, "job") == nil })
}

// What is undone is not sure before the deadline that the node was told, by a reckoning of its clock that was ahead by as much as a
// slow look took.
func TestAnUndoIsSureWhateverTheClockWasLearntFrom(t *testing.T) {
	s := opening(t, redisproc.SharedNodes(t, 3), 100*time.Millisecond)
	n := s.queues[0].node
	deadline := time.Now().Add(time.Second)
	n.clock.Learn(time.Now().Add(-redisconn.CallTimeout+20*time.Millisecond), time.Now().UnixMicro())
	told := n.time(deadline)
	n.clock.Learn(time.Now(), time.Now().UnixMicro())
	if sure := s.sureAt(0, deadline); sure < told {
		t.Errorf("it is sure %d µs before the node was told that it must not do it any more", told-sure)
	}
}
