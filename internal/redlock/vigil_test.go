package redlock

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockd/lockd/internal/lease"
)

// What comes before the end of the lease in force is told after it, in the order of the tokens, an end after its grant:
// also the end of a lease whose grant waits.
func TestEventsThatComeTooEarlyAreToldInOrder(t *testing.T) {
	const grant, end = lease.EventAcquired, lease.EventReleased
	type event struct {
		from string
		kind lease.EventKind
		of   lease.Token
	}
	for what, comes := range map[string][]event{
		"a whole lease":             {{"a", grant, 1}, {"b", grant, 2}, {"b", end, 2}, {"a", end, 1}, {"a", grant, 3}},
		"a whole lease and another": {{"a", grant, 1}, {"b", grant, 2}, {"b", end, 2}, {"b", grant, 3}, {"a", end, 1}},
		"the last one first":        {{"a", grant, 1}, {"c", grant, 3}, {"b", grant, 2}, {"b", end, 2}, {"a", end, 1}},
		"a lease, its end later":    {{"a", grant, 1}, {"b", grant, 2}, {"a", end, 1}, {"b", end, 2}, {"c", grant, 3}},
	} {
		var got []string
		v := &vigil{watchers: make(map[*watcher]struct{}), from: make(map[string]*source), book: make(map[string]*entry)}
		v.watchers[&watcher{deliver: func(e lease.Event) { got = append(got, fmt.Sprint(e.Kind, " of ", e.Token)) }}] = struct{}{}
		numbers := make(map[string]int64)
		for _, e := range comes {
			numbers[e.from]++
			v.take(told{From: e.from, Number: numbers[e.from], Event: lease.Event{Kind: e.kind, Name: "job", Token: e.of}}, time.Now())
		}
		var want []string
		for _, e := range []event{{"", grant, 1}, {"", end, 1}, {"", grant, 2}, {"", end, 2}, {"", grant, 3}} {
			want = append(want, fmt.Sprint(e.kind, " of ", e.of))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: told (-want +got):\n%s", what, diff)
		}
		if len(v.held) != 0 {
			t.Errorf("%s: %+v wait still, want none", what, v.held)
		}
	}
}
