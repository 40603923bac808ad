// Package lease says what a lease is: the words, the contract that every store keeps (Store, with
// leasetest as its tests), and the rules that stand in front of every store (Lessor).
//
// A lease alone cannot stop a process that was paused past its deadline; its fencing token can, if
// what it protects refuses a smaller one. So everything here is built around two promises: at most
// one lease on a name is in force at a time, and every grant carries a token larger than all before.
//
// The package imports the standard library only and knows neither wire nor database.
package lease

import (
	"math/rand/v2"
	"strconv"
	"time"
)

// ID is a lease id: 128 random bits as 32 lower-case hex digits, chosen by the client, one for each
// acquisition and reused by its retries. It authorises renew and release, so it is a secret: it is
// never logged whole and never shown by Get or List.
type ID string

// String hides all but the first digits, so that no log and no error message carries a lease id whole.
func (id ID) String() string {
	const shown = 6
	if len(id) <= shown {
		return "…"
	}
	return string(id[:shown]) + "…"
}

// GoString hides as String does, for %#v of whatever carries an id.
func (id ID) GoString() string { return id.String() }

// Token is a fencing token, 0 < token < MaxToken, strictly increasing per name. It is no secret.
type Token int64

// MaxToken bounds tokens from above (exclusive): beyond 2^53 Lua and JSON cannot count by ones.
const MaxToken Token = 1 << 53

// Lease is a right to a name, as anybody may see it.
type Lease struct {
	Name      string
	Token     Token
	Owner     string            // for people, never for authority
	Principal string            // as authenticated; "" while nothing is
	Since     time.Time         // of the grant, by the store's clock
	TTL       time.Duration     // what each renewal restarts
	Left      time.Duration     // what the holder may still count on: max(0, ExpiresIn − grace)
	ExpiresIn time.Duration     // until it is over unless renewed: Left and the grace
	Delay     time.Duration     // its lock-delay: for how long its name is closed after it, should it end uncleanly
	Closed    time.Duration     // > 0: it is over, nobody has it, and its name is closed for so long still
	Metadata  map[string]string // nil if empty

	// MaxHold is for how long it may be renewed in all since its grant, HoldLeft what is left of that; both 0 where nothing
	// bounds it, or where who answers does not say.
	MaxHold, HoldLeft time.Duration
}

// Bounded is l, of which left is left of maxHold; as it is if that is 0. No ttl that was set reaches beyond that, and one
// that was cut is as long as what is left: both are whole milliseconds.
func (l Lease) Bounded(maxHold, left time.Duration) Lease {
	if maxHold > 0 {
		l.MaxHold, l.HoldLeft = maxHold, max(0, min(left, maxHold)).Truncate(time.Millisecond)
		l.TTL = min(l.TTL, l.HoldLeft)
	}
	return l
}

// FreeIn is when the name is free that l has, or had, unless it is renewed or released.
func (l Lease) FreeIn() time.Duration {
	if l.Closed > 0 {
		return l.Closed
	}
	return l.ExpiresIn + l.Delay
}

// Grace is how long a store keeps a name taken after the lease on it ran out: max(10 % of ttl,
// 500 ms). It covers clocks that run at different rates and a holder that acts at the last moment.
// It is never counted towards the holder's deadline, but a renewal within it succeeds.
func Grace(ttl time.Duration) time.Duration {
	return max(ttl/10, 500*time.Millisecond).Truncate(time.Millisecond)
}

// Tag marks one execution of an acquisition. A lease id alone cannot tell an attempt that nobody
// heard of from the retry that took it over; the tag can, so undoing compares the tag.
type Tag struct {
	// Attempt is the client's count of its sendings of the lease id, 0 if it does not count.
	Attempt uint32
	// Exec is random per execution: 16 hex digits. ExecReplayed, in a store, stands for an attempt
	// that was executed more than once: no undo matches it any more.
	Exec string
}

// ExecReplayed is the Exec of an attempt that was executed more than once.
const ExecReplayed = "*"

// newExec returns an Exec that no other execution has. It is no secret, only unlikely to repeat.
func newExec() string {
	const digits = 16
	s := strconv.FormatUint(rand.Uint64(), 16)
	return "0000000000000000"[:digits-len(s)] + s
}
