package leasetest

import (
	"errors"
	"strings"
	"testing"

	"github.com/lockd/lockd/internal/lease"
)

var lineOrderTests = []test{
	{"RetryTold", func(t *testing.T, s Subject) {
		runLineOrders(t, s, s, []step{attempt1, undo1, attempt2, holderReleases, queueY})
	}},
	{"RetryToldBeside", func(t *testing.T, s Subject) {
		runLineOrders(t, s, s.inLineWith(t), []step{attempt1, undo1, attempt2, holderReleases, queueY})
	}},
	{"RetryGoes", func(t *testing.T, s Subject) {
		runLineOrders(t, s, s, []step{attempt1, undo1, attempt2Lost, asideX, holderReleases, queueY})
	}},
}

// The story of a line: while somebody holds the name, client X sends attempt 1, ready to wait, and its
// server goes away, undoing it sooner or later; X asks again, at another server perhaps. Client Y
// waits as well. The network may put all this, and the holder's release, into any order.
const (
	holderReleases step = 'h'
	queueY         step = 'q'
	asideX         step = 'k' // attempt 2 has gone as well; its place is kept
)

// lineStory is one order of steps on a name of its own.
type lineStory struct {
	x1, x2, y  *waiter
	holder     lease.Acquisition
	last       lease.Token // the largest token seen
	xWaits     bool        // attempt 2 was told that it is in line, or of a lease
	violations []string
}

// runLineOrders drives every order of steps, and then lets all who wait have the name one after the other.
// X sends attempt 1 at s and attempt 2 at other.
func runLineOrders(t *testing.T, s, other Subject, steps []step) {
	t.Helper()
	orders := ordersOf(steps, nil)
	together(t, len(orders), func(t *testing.T, i int) {
		order := orders[i]
		name := string(order)
		x, y := claim(name), claim(name)
		x.Owner, y.Owner = "X", "Y"
		run := lineStory{
			x1: &waiter{Subject: s}, x2: &waiter{Subject: other}, y: &waiter{Subject: s},
			holder: claim(name),
		}
		run.x1.Acquisition, run.x1.turns = waiting(again(x, 1))
		run.x2.Acquisition, run.x2.turns = waiting(again(x, 2))
		run.y.Acquisition, run.y.turns = waiting(y)
		run.last = s.granted(t, run.holder).Token
		for _, next := range order {
			run.take(t, next)
		}
		run.settle(t)
		if len(run.violations) > 0 {
			t.Errorf("order %s: %s", name, strings.Join(run.violations, "; "))
		}
	})
}

// take does one step.
func (r *lineStory) take(t *testing.T, next step) {
	t.Helper()
	switch next {
	case attempt1:
		r.ask(t, r.x1)
	case attempt2:
		r.xWaits = r.ask(t, r.x2)
	case attempt2Lost:
		r.ask(t, r.x2)
	case queueY:
		r.ask(t, r.y)
	case undo1:
		r.x1.undone(t, r.x1.Acquisition)
	case asideX:
		r.x2.aside(t, r.x2)
	case holderReleases:
		r.y.released(t, r.holder)
	}
}

// ask executes the acquisition of w and reports whether it has a lease or a place. A lease that is answered
// counts as a turn.
func (r *lineStory) ask(t *testing.T, w *waiter) bool {
	t.Helper()
	l, err := w.acquire(t, w.Acquisition)
	var held *lease.HeldError
	switch {
	case err == nil:
		if len(w.turns) == 0 {
			w.turns <- lease.Handover{Lease: l}
		}
	case errors.Is(err, lease.ErrSuperseded) && w == r.x1:
		return false
	case !errors.As(err, &held) || held.Place == 0:
		r.violations = append(r.violations, "refused, and not taken into line: "+err.Error())
		return false
	}
	return true
}

// settle does what Lessors do last, when nothing can arrive any more: undo what nobody was told of. Then
// whoever was told to wait has its turn, and nobody else has anything.
func (r *lineStory) settle(t *testing.T) {
	t.Helper()
	r.x1.undone(t, r.x1.Acquisition)
	waits := 1
	if r.xWaits {
		waits = 2
	} else {
		r.x2.undone(t, r.x2.Acquisition)
	}
	for range waits {
		l, held := r.y.get(t, r.y.Name)
		who := r.y
		if l.Owner == r.x2.Owner {
			who = r.x2
		}
		switch {
		case !held || l.Token <= r.last:
			r.violations = append(r.violations, "at the end nobody holds the name with a larger token")
			return
		case who == r.x2 && !r.xWaits:
			r.violations = append(r.violations, "at the end X holds the name, who has gone")
			return
		case who.turn(t).Token != l.Token:
			r.violations = append(r.violations, "at the end "+l.Owner+" was told another token")
		}
		r.last = l.Token
		who.released(t, who.Acquisition)
	}
	r.y.empty(t, r.y.Name)
}
