package lockd

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// take makes a lease of the answer to the attempt.
func (a *acquisition) take(granted terms) (*Lease, error) {
	t := &a.attempt
	a.doubt = true // until the lease is the caller's
	if granted.token <= 0 || !granted.named {
		return nil, errors.New("lockd granted it without saying so: the answer names another lease, or none")
	}
	l := &Lease{
		client: a.client, name: a.name, id: a.id, owner: granted.owner, token: granted.token,
		asked: a.ttl, keep: a.keepalive, values: a.caller, ttl: answeredTTL(a.ttl, granted.ttl), due: due{index: -1},
	}
	if validity(l.ttl, 0, 0) <= 0 {
		return nil, fmt.Errorf("%w: a ttl of %s is over before it can be used; want 10ms or more", ErrInvalid, l.ttl)
	}
	// An answer that lay here for a while looks at the clock that costs nothing; whoever looks at the lease looks
	// at both.
	at := instant{mono: time.Now(), boot: t.came.boot}
	l.deadline = t.sent.proven(t.came, l.ttl, granted.waited)
	if granted.maxHold > 0 {
		l.boundLocked(at, granted) // it is nobody else's yet
	}
	if at.left(l.deadline) < 2*l.ttl/3 {
		// The answer was a long time coming, or was not heard for a while: a holder starts with a
		// lease worth the name.
		if err := l.refresh(a.asking()); err != nil {
			return nil, err
		}
		at = now()
	}
	if !a.client.schedule.add(at, l, renewAt(at.until(l.deadline), l.ttl)) {
		return nil, ErrClosed
	}
	a.client.link.hold(l, t.way)
	a.doubt = false
	return l, nil
}

// refresh renews the lease once, trying until it has ended or ctx does.
func (l *Lease) refresh(ctx context.Context) error {
	for failures := 1; ; failures++ {
		if err := l.renewOnce(ctx); err == nil {
			return nil
		}
		if l.Err() != nil {
			return errAnew
		}
		if !pause(ctx, renewalPause(failures, l.ttl)) {
			return ctx.Err()
		}
	}
}

// answeredTTL is what counts of a ttl that was set: no more than what was asked for, if it was, since
// only that much is known to be meant.
func answeredTTL(asked *time.Duration, answered time.Duration) time.Duration {
	ttl := max(0, answered)
	if asked != nil {
		ttl = min(ttl, *asked)
	}
	return ttl
}
