package due_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/lockd/lockd/internal/due"
)

type item struct {
	at    time.Time
	place int
}

func (i *item) Due() time.Time { return i.at }
func (i *item) Moved(to int)   { i.place = to }

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// sometime is one of few times, so that some are due at once.
func sometime(dice *rand.Rand) time.Time {
	return start.Add(time.Duration(dice.IntN(50)) * time.Second)
}

// Whatever is added, moved and removed, each item knows its place, and the first is due before all others.
func TestEachKnowsItsPlace(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 0))
	var h due.Heap[*item]
	var all []*item
	for range 5000 {
		switch what := dice.IntN(4); {
		case what < 2 && len(all) < 100 || len(all) == 0:
			all = append(all, &item{at: sometime(dice)})
			h.Add(all[len(all)-1])
		case what == 2:
			one := all[dice.IntN(len(all))]
			one.at = sometime(dice)
			h.Fix(one.place)
		default:
			n := dice.IntN(len(all))
			h.Remove(all[n].place)
			all = slices.Delete(all, n, n+1)
		}
		if len(h) != len(all) {
			t.Fatalf("%d are in the heap, want %d", len(h), len(all))
		}
		for _, one := range all {
			if h[one.place] != one || one.at.Before(h[0].at) {
				t.Fatalf("%v is at %d, where %v is, behind %v", one, one.place, h[one.place], h[0])
			}
		}
	}
}

// One after the other they come in the order of their times.
func TestFirstComesFirst(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 0))
	var h due.Heap[*item]
	for range 100 {
		h.Add(&item{at: sometime(dice)})
	}
	last := start
	for first, is := h.First(); is; first, is = h.First() {
		if first.at.Before(last) {
			t.Errorf("%v comes after %v", first.at, last)
		}
		last = first.at
		h.Remove(0)
	}
	if len(h) != 0 {
		t.Errorf("%d are left, want none", len(h))
	}
}

// What was removed is kept from the garbage collector by nothing.
func TestNothingRemovedIsKept(t *testing.T) {
	var h due.Heap[*item]
	for i := range 10 {
		h.Add(&item{at: start.Add(time.Duration(i))})
	}
	room := h[:10]
	for len(h) > 0 {
		h.Remove(len(h) / 2)
	}
	for i, one := range room {
		if one != nil {
			t.Errorf("at %d the room still has %v", i, one)
		}
	}
}
