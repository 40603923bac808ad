package memstore

import (
	"fmt"
	"maps"
	"time"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/internal/line"
)

// entry is one lease.
type entry struct {
	name      string
	id        lease.ID
	tag       lease.Tag
	token     lease.Token
	owner     string
	principal string
	metadata  map[string]string // never written to
	granted   time.Time         // on the clock that does not step, as over
	ttl       time.Duration     // the largest that was set
	delay     time.Duration     // for how long the name is closed after it, if it ends uncleanly
	over      time.Time         // the end of the grace; of a closed name, the end of the delay
	closed    bool              // it has ended uncleanly: nobody has it, and its name is closed until over
	from      *line.Place       // that it had in line; nil if it never waited
	at        int               // its place in Store.expiry
}

// Due implements due.Item.
func (e *entry) Due() time.Time { return e.over }

// Moved implements due.Item.
func (e *entry) Moved(to int) { e.at = to }

// standsAt reports whether e is in force, its grace included, or keeps its name closed.
func (e *entry) standsAt(now time.Time) bool { return now.Before(e.over) }

// isOf reports whether id has e.
func (e *entry) isOf(id lease.ID) bool { return e.id == id && !e.closed }

// lease is e as anybody may see it.
func (e *entry) lease(now time.Time) lease.Lease {
	l := lease.Lease{
		Name: e.name, Token: e.token, Owner: e.owner, Principal: e.principal, Since: line.Wall(e.granted), TTL: e.ttl,
		Delay: e.delay, Metadata: maps.Clone(e.metadata),
	}
	if e.closed {
		l.Closed = e.over.Sub(now)
		return l
	}
	l.ExpiresIn = e.over.Sub(now)
	l.Left = max(0, l.ExpiresIn-lease.Grace(e.ttl))
	return l
}

// restarted is e as its holder is told after a ttl was set, which may be less than the lease's own.
func (e *entry) restarted(ttl, maxHold time.Duration, now time.Time) lease.Lease {
	l := e.lease(now)
	l.TTL = ttl
	return l.Bounded(maxHold, e.holdLeft(maxHold, now))
}

// holdLeft is what is left of maxHold, negative when that is over.
func (e *entry) holdLeft(maxHold time.Duration, now time.Time) time.Duration {
	return maxHold - now.Sub(e.granted)
}

// event is something that happened to e.
func (e *entry) event(kind lease.EventKind, now time.Time) lease.Event {
	happened := lease.Event{Kind: kind, Name: e.name, At: line.Wall(now), Token: e.token, Owner: e.owner, Principal: e.principal}
	if e.from != nil && kind == lease.EventAcquired {
		happened.Ticket = e.from.Ticket
	}
	return happened
}

// findLocked answers what stands on name, or nil. What is over is ended by the way, so that the answer may be the
// lease of who was next in line.
func (s *Store) findLocked(name string, now time.Time) *entry {
	for {
		e := s.held[name]
		if e == nil || e.standsAt(now) {
			return e
		}
		s.expireLocked(e, now)
	}
}

// grantLocked grants a free name with a token larger than all before, on whatever name. from is the
// place that a.ID had in line, or nil.
func (s *Store) grantLocked(a lease.Acquisition, from *line.Place, now time.Time) (*entry, error) {
	token := max(s.last+1, lease.Token(now.UnixMicro()))
	if token >= lease.MaxToken {
		return nil, fmt.Errorf("%w: tokens have reached 2^53", lease.ErrGrantsRefused)
	}
	e := &entry{
		name: a.Name, id: a.ID, tag: a.Tag, token: token, owner: a.Owner, principal: a.Principal, metadata: copied(a.Metadata),
		granted: now, ttl: a.TTL, delay: a.LockDelay, over: now.Add(a.TTL + lease.Grace(a.TTL)), from: from,
	}
	s.last = token
	s.held[a.Name] = e
	s.expiry.Add(e)
	s.granted.add(e)
	s.tellLocked(e.event(lease.EventAcquired, now))
	return e, nil
}

// copied is m where nobody else can write to it; nil if it is empty.
func copied(m map[string]string) map[string]string {
	if len(m) == 0 {
		return nil
	}
	return maps.Clone(m)
}

// restartLocked gives e a ttl from now on, no longer than maxHold since its grant. It never shortens e.
func (s *Store) restartLocked(e *entry, ttl, maxHold time.Duration, now time.Time) {
	if maxHold > 0 {
		ttl = min(ttl, e.holdLeft(maxHold, now))
	}
	e.ttl = max(e.ttl, ttl)
	if over := now.Add(ttl + lease.Grace(e.ttl)); over.After(e.over) {
		e.over = over
		s.expiry.Fix(e.at)
	}
}

// freeLocked ends e, which is in force, as the event says, and hands the name to who is next.
func (s *Store) freeLocked(e *entry, happened lease.Event, now time.Time) {
	s.tellLocked(happened)
	s.openLocked(e, now)
}

// openLocked takes e out of the books and hands the name to who is next.
func (s *Store) openLocked(e *entry, now time.Time) {
	delete(s.held, e.name)
	s.expiry.Remove(e.at)
	s.granted.remove(e.token)
	s.handOverLocked(e.name, now)
}

// expireLocked does what is due at e.over, whenever that is noticed: the lease has run out, or the delay after it is over.
func (s *Store) expireLocked(e *entry, now time.Time) {
	if e.closed {
		s.openLocked(e, now)
		return
	}
	s.loseLocked(e, e.event(lease.EventExpired, now), e.over, now)
}

// loseLocked ends e, which is in force, uncleanly, as of at: its name is closed for its lock-delay, if it has one.
func (s *Store) loseLocked(e *entry, happened lease.Event, at, now time.Time) {
	if e.delay == 0 {
		s.freeLocked(e, happened, now)
		return
	}
	e.closed, e.over = true, at.Add(e.delay)
	s.expiry.Fix(e.at)
	s.tellLocked(happened)
}
