package memstore

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockd/lockd/internal/lease"
)

// Leases that ran out and that nobody asks for again are forgotten by whatever is done next.
func TestExpiredLeasesAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const many = 1000
		s := New()
		for i := range many {
			grant(t, s, claim(fmt.Sprint("old/", i), i))
		}
		time.Sleep(time.Minute)
		for range many / 2 {
			held(t, s, "new")
		}
		if n := len(s.held); n != 0 {
			t.Errorf("%d calls after %d leases ran out, %d are kept, want none", many/2, many, n)
		}
		if len(s.expiry) != 0 || len(s.granted.slots) > fewGaps {
			t.Errorf("kept %d in the heap, %d in the journal, want none and at most %d", len(s.expiry), len(s.granted.slots), fewGaps)
		}
	})
}

// However many leases come and go, no more is kept than stands at a time, and as many gaps.
func TestNothingPilesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const standing = int((ttl+time.Second)/(10*time.Millisecond)) + 1
		s := New()
		for i := range 20 * standing {
			a := claim(fmt.Sprint("job/", i), i)
			grant(t, s, a)
			if i%3 == 0 {
				if _, err := s.Release(t.Context(), lease.ReleaseRequest{Name: a.Name, ID: a.ID}); err != nil {
					t.Fatalf("Release = %v, want nil", err)
				}
			}
			if n := len(s.held); n > standing+1 {
				t.Fatalf("after %d grants %d leases are kept, want at most %d", i+1, n, standing+1)
			}
			if n := len(s.granted.slots); n > 2*standing+2*fewGaps {
				t.Fatalf("after %d grants the journal has %d slots, want at most %d", i+1, n, 2*standing+2*fewGaps)
			}
			time.Sleep(10 * time.Millisecond)
		}
	})
}

// A page looks at a bounded number of leases, also if none of them is asked for.
func TestPageWorkIsBounded(t *testing.T) {
	s := New()
	for i := range 2*pageWork + 1 {
		grant(t, s, claim(fmt.Sprint("job/", i), i))
	}
	wanted := claim("wanted", -1)
	grant(t, s, wanted)
	r := lease.ListRequest{Prefix: "wanted", Size: 10}
	for page := range 3 {
		p, err := s.List(t.Context(), r)
		if err != nil {
			t.Fatalf("List = %v, want nil", err)
		}
		if last := page == 2; len(p.Leases) == 1 != last || (p.Next == "") != last {
			t.Errorf("page %d has %d leases, next %q; want the lease on the last of three pages", page, len(p.Leases), p.Next)
		}
		r.Token = p.Next
	}
}

// model is what a store should know: who holds what until when.
type model map[string]struct {
	id   lease.ID
	over time.Time
}

// Map, heap and journal agree with each other and with a model, whatever is done.
func TestBookkeeping(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	synctest.Test(t, func(t *testing.T) {
		s, want := New(), model{}
		for i := range 5_000 {
			name := fmt.Sprint("job/", random.IntN(200))
			for name, h := range want {
				if !time.Now().Before(h.over) {
					delete(want, name)
				}
			}
			step(t, s, want, random, name, i)
			agree(t, s, want)
			if t.Failed() {
				t.Fatalf("after step %d", i)
			}
			time.Sleep(time.Duration(random.IntN(50)) * time.Millisecond)
		}
	})
}

// step does something random to name, in the store and in the model.
func step(t *testing.T, s *Store, want model, random *rand.Rand, name string, i int) {
	t.Helper()
	h, taken := want[name]
	asked := time.Duration(1+random.IntN(int(ttl/time.Millisecond))) * time.Millisecond
	px := asked + lease.Grace(asked)
	switch random.IntN(4) {
	case 0, 1:
		a := claim(name, i)
		a.TTL = asked
		_, err := s.Acquire(call(t), a)
		if refused := errors.As(err, new(*lease.HeldError)); refused != taken || (err == nil) == taken {
			t.Errorf("Acquire(%q) = %v, want it granted: %t", name, err, !taken)
		}
		if !taken {
			h.id, h.over = a.ID, time.Now().Add(px)
			want[name] = h
		}
	case 2:
		l, err := s.Renew(call(t), lease.Renewal{Name: name, ID: h.id, TTL: asked})
		if (err == nil) != taken {
			t.Errorf("Renew(%q) = %v, want success: %t", name, err, taken)
		}
		if taken {
			h.over = time.Now().Add(l.ExpiresIn)
			want[name] = h
		}
	case 3:
		r, err := s.Release(call(t), lease.ReleaseRequest{Name: name, ID: h.id})
		if err != nil || (r.Outcome == lease.Held) != taken {
			t.Errorf("Release(%q) = %v, %v, want Held: %t", name, r, err, taken)
		}
		delete(want, name)
	}
}

// agree compares what the store has in its three books with each other and with the model.
func agree(t *testing.T, s *Store, want model) {
	t.Helper()
	now := time.Now()
	for name := range want {
		if e := s.held[name]; e == nil || e.id != want[name].id || !e.over.Equal(want[name].over) {
			t.Errorf("%q is not kept as granted", name)
		}
	}
	for name, e := range s.held {
		if _, ok := want[name]; ok != e.standsAt(now) {
			t.Errorf("%q: in force is %t, want %t", name, !ok, ok)
		}
	}
	if len(s.expiry) != len(s.held) || len(s.granted.slots)-s.granted.gaps != len(s.held) {
		t.Errorf("%d leases, %d in the heap, %d in the journal", len(s.held), len(s.expiry), len(s.granted.slots)-s.granted.gaps)
	}
	for at, e := range s.expiry {
		if e.at != at || s.held[e.name] != e || e.over.Before(s.expiry[0].over) {
			t.Errorf("heap place %d holds %q, which believes to be at %d", at, e.name, e.at)
		}
	}
	last := lease.Token(0)
	for _, slot := range s.granted.slots {
		if slot.token <= last || (slot.lease != nil && s.held[slot.lease.name] != slot.lease) {
			t.Errorf("journal slot %d is out of order or stale", slot.token)
		}
		last = slot.token
	}
}
