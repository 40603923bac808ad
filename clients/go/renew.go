package lockd

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// maxRenewal bounds one renewal call, so that one to a mute server gives way to the next try and
// frees its place for another lease.
const maxRenewal = 3 * time.Second

// renewWithin is how long a renewal may take before it is tried again.
func renewWithin(ttl time.Duration) time.Duration {
	return min(maxRenewal, max(ttl/4, time.Millisecond))
}

// renewAll begins the renewals that the schedule found due: together as far as they may take as long as one
// another.
func (c *Client) renewAll(due []*Lease) {
	by := make(map[time.Duration][]*Lease, 1)
	for _, l := range due {
		within := l.renewWithin()
		by[within] = append(by[within], l)
	}
	for within, leases := range by {
		c.work.spawn(func() { c.renewTogether(leases, within) })
	}
}

// renewTogether renews leases that may take as long as one another: in one message those that need not wait
// for it, the others each by itself, so that none is held up by another.
func (c *Client) renewTogether(leases []*Lease, within time.Duration) {
	ctx, cancel := context.WithTimeout(c.ctx, within)
	defer cancel()
	way, err := c.link.way(ctx, false)
	t := now()
	live := make([]*Lease, 0, len(leases))
	for _, l := range leases {
		if err := cmp.Or(err, l.errAt(t)); err != nil { // it may have ended meanwhile
			c.renewed(t, l, err)
		} else {
			live = append(live, l)
		}
	}
	n := 0
	s, isStream := way.(*stream)
	if isStream {
		n = s.free(len(live))
	}
	for _, l := range live[n:] {
		c.work.spawn(func() {
			err := l.renewOnce(l.context().Context)
			c.renewed(now(), l, err)
		})
	}
	if n > 0 {
		s.renewAll(ctx, live[:n])
	}
}

// renewed plans, at t, what comes after a renewal that ended with err: the next, a third of a ttl on, or after
// a failure soon, and again and again until the deadline. The schedule is the retry loop, so a lease in
// trouble takes no place while it pauses.
func (c *Client) renewed(t instant, l *Lease, err error) {
	until, ttl := l.lasts(t)
	if err != nil {
		l.failures++
		c.schedule.renewed(t, l, until, t.mono.Add(renewalPause(l.failures, ttl)))
		return
	}
	l.failures = 0
	// Asking again at once cannot help a ttl so short, or a network so slow, that two thirds of it are never
	// left.
	c.schedule.renewed(t, l, until, later(renewAt(until, ttl), t.mono.Add(ttl/10)))
}

// renewOnce asks once to restart the lease and moves the deadline on. Only the lease's own end is final.
func (l *Lease) renewOnce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, l.renewWithin())
	defer cancel()
	way, err := l.client.link.way(ctx, false)
	if err != nil {
		return err
	}
	// Read before the message is given away: the server may answer before the call returns.
	sent := now()
	g, err := way.renew(ctx, l)
	return l.heard(now(), g, err, sent)
}

// heard takes the answer, heard at t, to a renewal that was sent at sent.
func (l *Lease) heard(t instant, g terms, err error, sent instant) error {
	if err != nil {
		if r := readRefusal(l.name, err); r.reason == reasonLost {
			return l.end(r.loss)
		}
		return err
	}
	switch {
	case g.token <= 0:
		return errors.New("the answer to a renewal carries no token")
	case g.token != l.token:
		// One lease, one token. Ours is gone, and a late copy of its acquisition was granted since:
		// that one is nobody's, and given back.
		l.client.giveUp(l.values, l.name, l.id)
		return l.end(ErrLost)
	}
	ttl := answeredTTL(l.asked, g.ttl)
	return l.extend(t, sent.add(validity(ttl, 0, 0)), ttl, g)
}

// renewalPause is how long to wait after so many failures in a row: from 2 % of the ttl, at most
// 100 ms, doubling to 10 % of it, at most a second.
func renewalPause(failures int, ttl time.Duration) time.Duration {
	return retryPause(failures, min(ttl/50, 100*time.Millisecond), min(ttl/10, time.Second))
}

// retryPause is first doubled with every failure after the first, up to most, and spread over half to
// one and a half of that, so that those who failed together do not come back together.
func retryPause(failures int, first, most time.Duration) time.Duration {
	d := most
	if doublings := failures - 1; doublings < 16 {
		d = min(most, first<<max(0, doublings))
	}
	return d/2 + rand.N(d+1)
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
