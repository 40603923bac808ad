package redisstore

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/lockd/lockd/internal/lease"
)

// Whatever is put, struck out and postponed, what is due comes out in order, and nothing else.
func TestBookAnswersWhatIsDue(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	base := time.Now()
	b, due := newBook(), map[string]time.Time{} // the book, and what it should say
	at := func() time.Time { return base.Add(time.Duration(random.IntN(1000)) * time.Millisecond) }
	for range 5000 {
		name := fmt.Sprint(random.IntN(100))
		e, when := b.byName[name], at()
		switch action := random.IntN(4); {
		case e == nil, action == 0:
			b.put(lease.Lease{Name: name, Token: lease.Token(random.Int64N(100) + 1), Owner: "me"}, when)
			due[name] = when
		case action == 1:
			b.strike(e)
			delete(due, name)
		default:
			b.postpone(e, when)
			due[name] = when
		}
	}
	before := time.Time{}
	for e := b.first(base.Add(time.Hour)); e != nil; e = b.first(base.Add(time.Hour)) {
		if e.due.Before(before) || !e.due.Equal(due[e.name]) {
			t.Fatalf("%s is due %s, after one due %s; want %s", e.name, e.due, before, due[e.name])
		}
		if b.first(e.due.Add(-1)) != nil {
			t.Fatalf("%s is due before its time", e.name)
		}
		before = e.due
		b.strike(e)
		delete(due, e.name)
	}
	if len(due)+len(b.byName) > 0 {
		t.Errorf("%d leases never came due, %d are left in the book", len(due), len(b.byName))
	}
}
