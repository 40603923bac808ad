package redisstore

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/test/redisproc"
)

// told is a watcher that writes down what it is told.
type told struct {
	mu     sync.Mutex
	events []lease.Event
}

func (x *told) deliver(e lease.Event) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.events = append(x.events, e)
}

func (x *told) all() []lease.Event {
	x.mu.Lock()
	defer x.mu.Unlock()
	return append([]lease.Event(nil), x.events...)
}

// short is what was told, as "kind name token".
func (x *told) short() (lines []string) {
	for _, e := range x.all() {
		lines = append(lines, fmt.Sprintf("%d %s %d", e.Kind, e.Name, e.Token))
	}
	return lines
}

func (x *told) want(t *testing.T, lines ...string) {
	t.Helper()
	if diff := cmp.Diff(lines, x.short(), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

func line(kind lease.EventKind, name string, token lease.Token) string {
	return fmt.Sprintf("%d %s %d", kind, name, token)
}

var missed = line(lease.EventMissed, "", 0)

// vigilOf is a vigil for one watcher of prefix, which nobody runs: a test takes its steps.
func vigilOf(s *Store, prefix string) (*hub, *vigil, *told) {
	h, x := newHub(s), new(told)
	h.vigil = newVigil(h, func() {})
	h.vigil.admit(&watcher{prefix: prefix, deliver: x.deliver})
	return h, h.vigil, x
}

func acquired(name string, token lease.Token, px time.Duration) string {
	return fmt.Sprintf(`{"kind":"acquired","name":%q,"at":"1700000000000001","token":"%d","px":"%d","payload":"{\"owner\":\"me\"}"}`,
		name, token, px.Milliseconds())
}

func released(name string, token lease.Token) string {
	return fmt.Sprintf(`{"kind":"released","name":%q,"at":"1700000000000002","token":"%d"}`, name, token)
}

// Everything that a message says is in the event, and only what is under the prefix is told, in order.
func TestWatchersAreToldWhatTheMessagesSay(t *testing.T) {
	h, _, x := vigilOf(open(t, redisproc.Shared(t).URL()), "a")
	for _, text := range []string{
		`{"kind":"queued","name":"a/b","at":"1700000000000001","ticket":"7","payload":"{\"owner\":\"me\"}"}`,
		`{"kind":"acquired","name":"a/b","at":"1700000000000002","token":"9007199254740991","px":"1000","ticket":"7","payload":"{\"owner\":\"me\"}"}`,
		`{"kind":"acquired","name":"ab","at":"1700000000000003","token":"5","px":"1000","payload":"{}"}`,
		`{"kind":"forced","name":"a/b","at":"1700000000000004","token":"9007199254740991","payload":"{\"owner\":\"me\"}","by":"root","reason":"hung"}`,
		`{"kind":"released","name":"a","at":"1700000000000005","token":"6","payload":"{}"}`,
		`{"kind":"left","name":"a","at":"1700000000000006","ticket":"8","payload":"{\"owner\":\"you\"}"}`,
	} {
		h.take(text)
	}
	at := func(n int64) time.Time { return time.UnixMicro(1_700_000_000_000_000 + n) }
	want := []lease.Event{
		{Kind: lease.EventQueued, Name: "a/b", At: at(1), Owner: "me", Ticket: 7},
		{Kind: lease.EventAcquired, Name: "a/b", At: at(2), Token: lease.MaxToken - 1, Owner: "me", Ticket: 7},
		{Kind: lease.EventForced, Name: "a/b", At: at(4), Token: lease.MaxToken - 1, Owner: "me", By: "root", Reason: "hung"},
		{Kind: lease.EventReleased, Name: "a", At: at(5), Token: 6},
		{Kind: lease.EventLeft, Name: "a", At: at(6), Owner: "you", Ticket: 8},
	}
	if diff := cmp.Diff(want, x.all()); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

// What no script of ours can have published is ignored, and so is a mark.
func TestWhatIsNoEventIsIgnored(t *testing.T) {
	h, v, x := vigilOf(open(t, redisproc.Shared(t).URL()), "")
	h.forced = func(e lease.Event) { t.Errorf("forced was told %v", e) }
	for _, text := range []string{
		"", "{", "null", `"forced"`, "[]", `{}`,
		`{"kind":"forced","name":"a","at":"1"}`, // no token
		`{"kind":"forced","name":"a","at":"1","token":"-1"}`,
		`{"kind":"forced","name":"a","at":"1","token":1}`,
		`{"kind":"forced","name":"a//b","at":"1","token":"1"}`,
		`{"kind":"forced","at":"1","token":"1"}`,
		`{"kind":"forced","name":"a","at":"1","token":"1","payload":"no json"}`,
		`{"kind":"forcd","name":"a","at":"1","token":"1"}`,
		`{"kind":"expired","name":"a","at":"1","token":"1"}`, // nobody publishes that
		`{"kind":"queued","name":"a","at":"1","token":"1","ticket":"1"}`,
		`{"kind":"mark","mark":"another's"}`,
	} {
		h.take(text)
	}
	x.want(t)
	if n := len(v.book.byName); n != 0 {
		t.Errorf("the book has %d leases, want none", n)
	}
}

// Forced is told what was forced, with and without watchers, until the store is closed.
func TestForcedIsAlwaysTold(t *testing.T) {
	const forced = `{"kind":"forced","name":"job","at":"1","token":"5","by":"root","reason":"hung"}`
	s := open(t, redisproc.Shared(t).URL())
	h, _, watching := vigilOf(s, "job")
	alone, one, other := newHub(s), new(told), new(told)
	h.forced, alone.forced = one.deliver, other.deliver
	for _, each := range []*hub{h, alone} {
		each.take(forced)
		each.take(acquired("job", 6, time.Second))
	}
	one.want(t, line(lease.EventForced, "job", 5))
	other.want(t, line(lease.EventForced, "job", 5))
	watching.want(t, line(lease.EventForced, "job", 5), line(lease.EventAcquired, "job", 6))
	alone.close()
	alone.take(forced)
	other.want(t, line(lease.EventForced, "job", 5))
}

// Nobody is told anything after its stop; stopping twice, or after the end, is nothing.
func TestStopIsFinal(t *testing.T) {
	s := open(t, redisproc.Shared(t).URL())
	h, one, other := newHub(s), new(told), new(told)
	stopOne := h.watch("", "", time.Now(), one.deliver)
	stopOther := h.watch("", "", time.Now(), other.deliver)
	stopOne()
	stopOne()
	h.take(acquired("job", 5, time.Second))
	one.want(t)
	other.want(t, line(lease.EventAcquired, "job", 5))
	stopOther()
	h.running.Wait() // nothing runs while nobody watches
	h.take(released("job", 5))
	other.want(t, line(lease.EventAcquired, "job", 5))

	third := new(told)
	stopThird := h.watch("", "", time.Now(), third.deliver)
	stopOther()
	h.take(acquired("job", 6, time.Second))
	h.close()
	h.take(acquired("job", 7, time.Second))
	h.gap()
	third.want(t, line(lease.EventAcquired, "job", 6))
	stopThird()
}
