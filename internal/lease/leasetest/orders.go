package leasetest

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/lockd/lockd/internal/lease"
)

var orderTests = []test{
	{"RetryTold", func(t *testing.T, s Subject) {
		runOrders(t, s, 1, 2, []step{attempt1, copyOf1, undo1, attempt2, release, acquireY}, inOrder(attempt2, release))
	}},
	{"RetryToldUncounted", func(t *testing.T, s Subject) {
		runOrders(t, s, 0, 0, []step{attempt1, undo1, attempt2, release, acquireY}, inOrder(attempt2, release))
	}},
	{"RetryLostToo", func(t *testing.T, s Subject) {
		runOrders(t, s, 1, 2, []step{attempt1, undo1, attempt2Lost, undo2, acquireY}, nil)
	}},
}

// A step is something that happens to a name. Its letter spells orders.
//
// The story: client X sends attempt 1 and never hears of it; its lockd undoes it, X retries and
// later releases. A copy of attempt 1 that was stuck somewhere may arrive at any time. Client Y
// wants the name as well. The network may put all this into any order.
type step byte

const (
	attempt1     step = 'a'
	copyOf1      step = 'c'
	undo1        step = 'u'
	attempt2     step = 'A' // its answer reaches X
	attempt2Lost step = 'L' // its answer reaches nobody
	undo2        step = 'U'
	release      step = 'r'
	acquireY     step = 'y'
)

// inOrder admits the orders in which a client does two things one after the other.
func inOrder(first, second step) func([]step) bool {
	return func(order []step) bool { return slices.Index(order, first) < slices.Index(order, second) }
}

// A story is one order of steps on a name of its own.
type story struct {
	Subject
	x1, x2, y  lease.Acquisition
	xTold      lease.Token // what X was told and has not released; 0 if nothing
	yTold      lease.Token
	last       lease.Token // the largest token anybody was granted
	xReleased  bool
	repeat     bool // X's release asks to be repeated
	violations []string
}

// runOrders drives every order of steps that is possible, and after each step looks whether those
// who were told of a lease still hold it.
func runOrders(t *testing.T, s Subject, first, second uint32, steps []step, possible func([]step) bool) {
	orders := ordersOf(steps, possible)
	if len(orders) == 0 {
		t.Fatal("no order is possible")
	}
	together(t, len(orders), func(t *testing.T, i int) {
		order := orders[i]
		name := string(order)
		x := claim(name)
		run := story{Subject: s, x1: again(x, first), x2: again(x, second), y: claim(name)}
		for _, next := range order {
			run.take(t, next)
			run.check(t, "after "+string(next))
		}
		run.settle(t)
		if len(run.violations) > 0 {
			t.Errorf("order %s: %s", name, strings.Join(run.violations, "; "))
		}
	})
}

// ordersOf are the orders of steps that are possible; nil says that all are.
func ordersOf(steps []step, possible func([]step) bool) (all [][]step) {
	permute(steps, 0, func(order []step) {
		if possible == nil || possible(order) {
			all = append(all, slices.Clone(order))
		}
	})
	return all
}

// take does one step and notes who was told what.
func (r *story) take(t *testing.T, next step) {
	t.Helper()
	switch next {
	case attempt1, copyOf1:
		r.ask(t, r.x1)
	case attempt2Lost:
		r.ask(t, r.x2)
	case attempt2:
		r.xTold = r.ask(t, r.x2)
	case acquireY:
		r.yTold = r.ask(t, r.y)
	case undo1:
		r.undone(t, r.x1)
	case undo2:
		r.undone(t, r.x2)
	case release:
		released := r.released(t, r.x2)
		if (released.Outcome == lease.Held) != (r.xTold != 0) {
			r.violations = append(r.violations, "the release's outcome is wrong")
		}
		r.xTold, r.xReleased, r.repeat = 0, true, released.Repeat
	}
}

// ask executes a and answers the token it got, 0 if refused, for which another lease or a later
// attempt must be the reason. A new token must be larger than all before.
func (r *story) ask(t *testing.T, a lease.Acquisition) lease.Token {
	t.Helper()
	before, held := r.get(t, a.Name)
	l, err := r.acquire(t, a)
	if err != nil {
		if !errors.Is(err, lease.ErrSuperseded) && !(held && errors.As(err, new(*lease.HeldError))) {
			r.violations = append(r.violations, "refused without a reason: "+err.Error())
		}
		return 0
	}
	if held && l.Token != before.Token {
		r.violations = append(r.violations, "a lease was granted over another")
	}
	if !held && l.Token <= r.last {
		r.violations = append(r.violations, "tokens went back")
	}
	r.last = max(r.last, l.Token)
	return l.Token
}

// check looks whether those who were told of a lease still hold it.
func (r *story) check(t *testing.T, when string) {
	t.Helper()
	l, held := r.get(t, r.y.Name)
	for who, told := range map[string]lease.Token{"X": r.xTold, "Y": r.yTold} {
		if told != 0 && (!held || l.Token != told) {
			r.violations = append(r.violations, when+" "+who+" does not hold what it was told")
		}
	}
}

// settle does what a Lessor does last, when nothing can arrive any more: undo what nobody was told
// of, and repeat the release if it asked for that. Then X has nothing left that it does not know of.
func (r *story) settle(t *testing.T) {
	t.Helper()
	r.undone(t, r.x1)
	if r.xTold == 0 && !r.xReleased {
		r.undone(t, r.x2)
	}
	if r.repeat {
		r.released(t, r.x2)
	}
	r.check(t, "at the end")
	if l, held := r.get(t, r.y.Name); held && l.Token != r.xTold && l.Token != r.yTold {
		r.violations = append(r.violations, "at the end a lease stands that nobody was told of")
	}
}

// permute calls f with every order of steps from at on. f must not keep the slice.
func permute(steps []step, at int, f func([]step)) {
	if at == len(steps) {
		f(steps)
		return
	}
	for i := at; i < len(steps); i++ {
		steps[at], steps[i] = steps[i], steps[at]
		permute(steps, at+1, f)
		steps[at], steps[i] = steps[i], steps[at]
	}
}
