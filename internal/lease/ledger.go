package lease

import (
	"fmt"
	"sync"
	"time"

	"github.com/lockd/lockd/internal/due"
)

// Share bounds what may be had at once through this server. A field that is 0 bounds nothing.
type Share struct {
	Leases  int // held, or asked for: who waits for a lease has a claim to one
	Waiters int // acquisitions that may wait
	Line    int // of those, for one name
}

// LimitError says that a limit is reached. Nothing was done.
type LimitError struct {
	What    string // "leases"
	Limit   int
	Whose   string        // the principal whose limit it is; "": of all together
	RetryIn time.Duration // when asking again makes sense
}

func (e *LimitError) Error() string {
	if e.Whose == "" {
		return fmt.Sprintf("all together have reached this server's limit of %d %s", e.Limit, e.What)
	}
	return fmt.Sprintf("%s has reached its limit of %d %s", e.Whose, e.Limit, e.What)
}

// retryLimit is when who has too much may ask again: something may have ended by then.
const retryLimit = time.Second

// ledger counts who has how much of what is held and waited for through this server. Other servers count for
// themselves. A lease counts from its first asking on, or from its first renewal here, until it is released or lost
// here or its time is over by this server's clock. What is over is noticed by whoever comes next.
type ledger struct {
	mu      sync.Mutex
	claims  map[claimOf]*claim
	tenants map[string]*tenant // by principal; "" is everybody while nobody is authenticated
	held    due.Heap[*claim]
	waiting int
	spare   []*claim // to be used again

	always  bool         // whatever the limits
	expired func(*claim) // told of each lease whose time is over, with mu held; nil: nobody is
}

// claimOf names a lease, or what may become one: repeats and re-askings have the claim they had.
type claimOf struct {
	name string
	id   ID
}

// claim is what one lease id has on one name.
type claim struct {
	of      claimOf
	tenant  *tenant
	askings int       // under way
	waits   int       // of those, that may wait
	over    time.Time // when the lease is over; zero: none is held
	since   time.Time // if one is: when it was granted
	token   Token     // and its token
	due     time.Time // when to look at over: held is in the order of this
	place   int       // in held
}

// Due implements due.Item.
func (c *claim) Due() time.Time { return c.due }

// Moved implements due.Item.
func (c *claim) Moved(to int) { c.place = to }

// tenant is who shares one limit.
type tenant struct {
	principal string
	claims    int
	waiting   int
	lines     map[string]int // by name; nil while nobody is authenticated: a line has its own bound in the store
}

// clocksDiffer is how much the store's clock may differ from ours while it grants: what it says of the past is not more
// exact than that.
const clocksDiffer = 2 * time.Second

// maxSpare bounds the claims that are kept to be used again.
const maxSpare = 1024

func newLedger() *ledger {
	return &ledger{claims: make(map[claimOf]*claim), tenants: make(map[string]*tenant)}
}

// enter counts a in, which is about to begin. Where there is room for its lease but not for its waiting, it
// does not wait: full says why.
func (l *ledger) enter(a *Asking, limits *Limits) (full, err error) {
	if !l.always && !limits.count(a.next.Principal) {
		return nil, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.expireLocked(a.arrived)
	of := claimOf{a.next.Name, a.next.ID}
	c := l.claims[of]
	if c == nil {
		t := l.tenants[a.next.Principal]
		if err := l.leaseLocked(t, limits); err != nil {
			return nil, err
		}
		c = l.addLocked(of, a.next.Principal)
	}
	c.askings++
	a.claim = c
	if a.next.Turn == nil {
		return nil, nil
	}
	if c.waits == 0 {
		if full := l.waitLocked(c, limits); full != nil {
			return full, nil
		}
		l.waiting++
		c.tenant.wait(of.name, 1)
	}
	c.waits++
	a.counted = true
	return nil, nil
}

// leaseLocked reports that there is no room for another lease of t, which may be nil.
func (l *ledger) leaseLocked(t *tenant, limits *Limits) error {
	if most := limits.All.Leases; most > 0 && len(l.claims) >= most {
		return &LimitError{What: "leases", Limit: most, RetryIn: retryLimit}
	}
	if t == nil || t.principal == "" {
		return nil
	}
	if most := limits.Each.Leases; most > 0 && t.claims >= most {
		return &LimitError{What: "leases", Limit: most, Whose: t.principal, RetryIn: retryLimit}
	}
	return nil
}

// waitLocked reports that there is no room for another waiter.
func (l *ledger) waitLocked(c *claim, limits *Limits) error {
	t, each := c.tenant, limits.Each
	if most := limits.All.Waiters; most > 0 && l.waiting >= most {
		return &LimitError{What: "waiters", Limit: most, RetryIn: retryLimit}
	}
	switch {
	case t.principal == "":
		return nil
	case each.Waiters > 0 && t.waiting >= each.Waiters:
		return &LimitError{What: "waiters", Limit: each.Waiters, Whose: t.principal, RetryIn: retryLimit}
	case each.Line > 0 && t.lines[c.of.name] >= each.Line:
		return &LimitError{What: "waiters for one name", Limit: each.Line, Whose: t.principal, RetryIn: retryLimit}
	}
	return nil
}

// leave counts a out, once.
func (l *ledger) leave(a *Asking) {
	c := a.claim
	if c == nil {
		return
	}
	a.claim = nil
	l.mu.Lock()
	defer l.mu.Unlock()
	c.askings--
	if a.counted {
		if c.waits--; c.waits == 0 {
			l.waiting--
			c.tenant.wait(c.of.name, -1)
		}
	}
	l.forgetLocked(c)
}

// hold notes that a lease was granted or renewed and is over at a time. Nothing is refused here: what the store
// has granted is the client's. It answers whether nothing was held before, and otherwise by how much later it is over now.
func (l *ledger) hold(of claimOf, held Lease, over time.Time, limits *Limits) (first bool, later time.Duration) {
	if !l.always && !limits.count(held.Principal) {
		return false, 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.claims[of]
	if c == nil { // it was granted by another server
		c = l.addLocked(of, held.Principal)
	}
	switch {
	case c.over.IsZero():
		c.over, c.due, c.token = over, over, held.Token
		c.since = time.Now()
		if stood := c.since.Sub(held.Since); stood > clocksDiffer { // it was granted elsewhere, and the store knows when
			c.since = c.since.Add(-stood)
		}
		l.held.Add(c)
		return true, 0
	case over.After(c.over):
		later = over.Sub(c.over)
		c.over = over // looked at when it is due
	}
	return false, later
}

// free notes that a lease is held no more, and answers whether it was and for how long.
func (l *ledger) free(of claimOf) (held time.Duration, was bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.claims[of]
	if c == nil || c.over.IsZero() {
		return 0, false
	}
	held = c.heldFor(time.Now())
	l.held.Remove(c.place)
	c.over = time.Time{}
	l.forgetLocked(c)
	return held, true
}

// expireLocked frees what is over.
func (l *ledger) expireLocked(now time.Time) {
	for c, is := l.held.First(); is && c.due.Before(now); c, is = l.held.First() {
		if c.over.After(now) { // renewed
			c.due = c.over
			l.held.Fix(0)
			continue
		}
		l.held.Remove(0)
		if l.expired != nil {
			l.expired(c)
		}
		c.over = time.Time{}
		l.forgetLocked(c)
	}
}

func (l *ledger) addLocked(of claimOf, principal string) *claim {
	t := l.tenants[principal]
	if t == nil {
		t = &tenant{principal: principal}
		if principal != "" {
			t.lines = make(map[string]int)
		}
		l.tenants[principal] = t
	}
	t.claims++
	var c *claim
	if n := len(l.spare); n > 0 {
		c, l.spare = l.spare[n-1], l.spare[:n-1]
	} else {
		c = new(claim)
	}
	*c = claim{of: of, tenant: t}
	l.claims[of] = c
	return c
}

// forgetLocked takes c out if nobody holds it or asks for it.
func (l *ledger) forgetLocked(c *claim) {
	if c.askings > 0 || !c.over.IsZero() {
		return
	}
	delete(l.claims, c.of)
	t := c.tenant
	if t.claims--; t.claims == 0 && t.principal != "" {
		delete(l.tenants, t.principal)
	}
	*c = claim{}
	if len(l.spare) < maxSpare {
		l.spare = append(l.spare, c)
	}
}

func (t *tenant) wait(name string, n int) {
	t.waiting += n
	if t.lines == nil {
		return
	}
	if t.lines[name] += n; t.lines[name] == 0 {
		delete(t.lines, name)
	}
}
