package lease

import "time"

// EventKind is what happened.
type EventKind int

// What can happen to a name, or to the watch itself.
const (
	EventAcquired EventKind = iota + 1 // a lease was granted
	EventReleased                      // its holder gave it back, or it was undone
	EventExpired                       // it ran out; at is when that was noticed, within a second
	EventForced                        // an operator ended it
	EventQueued                        // somebody took a place in line, or is present at it again
	EventLeft                          // somebody left the line without a lease, or is away
	EventMissed                        // events are missing here
	EventAsked                         // an operator asked its holder to release it; Announce only
)

// Event is something that happened. It carries no lease id.
type Event struct {
	Kind      EventKind
	Name      string // "" for EventMissed
	At        time.Time
	Token     Token  // the lease's; 0 for EventQueued and EventLeft
	Owner     string // the lease's or the waiter's
	Principal string
	Ticket    int64  // of the place, also if EventAcquired ended a wait in line; else 0
	By        string // who ended it, or asked; EventForced and EventAsked only, as Reason
	Reason    string
	ForceIn   time.Duration // until it is ended by force, in whole milliseconds; 0: it is not. EventAsked only, as Ask
	Ask       string        // up to 16 hex digits that tell one ask from another
	Missed    int64         // how many events are missing, 0 if not known; EventMissed only
}

// Cause is why a lease ended that its holder did not release.
type Cause int

// The causes; 0 is an unknown one.
const (
	CauseExpired Cause = iota + 1
	CauseForced
	CauseGrantedToAnother // while it should have stood: the store lost it
)

// Loss says why a lease ended.
type Loss struct {
	Cause  Cause
	By     string // who forced it
	Reason string // of a force, in By's words; of CauseExpired, the longest hold, if that is over; or ""
}
