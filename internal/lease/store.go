package lease

import (
	"context"
	"time"
)

// Store keeps leases. leasetest says what each method means, as tests that every store passes.
//
// Requests come from a Lessor and are valid. Every ctx has a deadline. A method returns its result
// or one of this package's errors; after an error other than ErrUnknown nothing was done.
type Store interface {
	// Acquire executes an acquisition once and answers at once. If the name is free it is granted
	// with a new token. If a.ID holds it already, the lease is answered as it stands (token, owner,
	// metadata, since), its ttl restarted and never shortened, and its tag replaced:
	//
	//	a.Tag.Attempt < stored              ErrSuperseded, nothing written
	//	a.Tag.Attempt > stored              a.Tag
	//	equal, and the same Exec            unchanged
	//	equal, and another Exec             ExecReplayed, which no undo matches
	//
	// With a.Told set nothing is granted anew: ErrLost unless a.ID holds the name with that token.
	//
	// ctx's deadline is part of the meaning: the execution takes no effect after it, however late
	// it arrives at the store. Errors: *HeldError, ErrSuperseded, ErrLost, ErrUnknown,
	// ErrUnavailable, ErrGrantsRefused, ErrStoreFull.
	Acquire(ctx context.Context, a Acquisition) (Lease, error)

	// Undo takes back an execution that nobody was told of: it frees the name if it is held by u.ID
	// with exactly u.Tag, and returns when that execution can take no more effect. It goes on trying
	// until then or until ctx ends, with ErrUnknown.
	Undo(ctx context.Context, u Undoing) error

	// Renew restarts the ttl of a lease that r.ID still holds; it never creates and never shortens
	// one. A renewal in the grace succeeds. Errors: ErrLost, ErrUnknown, ErrUnavailable.
	Renew(ctx context.Context, r Renewal) (Lease, error)

	// Release frees a name that r.ID holds and touches no other lease. It works on a full store.
	// Errors: ErrUnknown, ErrUnavailable.
	Release(ctx context.Context, r ReleaseRequest) (Released, error)

	// ForceRelease frees a name that is held with exactly r.Token and answers the lease as it was.
	// The next token is larger than r.Token also if the store's clock stands still.
	// Errors: *TokenError, ErrUnknown, ErrUnavailable.
	ForceRelease(ctx context.Context, r ForceRequest) (Lease, error)

	// Get answers the lease on a name and whether there is one. Errors: ErrUnavailable.
	Get(ctx context.Context, r GetRequest) (Lease, bool, error)

	// List answers up to r.Size leases under r.Prefix after bounded work. See Page.
	// Errors: *InvalidError if r.Token is none of this store's, ErrUnavailable.
	List(ctx context.Context, r ListRequest) (Page, error)

	// Status describes the store as last checked; it asks nobody and cannot fail.
	Status() Status

	// Close ends what the store started. No call may be under way.
	Close() error
}

// An Acquisition is one execution of an acquire.
type Acquisition struct {
	Name     string
	ID       ID
	Tag      Tag
	Told     Token // the token the client was told for ID, 0 if never
	TTL      time.Duration
	Owner    string
	Metadata map[string]string
}

// An Undoing names an execution to take back.
type Undoing struct {
	Name string
	ID   ID
	Tag  Tag
	// Deadline is the one its Acquire had: before it, the execution may still take effect.
	Deadline time.Time
}

// A Renewal restarts a lease.
type Renewal struct {
	Name string
	ID   ID
	TTL  time.Duration // 0: the lease's own
}

// ReleaseRequest names a lease to give back.
type ReleaseRequest struct {
	Name string
	ID   ID
}

// Outcome is what a release found.
type Outcome int

// A release changes something only if it finds Held.
const (
	Held        Outcome = iota + 1 // the lease was in force and is released
	Gone                           // the name was free
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
	Reason string // for the record; the store does not keep it
}

// GetRequest names what to look at.
type GetRequest struct {
	Name string
}

// ListRequest asks for a page of leases.
type ListRequest struct {
	Prefix string // segment-aware, see Under
	Size   int    // at most this many leases
	Token  string // the page before's Next; "" for the first page
}

// Page is some of the leases in force, in no order, possibly none although more follow. A lease
// that stood throughout all pages is on at least one of them.
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
}
