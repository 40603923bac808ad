package lease

import (
	"errors"
	"fmt"
	"time"
)

// What can go wrong, in full: a store or a Lessor returns one of these, wrapped, or the caller's
// context error. Anything else is a fault of the program.
var (
	// ErrLost: the lease is not in force any more. Final: no retry brings it back.
	ErrLost = errors.New("the lease is gone")
	// ErrSuperseded: a later attempt with the same lease id has already been served; nothing was done.
	ErrSuperseded = errors.New("superseded by a later attempt of the same lease id")
	// ErrUnknown: the store did not answer, so the operation may have been done or not.
	ErrUnknown = errors.New("the store did not answer, the outcome is unknown")
	// ErrUnavailable: the store could not serve the operation and certainly did not do it.
	ErrUnavailable = errors.New("the store is unavailable")
	// ErrGrantsRefused: the store may not grant new leases for now, for example because its clock
	// and ours disagree. Nothing was done; renew and release go on.
	ErrGrantsRefused = errors.New("no leases are granted for now")
	// ErrStoreFull: the store has no memory left. Nothing was done.
	ErrStoreFull = errors.New("the store is full")
	// ErrOverloaded: too many outcomes are still unknown here, or too many wait, to take on another.
	// Nothing was done.
	ErrOverloaded = errors.New("too much is under way here")
	// ErrLineFull: MaxLine are in line for the name. Nothing was done.
	ErrLineFull = errors.New("too many wait for this name")
	// ErrDraining: this server is going away; another one will serve.
	ErrDraining = errors.New("the server is draining")
)

// InvalidError names an argument that is wrong. Nothing was done.
type InvalidError struct {
	Field   string // as on the wire: "ttl", "lease_id"
	Problem string // what is wrong and what would be right; reads on after the field
}

func (e *InvalidError) Error() string { return e.Field + " " + e.Problem }

func invalid(field, format string, args ...any) error {
	return &InvalidError{Field: field, Problem: fmt.Sprintf(format, args...)}
}

// HeldError says that another lease is in force, or that the name is closed after one that ended uncleanly. Nothing
// was done, but that who asked to may have got a place in line.
type HeldError struct {
	Holder Lease // if Closed is set there, nobody holds the name
	Place  int   // in line, 1 being next; 0: not in line
	Ticket int64 // of that place; 0: not in line
}

func (e *HeldError) Error() string {
	switch closed := e.Holder.Closed; {
	case closed > 0 && e.Holder.Token == 0: // by whom is not for everybody
		return fmt.Sprintf("%q is closed for another %s after an unclean loss", e.Holder.Name, closed.Truncate(time.Millisecond))
	case closed > 0:
		return fmt.Sprintf("%q is closed for another %s after an unclean loss: %q had it since %s", e.Holder.Name,
			closed.Truncate(time.Millisecond), e.Holder.Owner, e.Holder.Since.UTC().Format(time.RFC3339))
	case e.Holder.Token == 0:
		return fmt.Sprintf("%q is held by another", e.Holder.Name)
	}
	return fmt.Sprintf("%q is held by %q since %s, for another %s unless renewed", e.Holder.Name, e.Holder.Owner,
		e.Holder.Since.UTC().Format(time.RFC3339), e.Holder.ExpiresIn.Truncate(time.Millisecond))
}

// LostError is an ErrLost whose cause is known.
type LostError struct {
	Loss Loss
}

func (e *LostError) Error() string {
	switch e.Loss.Cause {
	case CauseForced:
		return fmt.Sprintf("%s: %q ended it: %s", ErrLost, e.Loss.By, e.Loss.Reason)
	case CauseExpired:
		if e.Loss.Reason != "" {
			return fmt.Sprintf("%s: %s", ErrLost, e.Loss.Reason)
		}
		return ErrLost.Error() + ": it was not renewed in time"
	}
	return ErrLost.Error()
}

// Is makes errors.Is(e, ErrLost) true.
func (e *LostError) Is(target error) bool { return target == ErrLost }

// TokenError says that a forced token is not the one in force. Nothing was done.
type TokenError struct {
	Name    string
	Token   Token
	InForce *Lease // nil if the name is free
}

func (e *TokenError) Error() string {
	if e.InForce == nil {
		return fmt.Sprintf("token %d is not in force on %q: nobody holds it", e.Token, e.Name)
	}
	return fmt.Sprintf("token %d is not in force on %q: %d is, held by %q", e.Token, e.Name, e.InForce.Token, e.InForce.Owner)
}
