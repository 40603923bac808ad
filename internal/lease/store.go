package lease

import (
	"context"
	"time"
)

// Store keeps leases. leasetest says what each method means, as tests that every store passes.
//
// Requests come from a Lessor and are valid. Every ctx has a deadline. A method returns its result
// or one of this package's errors; after an error other than ErrUnknown nothing was done.
//
// # The line
//
// Each name has a line: who waits for it, in the order in which the store took them in. A place in it
// belongs to a name and a lease id and has a ticket, which is larger than all tickets before it in that
// line. A waiter is present, or away: passed over and not shown, its place kept for KeepPlace in case it
// asks again. Whatever frees a name (Release, ForceRelease, Undo, expiry) hands it to the first who is
// present, with a new token, in the same step: while anybody present waits, no name is free, so nobody
// overtakes. A hand-over that is not taken up within Unclaimed is passed on.
//
// # Lock-delay
//
// A lease with a lock-delay that ends uncleanly, because it ran out or was forced, leaves its name closed for so long:
// nobody is granted it, and then the line goes on. The lease itself ends as it would without: nothing renews,
// repeats or releases it any more, and its lease id waits like any other. Release and Undo are clean, as is a hand-over
// that nobody took up: the name is free at once, after Undo also while it is closed. The delay is that of the grant,
// whatever renewals and repetitions come later. Where a closed name is shown, it is with the lease as it was and Lease.Closed.
type Store interface {
	// Acquire executes an acquisition once and answers at once. If the name is free, and after whoever
	// is in line for it, it is granted with a new token. If a.ID holds it already, the lease is answered as it stands (token, owner,
	// metadata, since), its ttl restarted (a.MaxHold as in Renew) and never shortened, and its tag replaced:
	//
	//	a.Tag.Attempt < stored              ErrSuperseded, nothing written
	//	a.Tag.Attempt > stored              a.Tag
	//	equal, and the same Exec            unchanged
	//	equal, and another Exec             ExecReplayed, which no undo matches
	//
	// With a.Told set nothing is granted anew: ErrLost unless a.ID holds the name with that token.
	//
	// If another lease is in force and a.Turn is set, a.ID takes its place at the end of the line until
	// a.Until, or is present again at the place that it had; the tag there follows the rules above, and a
	// Turn of an earlier attempt is never called any more. The answer is a *HeldError with Place set.
	// From then on, or a moment before, the store may call a.Turn: at most once, with the lease that is
	// now a.ID's.
	//
	// If a.Turn is nil and a.ID stood in line, it is away from now on, and the *HeldError says which place
	// it had; but a wait of an equal attempt and another Exec goes on as if this execution had not been,
	// but for the same answer: a replay, or a client that does not count, must not cost who waits its turn.
	// Its last half second may be given up nevertheless. Held by another and no place: Place 0.
	//
	// ctx's deadline is part of the meaning: the execution takes no effect after it, however late
	// it arrives at the store. Errors: *HeldError, ErrSuperseded, ErrLost, ErrUnknown,
	// ErrUnavailable, ErrGrantsRefused, ErrStoreFull, ErrLineFull; *InvalidError if a.LockDelay is more than the store can keep.
	Acquire(ctx context.Context, a Acquisition) (Lease, error)

	// Undo takes back an execution that nobody was told of, or that waits in vain: it frees the name if it
	// is held by u.ID with exactly u.Tag, takes u.ID out of the line if it stands there with exactly
	// u.Tag, and returns when that execution can take no more effect. With u.KeepPlace a waiter is away
	// instead, its place kept. Undo goes on trying until then or until ctx ends, with ErrUnknown.
	Undo(ctx context.Context, u Undoing) error

	// Renew restarts the ttl of a lease that r.ID still holds; it never creates and never shortens
	// one. A renewal in the grace succeeds. With r.MaxHold the ttl is set to no more than is left of that since
	// the grant, by the store's clock, and answered so, 0 in the end: then the lease ends as any does that is not
	// renewed, its grace after it. Errors: ErrLost, ErrUnknown, ErrUnavailable.
	Renew(ctx context.Context, r Renewal) (Lease, error)

	// Release frees a name that r.ID holds and touches no other lease. It works on a full store.
	// Errors: ErrUnknown, ErrUnavailable.
	Release(ctx context.Context, r ReleaseRequest) (Released, error)

	// Start does what the methods above do, without waiting: each call is settled by its deadline, or a
	// moment after, with what its method would have answered to a ctx that ends then; perhaps before
	// Start has returned. The calls of one Start begin in their order. calls is the caller's again
	// as soon as Start has returned.
	Start(calls []*Call)

	// ForceRelease frees a name that is held with exactly r.Token, or closes it for its lock-delay, and answers the lease as it was.
	// The next token is larger than r.Token also if the store's clock stands still. Whoever listens
	// (see Forced) is told.
	// Errors: *TokenError, ErrUnknown, ErrUnavailable.
	ForceRelease(ctx context.Context, r ForceRequest) (Lease, error)

	// Get answers who holds a name and who is present in its line. Errors: ErrUnavailable.
	Get(ctx context.Context, r GetRequest) (Standing, error)

	// List answers up to r.Size leases under r.Prefix after bounded work. See Page.
	// Errors: *InvalidError if r.Token is none of this store's, ErrUnavailable.
	List(ctx context.Context, r ListRequest) (Page, error)

	// Watch calls deliver with what happens to names under prefix, from its return until stop is called,
	// whichever server does it. The events of one name come in order, one at a time; a gap in what the
	// store could see is an EventMissed. deliver must not block and must not call the store. Once stop
	// has returned deliver is not called any more. Errors: ErrUnavailable.
	Watch(ctx context.Context, prefix string, deliver func(Event)) (stop func(), err error)

	// Announce has every server that is there told of e, an EventAsked, as Forced says; perhaps more than once, and
	// this one perhaps not. Errors: ErrUnavailable, ErrUnknown.
	Announce(ctx context.Context, e Event) error

	// Forced has deliver called with every EventForced and EventAsked, whichever server forced or asked, for as long as the
	// store is open; as a hint, one can be missed. It is called once, before anything else; deliver must
	// not block and must not call the store.
	Forced(deliver func(Event))

	// Status describes the store as last checked; it asks nobody and cannot fail.
	Status() Status

	// Close ends what the store started. No call may be under way. Who is still in line is away.
	Close() error
}

// An Acquisition is one execution of an acquire.
type Acquisition struct {
	Name  string
	ID    ID
	Tag   Tag
	Told  Token // the token the client was told for ID, 0 if never
	TTL   time.Duration
	Owner string
	// Principal is kept as Owner is. It is no part of what a store compares: ID is bound to it, see Lessor.
	Principal string
	Metadata  map[string]string
	// MaxHold bounds what a repetition restarts, as Renewal's does; 0: nothing does. TTL is no more than that.
	MaxHold time.Duration
	// LockDelay is for how long the name stays closed once the lease has ended otherwise than by a release.
	LockDelay time.Duration

	// Turn, if not nil, asks for a place in line while another lease is in force, and is called when its
	// turn has come. It must not block and must not call the store.
	Turn func(Handover)
	// Until is when the wait ends: after it no turn comes, should Undo not have been heard.
	Until time.Time
}

// A Handover is a lease that has come to a waiter. If nobody is there to be told of it, Undo it.
type Handover struct {
	Lease Lease
	// Began is a moment before the store call that last set the lease's ttl began: the holder may count
	// the ttl from it.
	Began time.Time
}

const (
	// KeepPlace is for how long the place of a waiter who is away is kept.
	KeepPlace = 10 * time.Second
	// Unclaimed is how long a hand-over to a waiter of another server stands until that server has taken
	// it up; then the next one has it.
	Unclaimed = 800 * time.Millisecond
	// MaxLine is how many may be present in the line of one name.
	MaxLine = 10_000
)

// An Undoing names an execution to take back.
type Undoing struct {
	Name string
	ID   ID
	Tag  Tag
	// Deadline is the one its Acquire had: before it, the execution may still take effect.
	Deadline time.Time
	// KeepPlace keeps a waiter's place for KeepPlace.
	KeepPlace bool
}

// A Renewal restarts a lease.
type Renewal struct {
	Name string
	ID   ID
	TTL  time.Duration // 0: the lease's own
	// MaxHold is for how long a lease on this name may be renewed in all, counted from its grant; 0: for ever.
	MaxHold time.Duration
}

// ReleaseRequest names a lease to give back.
type ReleaseRequest struct {
	Name string
	ID   ID
	// Principal is who asks, as authenticated: it must be who acquired the lease. A store has nothing to do with it.
	Principal string
}

// Outcome is what a release found.
type Outcome int

// A release changes something only if it finds Held.
const (
	Held        Outcome = iota + 1 // the lease was in force and is released
	Gone                           // the name was free, or closed
	HeldByOther                    // the name belongs to another lease
)

// Released is the answer to a release.
type Released struct {
	Outcome Outcome
	// Repeat says that copies of this lease's acquisition may still be under way to the store and
	// take effect until their deadline: release once more after that.
	Repeat bool
}

// ForceRequest names a lease to end by its token.
type ForceRequest struct {
	Name   string
	Token  Token
	Reason string // for the holder and the record, as By
	By     string // who forces, for people
}

// GetRequest names what to look at.
type GetRequest struct {
	Name    string
	Waiters int // at most this many waiters are answered
}

// Standing is what stands on a name.
type Standing struct {
	Held    bool
	Lease   Lease    // if Held, or if the name is closed: then Lease.Closed is set
	Waiters []Waiter // the first ones present in line, in order
	Waiting int      // how many are present in line
	// Nodes of OfNodes have the lease, where a quorum keeps it; a bare quorum bears no more failures. Else 0.
	Nodes, OfNodes int
}

// Waiter is one who stands in line, as anybody may see it.
type Waiter struct {
	Owner     string
	Principal string
	Since     time.Time // when the place was taken, by the store's clock
	Ticket    int64     // smaller is earlier
}

// ListRequest asks for a page of leases.
type ListRequest struct {
	Prefix string // segment-aware, see Under
	Size   int    // at most this many leases
	Token  string // the page before's Next; "" for the first page

	// Shows says which names may be shown; nil: all. Others are on no page and take no room there, and Next, which is shown
	// as well, has no name of theirs. It must not block, nor call the store.
	Shows func(name string) bool
}

// Selects reports whether r asks for name, and may be shown it.
func (r ListRequest) Selects(name string) bool {
	return Under(name, r.Prefix) && (r.Shows == nil || r.Shows(name))
}

// Page is some of the leases in force, and of those whose names are closed after them, in no order, possibly none although
// more follow. A lease that stood throughout all pages is on at least one of them.
type Page struct {
	Leases []Lease
	Next   string // "" on the last page
}

// Status describes a store as last checked.
type Status struct {
	Kind            string // "memory", "redis"
	Refusal         string // why no leases are granted, the store being out of reach included; "" if they are
	Warnings        []string
	Nodes           []Node
	Desynchronised  int64 // answers that belonged to another call
	PendingCleanups int64 // undos and repeated releases not yet sure; set by the Lessor
}

// Node describes one server behind a store as last checked.
type Node struct {
	Address     string // without secrets
	Error       string // of the last check; "" if it answered
	Version     string
	Role        string
	RunID       string
	ClockSkew   time.Duration // its clock minus ours
	Persistence string
	Eviction    string

	// Of a node of a quorum: why what it says does not count, "" if it does; and when it may again, if ever by itself.
	Out      string
	OutUntil time.Time
}
