package redisstore

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/lockd/lockd/internal/lease"
)

const (
	// workFor bounds looking and listing, each, until the other has its turn.
	workFor = 50 * time.Millisecond
	// lookAtMost is how many names one look takes.
	lookAtMost = 100
	// lookAgain is when a lease is looked at again if a look brought nothing certain.
	lookAgain = 500 * time.Millisecond
)

// A look asks the store about leases of the book.
type look struct {
	gaps   int // before it
	leases []seen
}

// seen is a lease of the book, and what holds its name now.
type seen struct {
	name  string
	token lease.Token
	now   lease.Lease // Token 0: nothing
}

// lookAtDue looks at the leases that are due, for a while.
func (v *vigil) lookAtDue(ctx context.Context) {
	for start := time.Now(); time.Since(start) < workFor; {
		l := v.due()
		if len(l.leases) == 0 {
			return
		}
		if v.see(ctx, l.leases) != nil {
			return
		}
		over := v.looked(l)
		// They have expired unless an event says otherwise. That was published, `watched` being there
		// still, but may be on its way.
		if len(over.leases) > 0 && v.keep(ctx) == nil && v.hub.catchUp(ctx) == nil {
			v.settle(over)
		}
	}
}

// due answers what to look at. Each is due again soon, if this comes to nothing.
func (v *vigil) due() look {
	v.hub.mu.Lock()
	defer v.hub.mu.Unlock()
	l, now := look{gaps: v.gaps}, time.Now()
	for len(l.leases) < lookAtMost {
		e := v.book.first(now)
		switch {
		case e == nil:
			return l
		case !v.covers(e.name): // its watcher has left
			v.book.strike(e)
		default:
			v.book.postpone(e, now.Add(lookAgain))
			l.leases = append(l.leases, seen{name: e.name, token: e.token})
		}
	}
	return l
}

// see asks the store what holds the names.
func (v *vigil) see(ctx context.Context, leases []seen) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	names := make([]string, len(leases))
	for i, l := range leases {
		names[i] = l.name
	}
	found, err := v.store.look(ctx, names)
	if err != nil && !errors.Is(err, errForeign) {
		return err
	}
	by := make(map[string]lease.Lease, len(found))
	for _, l := range found {
		if l.Closed == 0 {
			by[l.Name] = l
		}
	}
	for i := range leases {
		leases[i].now = by[leases[i].name]
	}
	return nil
}

// looked takes what stands into the book, and answers what does not stand any more.
func (v *vigil) looked(l look) (over look) {
	v.hub.mu.Lock()
	defer v.hub.mu.Unlock()
	over.gaps = l.gaps
	if v.gaps != l.gaps {
		return over
	}
	for _, s := range l.leases {
		e := v.book.byName[s.name]
		switch {
		case e == nil || e.token != s.token: // events have told meanwhile
		case s.now.Token == s.token:
			v.book.put(s.now, end(s.now))
		default:
			over.leases = append(over.leases, s)
		}
	}
	return over
}

// end is when l expires, as just seen. What is left may be rounded down to nothing, and is nothing of a
// key that somebody made permanent: that is looked at again and again.
func end(l lease.Lease) time.Time { return time.Now().Add(max(l.ExpiresIn, lookEvery)) }

// settle takes what was seen to be over, all events until then having been taken.
func (v *vigil) settle(over look) {
	v.hub.mu.Lock()
	defer v.hub.mu.Unlock()
	if v.gaps != over.gaps {
		return
	}
	for _, s := range over.leases {
		e := v.book.byName[s.name]
		if e == nil || e.token != s.token {
			continue
		}
		v.expire(e, v.now())
		if s.now.Token > s.token { // its own event is among what is missing
			v.book.put(s.now, end(s.now))
		}
	}
}

// list goes on looking for leases that the book does not know, for a while.
func (v *vigil) list(ctx context.Context) {
	if !v.listing {
		v.hub.mu.Lock()
		v.listing, v.unlisted = v.unlisted, false
		v.hub.mu.Unlock()
	}
	for start := time.Now(); v.listing && time.Since(start) < workFor; {
		call, cancel := context.WithTimeout(ctx, callTimeout)
		names, _, next, err := v.store.scan(call, v.at, lease.ListRequest{}, scanCount)
		cancel()
		if err != nil {
			return
		}
		for part := range slices.Chunk(names, lookAtMost) {
			if v.add(ctx, part) != nil {
				return
			}
		}
		v.at, v.listing = next, next != position{}
	}
}

// add writes down which of names are held, if they are watched and not in the book.
func (v *vigil) add(ctx context.Context, names []string) error {
	v.hub.mu.Lock()
	gaps := v.gaps
	var unknown []seen
	for _, name := range names {
		if v.covers(name) && v.book.byName[name] == nil {
			unknown = append(unknown, seen{name: name})
		}
	}
	v.ended = make(map[string]struct{})
	v.hub.mu.Unlock()
	var err error
	if len(unknown) > 0 {
		err = v.see(ctx, unknown)
	}
	v.hub.mu.Lock()
	defer v.hub.mu.Unlock()
	for _, s := range unknown {
		// What came meanwhile is newer than what was seen, or the same.
		_, ended := v.ended[s.name]
		if err == nil && v.gaps == gaps && !ended && s.now.Token != 0 && v.book.byName[s.name] == nil {
			v.book.put(s.now, end(s.now))
		}
	}
	v.ended = nil
	return err
}
