package leasetest

import (
	"testing"
	"time"

	"github.com/lockd/lockd/internal/lease"
)

var holdTests = []test{
	{"EnoughIsLeft", testHoldEnoughIsLeft},
	{"CutsTheTTL", testHoldCutsTheTTL},
	{"CountsDown", testHoldCountsDown},
	{"LargerTTL", testHoldLargerTTL},
	{"Repeated", testHoldRepeated},
	{"ShortensNothing", testHoldShortensNothing},
	{"IsOver", testHoldIsOver},
	{"InGrace", testHoldInGrace},
	{"CountsFromTheHandOver", testHoldCountsFromTheHandOver},
	{"EachItsOwn", testHoldEachItsOwn},
}

// hold is the longest hold of these tests; ttl fits into it twice.
const hold = 2 * ttl

// wantHold fails the test unless l says that about left is left of hold, and answers a ttl of want, as it stands.
func wantHold(t *testing.T, what string, l lease.Lease, left, want time.Duration) {
	t.Helper()
	if l.MaxHold != hold {
		t.Errorf("%s: MaxHold = %s, want %s", what, l.MaxHold, hold)
	}
	wantBetween(t, what+": HoldLeft", l.HoldLeft, max(0, left-slack), left)
	wantBetween(t, what+": TTL", l.TTL, max(0, want-slack), want)
	wantBetween(t, what+": Left", l.Left, max(0, want-slack), want)
	wantBetween(t, what+": ExpiresIn", l.ExpiresIn, max(0, want-slack), want+lease.Grace(hold)) // that of what was asked for
}

// bounded renews a's lease within hold, which must succeed.
func (s Subject) bounded(t *testing.T, a lease.Acquisition, asked time.Duration) lease.Lease {
	t.Helper()
	l, err := s.renew(t, lease.Renewal{Name: a.Name, ID: a.ID, TTL: asked, MaxHold: hold})
	if err != nil {
		t.Fatalf("Renew(ttl %s, within %s) = %v, want nil", asked, hold, err)
	}
	return l
}

// As long as enough is left a renewal sets what it would without a bound, and says what is left.
func testHoldEnoughIsLeft(t *testing.T, s Subject) {
	a := claim("job")
	a.MaxHold = hold
	first := s.granted(t, a)
	wantHold(t, "the grant", first, hold, ttl)
	s.Age(t, "job", ttl/2)
	for _, asked := range []time.Duration{0, ttl} {
		s.Grace(t, "job")
		got := s.bounded(t, a, asked)
		wantHold(t, "the renewal", got, hold-ttl/2, ttl)
		wantFresh(t, "the renewal", got, ttl)
	}
	l, err := s.renew(t, lease.Renewal{Name: "job", ID: a.ID})
	if err != nil || l.MaxHold != 0 || l.HoldLeft != 0 {
		t.Errorf("a renewal without a bound answers a hold of %s, %s left, %v; want none", l.MaxHold, l.HoldLeft, err)
	}
}

// Where less is left of the hold than the ttl, that is what a renewal sets and answers.
func testHoldCutsTheTTL(t *testing.T, s Subject) {
	a := claim("job")
	first := s.granted(t, a)
	s.Age(t, "job", hold-ttl/2)
	for _, asked := range []time.Duration{0, ttl, hold} {
		s.Grace(t, "job")
		got := s.bounded(t, a, asked)
		wantHold(t, "the renewal", got, ttl/2, ttl/2)
		if got.Token != first.Token {
			t.Errorf("the token went from %d to %d", first.Token, got.Token)
		}
		held, _ := s.get(t, "job")
		wantBetween(t, "Get: Left", held.Left, ttl/2-slack, ttl/2)
		if held.TTL != ttl {
			t.Errorf("the lease's own ttl is %s, want %s still", held.TTL, ttl)
		}
	}
	s.Grace(t, "job")
	if got := s.bounded(t, a, time.Second); got.TTL != time.Second {
		t.Errorf("a renewal by less than is left answers %s, want %s as asked", got.TTL, time.Second)
	}
}

// However often it is renewed, what is left goes down, and the lease stands until then.
func testHoldCountsDown(t *testing.T, s Subject) {
	a := claim("job")
	s.granted(t, a)
	s.Age(t, "job", hold-ttl)
	for left := ttl; left > 0; left -= ttl / 4 {
		wantHold(t, "the renewal", s.bounded(t, a, 0), left, left)
		s.stands(t, "job", s.bounded(t, a, ttl).Token)
		s.Grace(t, "job") // as if that time had passed
		s.Age(t, "job", ttl/4)
	}
}

// A ttl larger than ever before is the lease's own, as far as the hold lets it be set.
func testHoldLargerTTL(t *testing.T, s Subject) {
	a := claim("job")
	a.TTL = ttl / 4
	s.granted(t, a)
	s.Age(t, "job", hold-ttl)
	wantHold(t, "the renewal", s.bounded(t, a, hold), ttl, ttl)
	got, err := s.renew(t, lease.Renewal{Name: "job", ID: a.ID, TTL: ttl / 4})
	if err != nil {
		t.Fatal(err)
	}
	wantBetween(t, "Left after a smaller ttl", got.Left, ttl-slack, ttl)
}

// A repeated acquisition restarts the ttl, and no more of it than is left.
func testHoldRepeated(t *testing.T, s Subject) {
	a := claim("job")
	a.MaxHold = hold
	first := s.granted(t, a)
	for i, aged := range []time.Duration{hold - ttl/2, ttl / 4} {
		s.Age(t, "job", aged)
		s.Grace(t, "job")
		left := ttl / 2 / time.Duration(1+i)
		for _, attempt := range []uint32{uint32(2 + i), uint32(2 + i)} {
			repeated := again(a, attempt)
			got := s.granted(t, repeated)
			wantHold(t, "the repetition", got, left, left)
			if got.Token != first.Token {
				t.Errorf("the token went from %d to %d", first.Token, got.Token)
			}
			wantHold(t, "the same once more", s.granted(t, repeated), left, left)
		}
	}
}

// A bound that came later, or became shorter, ends no lease and shortens none: what it has it keeps.
func testHoldShortensNothing(t *testing.T, s Subject) {
	a := claim("job")
	a.TTL = ttl
	s.granted(t, a)
	s.Age(t, "job", 2*hold)
	for _, asked := range []time.Duration{0, ttl, time.Second, hold} {
		got := s.bounded(t, a, asked)
		if got.TTL != 0 || got.HoldLeft != 0 {
			t.Errorf("a renewal after the hold answers a ttl of %s, %s left of the hold; want 0", got.TTL, got.HoldLeft)
		}
		wantBetween(t, "Left", got.Left, ttl-slack, ttl)
	}
	a = again(a, 2)
	a.MaxHold = hold
	if got := s.granted(t, a); got.TTL != 0 {
		t.Errorf("a repetition after the hold answers a ttl of %s, want 0", got.TTL)
	}
	held, _ := s.get(t, "job")
	wantBetween(t, "Get: Left", held.Left, ttl-slack, ttl)
}

// When the hold is over no renewal sets anything, whatever it asks for, and none is told that the lease is lost before it is.
func testHoldIsOver(t *testing.T, s Subject) {
	a := claim("job")
	first := s.granted(t, a)
	s.Age(t, "job", hold)
	s.Grace(t, "job")
	for _, asked := range []time.Duration{0, ttl, 2 * ttl} {
		got := s.bounded(t, a, asked)
		if got.TTL != 0 || got.Left != 0 || got.Token != first.Token {
			t.Errorf("a renewal after the hold = token %d, ttl %s, %s left; want token %d and 0", got.Token, got.TTL, got.Left, first.Token)
		}
	}
	s.stands(t, "job", first.Token)
	s.Expire(t, "job")
	_, err := s.renew(t, lease.Renewal{Name: "job", ID: a.ID, MaxHold: hold})
	wantErr(t, "Renew(expired)", err, lease.ErrLost)
	s.granted(t, claim("job"))
}

// In the grace after its hold a lease is not held any longer for being renewed, or asked for again.
func testHoldInGrace(t *testing.T, s Subject) {
	a := claim("job")
	a.MaxHold = hold
	s.granted(t, a)
	s.Age(t, "job", hold+lease.Grace(ttl)/2)
	s.Grace(t, "job")
	for i := range uint32(3) {
		s.bounded(t, a, ttl)
		s.granted(t, again(a, 2+i))
		held, ok := s.get(t, "job")
		if !ok || held.Left != 0 {
			t.Errorf("%s are left of the lease, %t; want that it is in its grace", held.Left, ok)
		}
		wantBetween(t, "ExpiresIn", held.ExpiresIn, lease.Grace(ttl)/2-slack, lease.Grace(ttl)/2)
	}
}

// Who waited for a lease holds it from its grant on, not from when it began to wait.
func testHoldCountsFromTheHandOver(t *testing.T, s Subject) {
	first := claim("job")
	s.granted(t, first)
	s.Age(t, "job", hold)
	a := claim("job")
	a.MaxHold = hold
	w := s.inLineWith(t).queued(t, a)
	s.released(t, first)
	w.turn(t)
	wantHold(t, "the first renewal", s.bounded(t, a, 0), hold, ttl)
	s.Age(t, "job", hold-ttl/2)
	s.Grace(t, "job")
	wantHold(t, "a later one", s.bounded(t, a, 0), ttl/2, ttl/2)
}

// Of renewals that are asked for together each has its own bound.
func testHoldEachItsOwn(t *testing.T, s Subject) {
	var asked []lease.Renewal
	for i, name := range []string{"a", "b", "c", "d"} {
		a := claim(name)
		s.granted(t, a)
		s.Age(t, name, hold-ttl/2)
		s.Grace(t, name)
		r := lease.Renewal{Name: name, ID: a.ID}
		if i%2 == 1 {
			r.MaxHold = hold
		}
		asked = append(asked, r)
	}
	settled := make([]settler, len(asked))
	calls := make([]*lease.Call, len(asked))
	for i := range asked {
		settled[i] = make(settler, 1)
		calls[i] = &lease.Call{Renew: &asked[i], Deadline: time.Now().Add(callTime), To: settled[i]}
	}
	s.Start(calls)
	for i, r := range asked {
		got, want := <-settled[i], ttl
		if r.MaxHold > 0 {
			want = ttl / 2
		}
		if got.Err != nil {
			t.Fatalf("Renew(%q) = %v, want nil", r.Name, got.Err)
		}
		wantBetween(t, r.Name+": TTL", got.Lease.TTL, want-slack, want)
	}
}

// settler is the Settler of one who waits.
type settler chan lease.Result

// Settled implements lease.Settler.
func (s settler) Settled(r lease.Result) { s <- r }
