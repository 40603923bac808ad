package redisstore

import (
	"context"
	"time"

	"github.com/lockd/lockd/internal/lease"
)

// lookEvery is how often the book is looked into while somebody watches; that asks nobody.
const lookEvery = 100 * time.Millisecond

// vigil is kept while anybody watches here: it has the scripts publish, tells the watchers, and
// notices what expires. One goroutine runs it; what it shares is guarded by the hub's mu.
type vigil struct {
	hub   *hub
	store *Store
	stop  context.CancelFunc

	watchers map[*watcher]struct{}
	book     book
	watched  string              // what stood in that key, "" if that is not known
	kept     time.Time           // when that was asked: events are published for watchedFor from then
	gaps     int                 // counts them: what was asked before one is not believed after it
	unlisted bool                // leases may stand under a watched prefix that the book does not know
	ended    map[string]struct{} // names whose events came during a look that lists; else nil

	at      position // of the listing; the goroutine's own, as listing
	listing bool
}

// watcher is one Watch.
type watcher struct {
	prefix  string
	deliver func(lease.Event)
}

func newVigil(h *hub, stop context.CancelFunc) *vigil {
	return &vigil{
		hub: h, store: h.store, stop: stop,
		watchers: make(map[*watcher]struct{}), book: newBook(), kept: time.Now(),
	}
}

// run keeps the vigil until ctx ends. Whatever fails is tried again: to keep `watched` within a second,
// the rest at the next tick.
func (v *vigil) run(ctx context.Context) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for last := time.Now(); ; { // Watch has just kept it
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if time.Since(last) >= keepEvery {
			last = time.Now()
			_ = v.keep(ctx)
		}
		v.lookAtDue(ctx)
		v.list(ctx)
	}
}

// keep keeps `watched`, and notices if it had gone.
func (v *vigil) keep(ctx context.Context) error {
	asked := time.Now()
	watched, err := v.store.keepWatched(ctx)
	if err != nil {
		return err
	}
	v.hub.mu.Lock()
	defer v.hub.mu.Unlock()
	v.found(watched, asked)
	return nil
}

// found takes what stands in the watched key, as asked then. The methods from here to admit want the
// hub's mu held.
func (v *vigil) found(watched string, asked time.Time) {
	if v.watched != "" && v.watched != watched {
		v.gap()
	}
	v.watched, v.kept = watched, asked
}

func (v *vigil) gap() {
	v.gaps++
	v.unlisted = true
	v.book.doubtAll(time.Now())
	for w := range v.watchers {
		w.deliver(lease.Event{Kind: lease.EventMissed, At: v.now()})
	}
}

// now is the store's clock.
func (v *vigil) now() time.Time { return time.UnixMicro(v.store.clock.At(time.Now())) }

// covers reports whether anybody watches name, or all that is under it.
func (v *vigil) covers(name string) bool {
	for w := range v.watchers {
		if lease.Under(name, w.prefix) {
			return true
		}
	}
	return false
}

// tell delivers e to whom it concerns.
func (v *vigil) tell(e lease.Event) {
	for w := range v.watchers {
		if lease.Under(e.Name, w.prefix) {
			w.deliver(e)
		}
	}
}

// take takes an event; px is how long an acquired lease's key has.
func (v *vigil) take(e lease.Event, px time.Duration) {
	if time.Since(v.kept) > watchedFor {
		v.gap() // it may have gone, and somebody else have written it anew
		v.watched, v.kept = "", time.Now()
	}
	if !v.covers(e.Name) {
		return
	}
	if ofLease(e.Kind) {
		v.note(e, px)
	}
	v.tell(e)
}

// note keeps the book by an event of a lease.
func (v *vigil) note(e lease.Event, px time.Duration) {
	if v.ended != nil {
		v.ended[e.Name] = struct{}{}
	}
	old := v.book.byName[e.Name]
	if old != nil && old.token < e.Token {
		v.expire(old, e.At) // whatever else had ended it would have been told before this
		old = nil
	}
	switch {
	case e.Kind == lease.EventAcquired && old == nil:
		v.book.put(lease.Lease{Name: e.Name, Token: e.Token, Owner: e.Owner, Principal: e.Principal}, time.Now().Add(px))
	case e.Kind != lease.EventAcquired && old != nil && old.token == e.Token:
		v.book.strike(old)
	}
}

// expire strikes e out, which is over, and says that it expired, unless a gap may have hidden how it
// ended and that was before it could expire.
func (v *vigil) expire(e *entry, at time.Time) {
	v.book.strike(e)
	if e.doubt && time.Now().Before(e.end) {
		return
	}
	v.tell(lease.Event{Kind: lease.EventExpired, Name: e.name, At: at, Token: e.token, Owner: e.owner, Principal: e.principal})
}

func (v *vigil) admit(w *watcher) {
	if !v.covers(w.prefix) {
		v.unlisted = true
	}
	v.watchers[w] = struct{}{}
}
