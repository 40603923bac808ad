package redisstore

import (
	"errors"
	"sync"
	"time"

	"github.com/lockd/lockd/internal/lease"
)

// waiters knows who waits in this process, by name and lease id. Its order is Redis's business.
type waiters struct {
	// mu is held while a Turn is called: nobody's turn comes after its place was given up or taken over.
	mu    sync.Mutex
	names map[string]map[lease.ID]*waiter
	// doubts are repeated askings of ours that are under way, or whose outcome we do not know. Who undoes
	// or releases the lease id must outlast them.
	doubts map[whose]doubt
	// someLost is whether anybody may have lost the place.
	someLost bool
}

// whose is what a place belongs to: one lease id may be on many names.
type whose struct {
	name string
	id   lease.ID
}

// doubt is what such an asking leaves to be undone.
type doubt struct {
	lease.Undoing
	over time.Time // see runsOut
}

// runsOut is when nothing is left of an execution of a that took effect by deadline. It may have its name at once, or
// be handed it until its wait is over, however long Redis cannot be asked meanwhile, and has it for a ttl and the
// grace then; after which the name is closed until it is undone.
func runsOut(a lease.Acquisition, deadline time.Time) time.Time {
	if a.Until.After(deadline) {
		deadline = a.Until
	}
	return deadline.Add(a.TTL + lease.Grace(a.TTL) + a.LockDelay)
}

// waiter is one who waits. Its fields are guarded by waiters.mu, but for a, which stays as it is.
type waiter struct {
	a      lease.Acquisition
	tag    lease.Tag   // a's, as Redis has it
	ticket int64       // of its place; 0 until that is known
	token  lease.Token // that it was told; 0 while it waits
	asking bool        // a repeated asking is under way
	lost   bool        // it may have lost its place, and has to ask again
	seen   lease.Token // with which Redis said that it holds the name, untold
}

func newWaiters() *waiters {
	return &waiters{names: make(map[string]map[lease.ID]*waiter), doubts: make(map[whose]doubt)}
}

// enter notes an asking that is about to be made. Where it wants a place in line it waits from now on,
// since its turn may come before the answer does; otherwise it waits no more, but for a wait of the same
// attempt and another execution, which goes on. before is who waited with this lease id until now.
// Errors: ErrSuperseded.
func (ws *waiters) enter(a lease.Acquisition) (now, before *waiter, err error) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	before = ws.names[a.Name][a.ID]
	if before != nil && before.a.Tag.Attempt > a.Tag.Attempt {
		return nil, nil, lease.ErrSuperseded
	}
	if a.Turn == nil {
		if before != nil && before.goesOnWithout(a.Tag) {
			return nil, nil, nil
		}
		ws.dropLocked(before)
		return nil, before, nil
	}
	now = &waiter{a: a, tag: a.Tag}
	if before != nil && before.tag.Attempt == a.Tag.Attempt && before.tag.Exec != a.Tag.Exec {
		now.tag.Exec = lease.ExecReplayed // no undo may find it
	}
	ws.putLocked(now)
	return now, before, nil
}

// entered is told what came of the asking.
func (ws *waiters) entered(now, before *waiter, err error) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	var held *lease.HeldError
	if now != nil && errors.As(err, &held) && held.Place > 0 {
		now.ticket = held.Ticket
		return
	}
	ws.dropLocked(now)
	if before != nil && before.token == 0 && nothingDone(err) && ws.names[before.a.Name][before.a.ID] == nil {
		ws.putLocked(before) // so it stands where it did
	}
}

// nothingDone reports whether err says that the line is as it was.
func nothingDone(err error) bool {
	for _, certain := range []error{lease.ErrUnavailable, lease.ErrGrantsRefused, lease.ErrStoreFull, lease.ErrLineFull} {
		if errors.Is(err, certain) {
			return true
		}
	}
	return false
}

func (ws *waiters) putLocked(w *waiter) {
	if ws.names[w.a.Name] == nil {
		ws.names[w.a.Name] = make(map[lease.ID]*waiter)
	}
	ws.names[w.a.Name][w.a.ID] = w
}

// dropLocked takes w out if it is there, and reports whether it was.
func (ws *waiters) dropLocked(w *waiter) bool {
	if w == nil || ws.names[w.a.Name][w.a.ID] != w {
		return false
	}
	delete(ws.names[w.a.Name], w.a.ID)
	if len(ws.names[w.a.Name]) == 0 {
		delete(ws.names, w.a.Name)
	}
	return true
}

// turn tells the waiter that was granted the name with tag, if it waits here.
func (ws *waiters) turn(name string, id lease.ID, tag lease.Tag, h lease.Handover) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if w := ws.names[name][id]; w != nil && w.is(tag) {
		ws.turnLocked(w, h)
	}
}

func (ws *waiters) turnLocked(w *waiter, h lease.Handover) {
	w.token = h.Lease.Token
	ws.dropLocked(w)
	w.a.Turn(h)
}

// is reports whether w is the execution that tag stands for, or one of those if they were several.
func (w *waiter) is(tag lease.Tag) bool {
	return w.tag.Attempt == tag.Attempt && (w.tag.Exec == tag.Exec || tag.Exec == lease.ExecReplayed)
}

// goesOnWithout reports whether w waits still, and for another execution than tag's, of the same attempt;
// see queue.lua.
func (w *waiter) goesOnWithout(tag lease.Tag) bool {
	return w.tag.Attempt == tag.Attempt && w.tag.Exec != tag.Exec && time.Now().Before(w.a.Until)
}

// leave takes out the waiter of exactly u's execution. until is when no asking of ours for the lease id
// can take effect any more.
func (ws *waiters) leave(u lease.Undoing) (until time.Time) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if w := ws.names[u.Name][u.ID]; w != nil && w.tag == u.Tag && u.Tag.Exec != lease.ExecReplayed {
		ws.dropLocked(w)
	}
	if doubt := ws.doubts[whose{u.Name, u.ID}].Deadline; doubt.After(u.Deadline) {
		return doubt
	}
	return u.Deadline
}

// doubt answers what may still take effect on a name for a lease id that is over. While that waits here
// still, whatever it is granted is told, and there is nothing to take back.
func (ws *waiters) doubt(name string, id lease.ID) (d doubt, is bool) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	d, is = ws.doubts[whose{name, id}]
	return d, is && ws.names[name][id] == nil
}

// askAgain begins a repeated asking of the waiter of id, which takes effect until deadline or never. It
// answers nil if nobody waits, or asks already.
func (ws *waiters) askAgain(name string, id lease.ID, deadline time.Time) *waiter {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	w := ws.names[name][id]
	if w == nil || w.asking {
		return nil
	}
	w.asking, w.lost = true, false
	u := lease.Undoing{Name: name, ID: id, Tag: w.a.Tag, Deadline: deadline}
	ws.doubts[whose{name, id}] = doubt{u, runsOut(w.a, deadline)}
	return w
}

// askedAgain is told what came of it, begun at began: if it was granted, that is the waiter's turn. If the
// turn has come meanwhile by another way, told is the token that came with it: the asking may have taken
// effect before that, which is as well, or after the end of that lease, and then has to be taken back.
// Whoever waits no more for another reason is undone, or asks anew.
func (ws *waiters) askedAgain(w *waiter, granted lease.Lease, began time.Time, err error) (told lease.Token) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	w.asking = false
	if errors.Is(err, lease.ErrUnknown) {
		ws.loseLocked(w)
		return 0
	}
	delete(ws.doubts, whose{w.a.Name, w.a.ID})
	var held *lease.HeldError
	switch {
	case w.token != 0:
		if errors.As(err, &held) || err == nil && granted.Token != w.token {
			return w.token
		}
	case errors.As(err, &held):
		w.ticket = held.Ticket
	case errors.Is(err, lease.ErrSuperseded), errors.Is(err, lease.ErrLost):
		ws.dropLocked(w) // the lease id waits elsewhere
	case err != nil:
		ws.loseLocked(w)
	case ws.names[w.a.Name][w.a.ID] == w:
		ws.turnLocked(w, lease.Handover{Lease: granted, Began: began})
	}
	return 0
}

// untold reports whether Redis has said twice now that the lease is held by one who waits here.
// Once may mean that the answer which tells it is on its way.
func (ws *waiters) untold(name string, id lease.ID, tag lease.Tag, token lease.Token) (waits, twice bool) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	w := ws.names[name][id]
	if w == nil || !w.is(tag) {
		return false, false
	}
	twice = w.seen == token
	w.seen = token
	return true, twice
}

func (ws *waiters) waits(name string) bool {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	return ws.names[name] != nil
}

// all answers the names that somebody waits for.
func (ws *waiters) all() []string {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	names := make([]string, 0, len(ws.names))
	for name := range ws.names {
		names = append(names, name)
	}
	return names
}

// forgetDoubts forgets what can take effect no more.
func (ws *waiters) forgetDoubts(before time.Time) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for of, d := range ws.doubts {
		if d.Deadline.Before(before) {
			delete(ws.doubts, of)
		}
	}
}
