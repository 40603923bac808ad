package redlock

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/internal/line"
)

const (
	// vigilEvery is how often a vigil looks at what is due.
	vigilEvery = 50 * time.Millisecond
	// outOfOrderFor is how long an event waits for what has to be told before it.
	outOfOrderFor = 250 * time.Millisecond
	// lookAtMost is how many leases are looked at in one turn.
	lookAtMost = 64
)

// vigil is kept while anybody watches here: it puts what instances tell into its order, and notices what expires, since
// nobody tells that. What it holds is guarded by watches.mu.
type vigil struct {
	of       *watches
	watchers map[*watcher]struct{}
	from     map[string]*source
	book     map[string]*entry // leases that are in force as far as is known
	held     []early
	unlisted bool // leases may stand that the book does not know
	cancel   context.CancelFunc
	running  sync.WaitGroup
}

// watcher is one Watch; deliver is nil until it has begun.
type watcher struct {
	prefix  string
	deliver func(lease.Event)
}

// source is an instance that tells events.
type source struct {
	last  int64 // that was taken
	ahead map[int64]lease.Event
	since time.Time // the oldest of ahead
}

// entry is a lease in force.
type entry struct {
	lease lease.Event
	due   time.Time // when to look whether it is still
	over  time.Time // when it was first seen not to be; zero: it is
}

// early is a grant that has come before the end of the lease before it, or the end of such a one.
type early struct {
	event lease.Event
	until time.Time
}

func newVigil(w *watches) *vigil {
	v := &vigil{of: w, watchers: make(map[*watcher]struct{}), from: make(map[string]*source), book: make(map[string]*entry)}
	ctx, cancel := context.WithCancel(w.ending)
	v.cancel = cancel
	v.running.Go(func() { v.run(ctx) })
	return v
}

// stop ends it. watches.mu must be free.
func (v *vigil) stop() {
	v.cancel()
	v.running.Wait()
}

func (v *vigil) admit(prefix string) *watcher {
	one := &watcher{prefix: prefix}
	v.watchers[one] = struct{}{}
	v.unlisted = true
	return one
}

// take takes an event from the instance that tells it: each once, in the order of their numbers.
func (v *vigil) take(t told, now time.Time) {
	from := v.from[t.From]
	if from == nil {
		from = &source{last: t.Number - 1, ahead: make(map[int64]lease.Event)}
		v.from[t.From] = from
	}
	if t.Number <= from.last {
		return
	}
	if len(from.ahead) == 0 {
		from.since = now
	}
	from.ahead[t.Number] = t.Event
	v.drain(from, now)
}

func (v *vigil) drain(from *source, now time.Time) {
	for {
		e, ok := from.ahead[from.last+1]
		if !ok {
			return
		}
		from.last++
		delete(from.ahead, from.last)
		from.since = now
		v.happen(e, now)
	}
}

// skip gives up what has not come, once others have waited long enough for it.
func (v *vigil) skip(from *source, now time.Time) {
	if len(from.ahead) == 0 || now.Sub(from.since) < outOfOrderFor {
		return
	}
	first := from.last + 1<<62
	for number := range from.ahead {
		first = min(first, number)
	}
	v.deliver(lease.Event{Kind: lease.EventMissed, At: line.Wall(now), Missed: first - from.last - 1})
	v.unlisted = true
	from.last = first - 1
	v.drain(from, now)
}

// happen takes the next event of an instance. A grant waits for the end of the lease before it, which another instance may
// have to tell.
func (v *vigil) happen(e lease.Event, now time.Time) {
	old := v.book[e.Name]
	switch e.Kind {
	case lease.EventAcquired:
		switch {
		case old != nil && e.Token <= old.lease.Token:
			return // it was answered again
		case old != nil:
			v.hold(e, now)
			return
		}
		v.book[e.Name] = &entry{lease: e, due: now}
	case lease.EventReleased, lease.EventForced:
		if v.waits(e) {
			v.hold(e, now)
			return
		}
		if old != nil && old.lease.Token == e.Token {
			delete(v.book, e.Name)
		}
	}
	v.deliver(e)
	if e.Kind == lease.EventReleased || e.Kind == lease.EventForced {
		v.release(e.Name, now)
	}
}

func (v *vigil) hold(e lease.Event, now time.Time) {
	v.held = append(v.held, early{e, now.Add(outOfOrderFor)})
}

// waits reports whether the grant waits whose end e is: it must not be told before it, nor let the next one happen.
func (v *vigil) waits(e lease.Event) bool {
	return slices.ContainsFunc(v.held, func(h early) bool {
		return h.event.Kind == lease.EventAcquired && h.event.Name == e.Name && h.event.Token == e.Token
	})
}

// release lets events of name happen that waited for the end of the lease before: the grant that was next, and all that
// is here after it.
func (v *vigil) release(name string, now time.Time) {
	for {
		next := -1
		for i, h := range v.held {
			if h.event.Name == name && (next < 0 || h.event.Token < v.held[next].event.Token) {
				next = i // of one token the grant comes first, as it came
			}
		}
		if next < 0 {
			return
		}
		e, old := v.held[next].event, v.book[name]
		if e.Kind == lease.EventAcquired && old != nil && old.lease.Token < e.Token {
			return // it waits still
		}
		v.held = slices.Delete(v.held, next, next+1)
		v.happen(e, now)
	}
}

// expire tells that a lease has run out.
func (v *vigil) expire(e *entry, now time.Time) {
	delete(v.book, e.lease.Name)
	over := e.lease
	over.Kind, over.At, over.Ticket = lease.EventExpired, line.Wall(now), 0
	v.deliver(over)
	v.release(over.Name, now)
}

// gap says that events may be missing between those told before and after.
func (v *vigil) gap() {
	v.deliver(lease.Event{Kind: lease.EventMissed, At: line.Wall(time.Now())})
	v.unlisted = true
}

func (v *vigil) deliver(e lease.Event) {
	for w := range v.watchers {
		if w.deliver != nil && (e.Name == "" || lease.Under(e.Name, w.prefix)) {
			w.deliver(e)
		}
	}
}

// run keeps the vigil until ctx ends.
func (v *vigil) run(ctx context.Context) {
	ticker := time.NewTicker(vigilEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		v.order()
		v.list(ctx)
		v.lookAtDue()
	}
}

// order gives up what has not come in time.
func (v *vigil) order() {
	v.of.mu.Lock()
	defer v.of.mu.Unlock()
	now := time.Now()
	for _, from := range v.from {
		v.skip(from, now)
	}
	for _, h := range slices.Clone(v.held) {
		if old := v.book[h.event.Name]; !now.Before(h.until) && old != nil && old.lease.Token < h.event.Token {
			v.expire(old, now)
		}
	}
}

// list writes leases down that the book does not know.
func (v *vigil) list(ctx context.Context) {
	v.of.mu.Lock()
	unlisted := v.unlisted
	v.unlisted = false
	v.of.mu.Unlock()
	for token := ""; unlisted; {
		call, cancel := context.WithTimeout(ctx, 4*callTimeout)
		page, err := v.of.store.List(call, lease.ListRequest{Size: lease.MaxPageSize, Token: token})
		cancel()
		v.of.mu.Lock()
		for _, l := range page.Leases {
			if l.Closed == 0 && v.book[l.Name] == nil && v.covers(l.Name) {
				e := lease.Event{Kind: lease.EventAcquired, Name: l.Name, Token: l.Token, Owner: l.Owner, Principal: l.Principal}
				v.book[l.Name] = &entry{lease: e, due: time.Now().Add(l.ExpiresIn)}
			}
		}
		v.unlisted = v.unlisted || err != nil
		v.of.mu.Unlock()
		if token = page.Next; err != nil || token == "" {
			return
		}
	}
}

// covers reports whether anybody watches name.
func (v *vigil) covers(name string) bool {
	for w := range v.watchers {
		if lease.Under(name, w.prefix) {
			return true
		}
	}
	return false
}

// lookAtDue looks at leases that should be over by now, and tells of those that are. What ended otherwise is told by who
// ended it, perhaps a moment later.
func (v *vigil) lookAtDue() {
	v.of.mu.Lock()
	now := time.Now()
	var due []*entry
	for _, e := range v.book {
		if !e.due.After(now) && len(due) < lookAtMost {
			due = append(due, e)
		}
	}
	v.of.mu.Unlock()
	for _, e := range due {
		found, err := v.of.store.look(e.lease.Name, now.Add(callTimeout))
		v.of.mu.Lock()
		now := time.Now()
		switch {
		case v.book[e.lease.Name] != e: // it has ended meanwhile
		case err != nil:
			e.due = now.Add(callTimeout)
		case found != nil && found.lease.Token == e.lease.Token && found.lease.Closed == 0:
			e.due, e.over = now.Add(max(found.lease.ExpiresIn, vigilEvery)), time.Time{}
		case e.over.IsZero():
			e.over = now
		case now.Sub(e.over) >= outOfOrderFor:
			v.expire(e, now)
		}
		v.of.mu.Unlock()
	}
}
