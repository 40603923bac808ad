package lockd

import "time"

// instant is one moment on two clocks. Both count from an origin of their own and are only compared
// with themselves.
type instant struct {
	mono time.Time     // Go's clock; it may stand still while the machine is suspended
	boot time.Duration // a clock that goes on then, see bootTime
}

// bootTime reads the second clock. It is a variable for tests on synctest's clock, from which the real one would part.
var bootTime = readBootTime

// now reads both clocks.
func now() instant {
	return instant{mono: time.Now(), boot: bootTime()}
}

// add returns the instant d later.
func (i instant) add(d time.Duration) instant {
	return instant{mono: i.mono.Add(d), boot: i.boot + d}
}

// passedAt reports whether t is at or after the deadline i on either clock.
func (i instant) passedAt(t instant) bool {
	return t.left(i) <= 0
}

// left returns how much time is left at i until deadline: the less of what the two clocks say.
func (i instant) left(deadline instant) time.Duration {
	return min(deadline.mono.Sub(i.mono), deadline.boot-i.boot)
}

// drift is by how much the two clocks may be apart and count as one: what reading them takes, and far
// within the margin of a deadline.
const drift = time.Millisecond

// until returns when deadline passes on the first of the two clocks, as a moment of Go's clock and as
// it looks at i: a machine that is suspended after i will see it sooner.
func (i instant) until(deadline instant) time.Time {
	if ahead := deadline.mono.Sub(i.mono) - i.left(deadline); ahead > drift {
		return deadline.mono.Add(-ahead)
	}
	return deadline.mono
}

// latest returns the later of two instants, on each clock by itself: each is a proof of its own that
// the lease stands, and on either clock the better one counts.
func latest(a, b instant) instant {
	if b.mono.After(a.mono) {
		a.mono = b.mono
	}
	a.boot = max(a.boot, b.boot)
	return a
}

// margin covers what is neither waiting nor ttl: the cut to whole milliseconds, and the time between
// a look at the clock and what is done on the strength of it.
const margin = 5 * time.Millisecond

// proven returns until when the answer that came at t to a request sent at i may be counted on. Each
// clock judges by itself: one that stood still during a part of waited has not waited so long.
func (i instant) proven(t instant, ttl, waited time.Duration) instant {
	return instant{
		mono: i.mono.Add(validity(ttl, waited, t.mono.Sub(i.mono))),
		boot: i.boot + validity(ttl, waited, t.boot-i.boot),
	}
}

// validity returns for how long from the sending of a request its answer may be counted on. ttl is
// the smaller of asked and answered. waited was measured by the server's clock: it may run 0.1 % fast
// and thus too long; the ttl was counted by the store's, which may differ by 1 %. The server cannot
// have waited longer than the answer took, so elapsed bounds what a faulty one could claim.
func validity(ttl, waited, elapsed time.Duration) time.Duration {
	waited = max(0, min(waited, elapsed))
	return waited - waited/1000 + ttl - ttl/100 - margin
}
