package lockd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc/status"

	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

const (
	// firstConnection is how long the first connection may take.
	firstConnection = 5 * time.Second
	// replyWithin is how long an answer may take beyond the wait that was asked for. lockd gives its
	// store half a second.
	replyWithin = 3 * time.Second
	// longWait is how long to wait before asking again. lockd allows 5 min unless told otherwise; less
	// keeps what is known of the holder and the place fresh and stays below the idle limits of most proxies.
	longWait = time.Minute
	// keepsStanding is how much longer than the client means to wait a waiter is to stand in line: it asks
	// again before that is over, so that its turn is never passed over.
	keepsStanding = 5 * time.Second
	// leastWait is the shortest wait that is tried with a lockd that takes no longer one.
	leastWait = time.Second
	// lastLook is how long before the caller's deadline the last wait but one ends, so that the error
	// names the present holder.
	lastLook = 100 * time.Millisecond
	// firstPause and longPause bound the pauses between attempts. lockd undoes an attempt of unknown
	// outcome after a second; the first retry, which takes it over, comes well before.
	firstPause = 50 * time.Millisecond
	longPause  = time.Second
)

// acquisition is one call of Acquire or TryAcquire.
type acquisition struct {
	request
	client *Client
	name   string
	caller context.Context // the caller's own
	both   context.Context // see asking; nil until it is needed
	stop   func()          // ends both
	wait   bool

	id       string
	attempts uint32 // how often id was sent
	attempt         // the last one
	// doubt: a request with id may have been executed, or still be, without our having its lease.
	doubt bool
	fate  *fate      // of id; nil while every attempt was waited for
	held  *HeldError // the last one seen
	// refused is what lockd last said of why it does not serve, nil once it has served since: of more
	// use to whoever reads the error than how the last attempt ended.
	refused error
	// silent is since when nothing has served, zero while something does; failures counts the
	// attempts since.
	silent   time.Time
	failures int
}

// attempt is one sending of a lease id.
type attempt struct {
	way way // nil: there was none
	// patience is how long to stand in line, reply how long an answer, or the word that it stands in line,
	// may take beyond that; stands how much longer than patience to stand, if the way tells the place.
	patience, reply, stands time.Duration

	sent    instant // not after the sending, and little before
	came    instant // when the answer was heard
	reached bool    // it got as far as a connection
	undone  bool    // there will be no lease; lockd was not asked, or has been told to take it back
	mute    bool    // there was no word of it
}

// asked is the wait that lockd is asked for.
func (t *attempt) asked() time.Duration {
	if t.patience > 0 && t.way.tellsPlace() {
		return t.patience + t.stands
	}
	return t.patience
}

// run sends attempt after attempt of one lease id until there is a lease or no sense in another. Each is
// sent after the one before has ended, or takes over the place at which that one stands in line.
func (a *acquisition) run() (*Lease, error) {
	for {
		if err := a.ended(); err != nil { // whoever does not wait any more should not be asked for
			return nil, err
		}
		granted, err := a.send()
		t := &a.attempt
		if err == nil {
			return a.take(granted)
		}
		r := readRefusal(a.name, err)
		a.doubt = a.doubt || t.reached && !t.undone && !r.nothingDone
		switch {
		case a.ended() != nil:
			return nil, a.ended()
		case r.held != nil:
			a.served(r.held)
			if !a.wait {
				return nil, r.held
			}
			if time.Since(t.sent.mono) < t.patience/2 { // it would not stand by for so long
				pause(a.asking(), retryPause(1, firstPause, longPause))
			}
		case r.reason == reasonSuperseded, r.reason == reasonLost:
			return nil, errAnew
		case r.waitTooLong && a.client.waitLess(t.asked()):
			// At once: it has not been served yet.
		case !r.again:
			return nil, r.err
		default:
			if r.reason != "" {
				a.refused = fmt.Errorf("%w: %s", ErrUnavailable, status.Convert(err).Message())
			}
			if r.nothingDone && !a.wait && r.reason != reasonDraining { // an answer, and at once
				return nil, a.refused
			}
			// A stream that has ended, or takes no acquisitions any more, leaves a place that the next may
			// have back at once; who is away when the turn comes is passed over.
			atOnce := errors.Is(err, errStreamEnded) || r.reason == reasonDraining && t.way.tellsPlace()
			if err := a.unserved(t.sent.mono.Add(t.patience), err, atOnce); err != nil {
				return nil, err
			}
		}
	}
}

// served notes that lockd has answered: held is in the way.
func (a *acquisition) served(held *HeldError) {
	before := a.held
	a.held, a.refused, a.silent, a.failures, a.mute = held, nil, time.Time{}, 0, false
	news := before == nil || before.Token != held.Token || before.Position != held.Position
	if a.wait && a.queued != nil && news {
		a.queued(*held)
	}
}

// nextWait is for how long to wait in line. Where the place is told at once, as long as may be. By unary
// calls, the first time and after a failure, not at all: that tells at once who holds the name, and
// whether anybody serves; so it does, on every way, after an attempt that got no word.
func (a *acquisition) nextWait(tellsPlace, mute bool) time.Duration {
	if !a.wait || mute || !tellsPlace && (a.held == nil || !a.silent.IsZero()) {
		return 0
	}
	longest := a.client.longestWait()
	wait := longest - standsOn(longest)
	if deadline, ok := a.caller.Deadline(); ok {
		left := time.Until(deadline)
		if left > 2*lastLook {
			left -= lastLook
		}
		wait = max(0, min(wait, left))
	}
	return wait
}

// longestWait is how long a lockd is asked to have somebody stand in line.
func (c *Client) longestWait() time.Duration { return time.Duration(c.longest.Load()) }

// waitLess notes that a lockd takes no wait of this length, and reports whether a shorter one is worth a try.
func (c *Client) waitLess(than time.Duration) bool {
	less := int64(max(leastWait, than/2))
	for known := c.longest.Load(); less < known && !c.longest.CompareAndSwap(known, less); {
		known = c.longest.Load()
	}
	return than > leastWait
}

// standsOn is how much of such a wait is the standing on while the next attempt is sent.
func standsOn(longest time.Duration) time.Duration { return min(keepsStanding, longest/4) }

// nextReply is how long lockd may take to say anything.
func (a *acquisition) nextReply() time.Duration {
	c := a.client
	limit := min(replyWithin, c.unavailableFor)
	switch {
	case !c.link.connected.Load():
		return min(firstConnection, c.unavailableFor)
	case !a.silent.IsZero():
		return min(limit, time.Until(a.silent.Add(c.unavailableFor)))
	}
	return limit
}

// send sends one attempt.
func (a *acquisition) send() (terms, error) {
	mute := a.mute
	a.attempt = attempt{}
	t := &a.attempt
	var err error
	if t.way, err = a.nextWay(); err != nil {
		t.sent, t.mute = now(), mute
		return terms{}, err
	}
	a.attempts++
	t.patience, t.reply = a.nextWait(t.way.tellsPlace(), mute), a.nextReply()
	t.stands = standsOn(a.client.longestWait())
	if deadline, ok := a.caller.Deadline(); ok && t.patience > 0 {
		// Time to ask why, should there be no word.
		t.reply = min(t.reply, time.Until(deadline)/2)
	}
	return t.way.acquire(a)
}

// standsInLine is called when lockd says that the attempt does, behind held.
func (a *acquisition) standsInLine(held *lockdv1.Held) {
	if a.fate != nil {
		a.fate.queued(a.way)
	}
	a.served(heldError(a.name, held))
}

// nextWay is where to send the next attempt.
func (a *acquisition) nextWay() (way, error) {
	if way := a.client.link.ready(true); way != nil {
		return way, nil
	}
	ctx, cancel := context.WithTimeout(a.asking(), a.nextReply())
	defer cancel()
	return a.client.link.way(ctx, true)
}

// unserved counts an attempt that nobody served although an answer was owed from owed on, and pauses
// before the next, the first time not if that may come at once. It returns ErrUnavailable when it is time to give up, and what ended if nobody waits any more.
func (a *acquisition) unserved(owed time.Time, err error, atOnce bool) error {
	c := a.client
	text := status.Convert(err).Message()
	if !c.link.connected.Load() {
		return fmt.Errorf("%w: cannot connect to %s: %s", ErrUnavailable, c.target, text)
	}
	a.failures++
	if at := time.Now(); a.silent.IsZero() {
		a.silent = at
		if owed.Before(at) {
			a.silent = owed
		}
	}
	left := time.Until(a.silent.Add(c.unavailableFor))
	if left <= 0 {
		if a.refused != nil {
			return a.refused
		}
		return fmt.Errorf("%w: nobody served at %s for %s: %s", ErrUnavailable, c.target, c.unavailableFor, text)
	}
	if a.failures == 1 && atOnce {
		return nil
	}
	if !pause(a.asking(), min(left, retryPause(a.failures, firstPause, longPause))) {
		return a.ended()
	}
	return nil
}
