package redlock

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/internal/redlock/ballot"
	"github.com/lockd/lockd/test/redisproc"
)

// far is a fence above every clock, so that what a node gives is its own.
const far = 4_000_000_000_000_000

// fences sets what each node has given last.
func (s *Store) fences(t *testing.T, at ...int64) {
	t.Helper()
	for i, fence := range at {
		s.raw(t, i, "SET", s.keys.fence(), fence)
	}
}

// raw runs a command at a node, around the store.
func (s *Store) raw(t *testing.T, node int, command ...any) string {
	t.Helper()
	got, err := s.queues[node].node.looks.Do(t.Context(), command...).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		t.Fatalf("%v at node %d = %v", command, node+1, err)
	}
	if got == nil {
		return ""
	}
	return fmt.Sprint(got)
}

// at is what stands on name at a node, nil if nothing does.
func (s *Store) at(t *testing.T, node int, name string) *value {
	t.Helper()
	text := s.raw(t, node, "GET", s.keys.lock(name))
	if text == "" {
		return nil
	}
	v, err := decodeValue(text, 0, 0)
	if err != nil {
		t.Fatalf("node %d: %q = %v", node+1, text, err)
	}
	return v
}

// asks has one node do something, and answers what it said.
func (s *Store) asks(t *testing.T, node int, a ask) (ballot.Answer, reply) {
	t.Helper()
	came := make(chan answer, 1)
	s.atOne(node, a, func(a answer) { came <- a })
	got := <-came
	if got.err != nil {
		t.Fatalf("%s at node %d = %v", a.kind, node+1, got.err)
	}
	r := s.newRoundOf(a.name, a.kind, a.until, make([]*ask, len(s.queues)))
	said, _ := r.judge(got)
	return said, got.reply
}

func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*callTimeout)
	t.Cleanup(cancel)
	return ctx
}

func (s *Store) granted(t *testing.T, a lease.Acquisition) lease.Lease {
	t.Helper()
	l, err := s.Acquire(soon(t), a)
	if err != nil {
		t.Fatalf("Acquire(%q) = %v, want a lease", a.Name, err)
	}
	return l
}

func (s *Store) gives(t *testing.T, a lease.Acquisition) {
	t.Helper()
	if got, err := s.Release(soon(t), lease.ReleaseRequest{Name: a.Name, ID: a.ID}); err != nil || got.Outcome != lease.Held {
		t.Fatalf("Release(%q) = %v, %v, want Held", a.Name, got, err)
	}
}

// F1: a second round acts only where the value stands that its own first round reported: a lease that ran out there, and
// that a late copy of the first round granted anew, is another one.
func TestASecondRoundComparesWhatItsFirstReported(t *testing.T) {
	s := opening(t, redisproc.SharedNodes(t, 3), callTimeout)
	s.fences(t, far+5, far+9, far+9)
	until := time.Now().Add(20 * time.Second)
	x, y := leaseOf("job"), leaseOf("job")
	first := func(a lease.Acquisition) ask {
		asked, err := acquiring(a, "G", wants{}, until)
		if err != nil {
			t.Fatal(err)
		}
		return asked
	}
	was, _ := s.asks(t, 0, first(x))
	other, _ := s.asks(t, 1, first(x))
	if was.Token != far+6 || other.Token != far+10 {
		t.Fatalf("the nodes gave %d and %d, want %d and %d", was.Token, other.Token, int64(far+6), int64(far+10))
	}
	s.raw(t, 0, "DEL", s.keys.lock("job")) // x runs out at node 1, and y is granted and released
	given, _ := s.asks(t, 0, first(y))
	s.asks(t, 2, first(y))
	s.asks(t, 0, *committing("job", y.ID, given.Token, far+10, y.TTL, until, false))
	s.asks(t, 0, releasing(lease.ReleaseRequest{Name: "job", ID: y.ID}, until))
	s.asks(t, 2, releasing(lease.ReleaseRequest{Name: "job", ID: y.ID}, until))
	if again, _ := s.asks(t, 0, first(x)); again.Token != far+11 {
		t.Fatalf("a late copy was granted %d, want %d", again.Token, int64(far+11))
	}
	if _, said := s.asks(t, 0, *committing("job", x.ID, was.Token, far+10, x.TTL, until, false)); said.Kind() != "NONE" {
		t.Errorf("the second round of x at node 1 = %v, want NONE: y had the same token", said)
	}
	if _, said := s.asks(t, 1, *committing("job", x.ID, other.Token, far+10, x.TTL, until, false)); said.Kind() != "STANDS" {
		t.Errorf("the second round of x at node 2 = %v, want STANDS", said)
	}
}

// A second round raises the fence, so that what the node gives next is larger than the token of the lease.
func TestASecondRoundRaisesTheFence(t *testing.T) {
	s := opening(t, redisproc.SharedNodes(t, 3), callTimeout)
	s.fences(t, far, far+100, far+200)
	a := leaseOf("job")
	first := s.granted(t, a)
	until(t, 5*time.Second, "two nodes have the token, committed", func() bool {
		n := 0
		for i := range 3 {
			v := s.at(t, i, "job")
			fence, _ := strconv.ParseInt(s.raw(t, i, "GET", s.keys.fence()), 10, 64)
			if v != nil && v.token == int64(first.Token) && v.committed && fence >= v.token {
				n++
			}
		}
		return n >= 2
	})
	s.gives(t, a)
	if second := s.granted(t, leaseOf("job")); second.Token <= first.Token {
		t.Errorf("token went from %d to %d, want larger", first.Token, second.Token)
	}
}

// F3: granted by a quorum, with different tokens, is not enough for one round: of two leases that two such quorums have,
// the later one has the larger token, whichever nodes they are.
func TestTokensGrowWhicheverNodesAnswer(t *testing.T) {
	servers := redisproc.SharedNodes(t, 3)
	s := opening(t, servers, callTimeout)
	s.fences(t, far+300, far+100, far)
	last := lease.Token(0)
	for i := range 12 {
		out := s.queues[i%3].node // another pair of nodes each time
		was := out.standing.Load()
		out.standing.Store(&standing{run: was.run, marker: was.marker, out: "the test says so"})
		a := leaseOf("job")
		if l := s.granted(t, a); l.Token <= last {
			t.Errorf("grant %d: token went from %d to %d, want larger", i, last, l.Token)
		} else {
			last = l.Token
		}
		s.gives(t, a)
		out.standing.Store(was)
	}
}

// Tokens increase in the order in which leases are held, however many servers with clocks of their own propose them.
func TestTokensGrowAcrossServers(t *testing.T) {
	servers := redisproc.SharedNodes(t, 5)
	const stores, each, rounds = 3, 2, 25
	var mu sync.Mutex
	last := make(map[string]lease.Token)
	all := make(chan error, stores*each)
	var working sync.WaitGroup
	opening(t, servers, callTimeout).fences(t, far, far+10, far+20, far+30, far+5) // before anybody raises them
	for range stores {
		s := opening(t, servers, callTimeout)
		for w := range each {
			working.Go(func() {
				for n := range rounds {
					a := leaseOf(fmt.Sprintf("job/%d", (n+w)%2))
					ctx, cancel := context.WithTimeout(t.Context(), 2*callTimeout)
					l, err := s.Acquire(ctx, a)
					cancel()
					if err != nil {
						continue // others have it
					}
					mu.Lock()
					if l.Token <= last[a.Name] {
						all <- fmt.Errorf("token of %q went from %d to %d, want larger", a.Name, last[a.Name], l.Token)
					}
					last[a.Name] = l.Token
					mu.Unlock()
					ctx, cancel = context.WithTimeout(t.Context(), 2*callTimeout)
					_, _ = s.Release(ctx, lease.ReleaseRequest{Name: a.Name, ID: a.ID}) // else it is undone by its ttl
					cancel()
				}
			})
		}
	}
	working.Wait()
	close(all)
	for err := range all {
		t.Error(err)
	}
	if len(last) != 2 {
		t.Errorf("%d names were granted, want 2", len(last))
	}
}

// F2: the same lease id is answered with the token that was decided, whatever some node gave it.
func TestARetryGetsTheTokenThatWasDecided(t *testing.T) {
	s := opening(t, redisproc.SharedNodes(t, 3), callTimeout)
	a := leaseOf("job")
	first := s.granted(t, a)
	until(t, 5*time.Second, "the third node has it too", func() bool { return s.at(t, 2, "job") != nil })
	text := s.raw(t, 2, "GET", s.keys.lock("job"))
	fields := strings.Split(text, "|")
	fields[3] = strconv.FormatInt(int64(first.Token)-7, 10) // as a node with a smaller fence would have answered
	s.raw(t, 2, "SET", s.keys.lock("job"), strings.Join(fields, "|"), "KEEPTTL")
	for attempt := range uint32(3) {
		a.Tag = lease.Tag{Attempt: 2 + attempt, Exec: leaseOf("").Tag.Exec}
		if l := s.granted(t, a); l.Token != first.Token {
			t.Errorf("attempt %d: token %d, want %d", a.Tag.Attempt, l.Token, first.Token)
		}
	}
	until(t, 5*time.Second, "the third node has the token", func() bool {
		v := s.at(t, 2, "job")
		return v != nil && v.token == int64(first.Token) && v.committed
	})
}

// A renewal counts the nodes that have the token; one that gave another is written the token first.
func TestARenewalCountsOneToken(t *testing.T) {
	s := opening(t, redisproc.SharedNodes(t, 3), callTimeout)
	a := leaseOf("job")
	first := s.granted(t, a)
	s.raw(t, 0, "DEL", s.keys.lock("job"))
	change := func(token lease.Token, committed string) {
		fields := strings.SplitN(s.raw(t, 2, "GET", s.keys.lock("job")), "|", 9)
		fields[3], fields[4] = strconv.FormatInt(int64(token), 10), committed
		s.raw(t, 2, "SET", s.keys.lock("job"), strings.Join(fields, "|"), "KEEPTTL")
	}
	fields := strings.SplitN(s.raw(t, 1, "GET", s.keys.lock("job")), "|", 9)
	fields[4] = "1"
	s.raw(t, 1, "SET", s.keys.lock("job"), strings.Join(fields, "|"), "KEEPTTL")
	change(first.Token-7, "0")
	l, err := s.Renew(soon(t), lease.Renewal{Name: "job", ID: a.ID})
	if err != nil || l.Token != first.Token {
		t.Fatalf("Renew = token %d, %v, want %d: it is written to the node that gave another", l.Token, err, first.Token)
	}
	change(first.Token+7, "1")
	s.raw(t, 0, "DEL", s.keys.lock("job"))
	if l, err := s.Renew(soon(t), lease.Renewal{Name: "job", ID: a.ID}); err == nil {
		t.Errorf("Renew = token %d, want an error: no quorum has one token", l.Token)
	}
}

// Once a lease was told and a node counts for it, no undo of an execution before it frees that node: an undo may be owed by
// a server that does not know of the retry which was granted the lease.
func TestNoUndoFreesWhatARenewalHasCommitted(t *testing.T) {
	s := opening(t, redisproc.SharedNodes(t, 3), callTimeout)
	a := leaseOf("job")
	until := time.Now().Add(20 * time.Second)
	asked, err := acquiring(a, "G", wants{}, until)
	if err != nil {
		t.Fatal(err)
	}
	for node, told := range []bool{false, true} {
		given, _ := s.asks(t, node, asked)
		s.asks(t, node, *committing("job", a.ID, given.Token, given.Token+10, a.TTL, until, told))
		s.asks(t, node, undoing(lease.Undoing{Name: "job", ID: a.ID, Tag: a.Tag, Deadline: until}, a.TTL))
		if v := s.at(t, node, "job"); (v != nil) != told {
			t.Errorf("after an undo node %d has %+v; its client was told: %t", node+1, v, told)
		}
	}
	s.asks(t, 2, asked)
	planted := strings.Split(s.at(t, 2, "job").planted(), "|")
	if planted[2] != lease.ExecReplayed {
		t.Errorf("it would be planted as the execution %q, want one that no undo finds", planted[2])
	}
}
