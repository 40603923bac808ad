package line

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockd/lockd/internal/lease"
)

// What a line means to those who stand in it is leasetest's, which all stores pass; here is what a Book keeps.

// book is a Book and what it said.
type book struct {
	*Book
	now     time.Time
	said    []lease.EventKind
	emptied []string
}

func newTestBook() *book {
	b := &book{now: time.Now()}
	b.Book = NewBook(func(e lease.Event) { b.said = append(b.said, e.Kind) }, func(name string) { b.emptied = append(b.emptied, name) })
	return b
}

// asking is one who wants to wait for so long.
func (b *book) asking(name string, id int, wait time.Duration) lease.Acquisition {
	return lease.Acquisition{
		Name: name, ID: lease.ID(fmt.Sprint(id)), Tag: lease.Tag{Attempt: 1, Exec: fmt.Sprint("exec", id)},
		Turn: func(lease.Handover) {}, Until: b.now.Add(wait),
	}
}

func (b *book) queued(t *testing.T, a lease.Acquisition) *Place {
	t.Helper()
	p, err := b.Refuse(a, b.Place(a.Name, a.ID, b.now), b.now)
	if err != nil || p == nil || p.Away() {
		t.Fatalf("Refuse(ready to wait) = %+v, %v, want a place in line", p, err)
	}
	return p
}

// The books agree with each other, whatever is done.
func TestBookkeeping(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 0))
	b := newTestBook()
	var taken *Place
	for i := range 20_000 {
		a := b.asking(fmt.Sprint("job/", dice.IntN(3)), dice.IntN(60), time.Duration(dice.IntN(20_000))*time.Millisecond)
		a.Tag.Attempt = uint32(1 + i/100)
		p := b.Place(a.Name, a.ID, b.now)
		u := lease.Undoing{Name: a.Name, ID: a.ID, KeepPlace: dice.IntN(2) == 0}
		if p != nil {
			u.Tag = p.Tag
		}
		switch what := dice.IntN(10); {
		case what == 0:
			a.Turn = nil
			_, _ = b.Refuse(a, p, b.now)
		case what == 1:
			b.Undo(u, b.now)
		case what == 2 && p != nil:
			b.Hand(p, b.now)
		case what == 3:
			if p := b.handed(a.Name, a.ID, b.now); p != nil {
				u.Tag = p.Tag
			}
			b.Back(u, b.now)
		case what == 4 && p != nil:
			b.Take(p)
			taken = p
		case what == 5 && taken != nil && b.handed(taken.Name, taken.ID, b.now) == nil:
			b.Return(taken, a.Tag, b.now)
			taken = nil
		case what == 6:
			b.First(a.Name, b.now)
		case what == 7:
			b.Expire(2, b.now)
		default:
			b.queued(t, a)
		}
		b.agrees(t)
		if t.Failed() {
			t.Fatalf("after step %d", i)
		}
		b.now = b.now.Add(time.Duration(dice.IntN(100)) * time.Millisecond)
	}
	b.AllAside(b.now)
	b.agrees(t)
	b.now = b.now.Add(lease.KeepPlace)
	b.Expire(1000, b.now)
	if places, names := b.Len(); places != 0 || names != 0 || len(b.waits) != 0 {
		t.Errorf("%d places, %d names, %d to end are kept, want none", places, names, len(b.waits))
	}
}

// agrees fails the test if something stands in one book and not in the other.
func (b *book) agrees(t *testing.T) {
	t.Helper()
	present := 0
	for name, l := range b.lines {
		if len(l) == 0 {
			t.Errorf("%q: an empty line", name)
		}
		last := int64(0)
		for n, p := range l {
			if p.Away() || p.handed || p.Ticket <= last || b.places[whose{name, p.ID}] != p || b.Number(p) != n+1 {
				t.Errorf("%q: ticket %d in line is away, out of order, in no book, or not number %d", name, p.Ticket, n+1)
			}
			last = p.Ticket
			present++
		}
	}
	for who, p := range b.places {
		if p.Name != who.name || p.ID != who.id || b.waits[p.at] != p {
			t.Errorf("%q: ticket %d is not where it believes to be", p.Name, p.Ticket)
		}
		if !p.Away() {
			present--
		}
	}
	if present != 0 || len(b.waits) != len(b.places) {
		t.Errorf("%d places, %d to end, lines and places differ by %d", len(b.places), len(b.waits), present)
	}
}

// What happens is told once: who comes and who goes without a lease, and when nobody is left.
func TestWhatHappensIsTold(t *testing.T) {
	b := newTestBook()
	granted, gone, over, kept := b.queued(t, b.asking("job", 1, time.Minute)), b.asking("job", 2, time.Minute), b.asking("job", 3, time.Second), b.asking("job", 4, time.Minute)
	for _, a := range []lease.Acquisition{gone, over, kept} {
		b.queued(t, a)
	}
	b.Take(granted)
	for range 2 {
		b.Undo(lease.Undoing{Name: "job", ID: gone.ID, Tag: gone.Tag}, b.now)
		b.Undo(lease.Undoing{Name: "job", ID: kept.ID, Tag: kept.Tag, KeepPlace: true}, b.now)
	}
	b.now = b.now.Add(time.Second)
	b.First("job", b.now)
	q, l := lease.EventQueued, lease.EventLeft
	if diff := cmp.Diff([]lease.EventKind{q, q, q, q, l, l, l}, b.said); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"job"}, b.emptied); diff != "" {
		t.Errorf("emptied (-want +got):\n%s", diff)
	}
}

// Who was handed the name has no place until that is undone by its tag, and then the old one.
func TestAHandOverThatIsUndone(t *testing.T) {
	b := newTestBook()
	a := b.asking("job", 1, time.Minute)
	p := b.queued(t, a)
	b.queued(t, b.asking("job", 2, time.Minute))
	b.Hand(p, b.now)
	if got := b.Place("job", a.ID, b.now); got != nil {
		t.Errorf("Place(handed) = %+v, want none", got)
	}
	b.Back(lease.Undoing{Name: "job", ID: a.ID, Tag: lease.Tag{Attempt: 1, Exec: "another"}}, b.now)
	if got := b.Place("job", a.ID, b.now); got != nil {
		t.Errorf("Place, another execution undone = %+v, want none", got)
	}
	b.now = b.now.Add(lease.KeepPlace - 1)
	b.Back(lease.Undoing{Name: "job", ID: a.ID, Tag: a.Tag}, b.now)
	b.now = b.now.Add(lease.KeepPlace - 1)
	if got := b.queued(t, b.asking("job", 1, time.Minute)); b.Number(got) != 1 {
		t.Errorf("back at %d, want the old place", b.Number(got))
	}
	b.Hand(p, b.now)
	b.now = b.now.Add(lease.KeepPlace)
	b.Back(lease.Undoing{Name: "job", ID: a.ID, Tag: a.Tag}, b.now)
	if got := b.queued(t, b.asking("job", 1, time.Minute)); b.Number(got) != 2 {
		t.Errorf("back too late at %d, want a new place", b.Number(got))
	}
}

// What a caller does with its metadata later does not change the place.
func TestMetadataIsThePlaces(t *testing.T) {
	b := newTestBook()
	a := b.asking("job", 1, time.Minute)
	a.Metadata = map[string]string{"k": "v"}
	p := b.queued(t, a)
	a.Metadata["k"] = "other"
	if p.Metadata["k"] != "v" {
		t.Errorf("metadata %v, want as asked", p.Metadata)
	}
}
