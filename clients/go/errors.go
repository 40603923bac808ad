package lockd

import (
	"errors"
	"fmt"
	"time"
)

// Why a lease ended. One of these is what [Lease.Err] returns and, by [context.Cause], the cause of
// [Lease.Context].
var (
	// ErrExpired: the safe deadline passed without a renewal that was answered; or, as a *[HoldOverError], at the end of
	// the longest hold that lockd allows, beyond which no renewal moves it.
	ErrExpired = errors.New("lockd: the lease has expired")
	// ErrLost: lockd says that the lease is gone: it ran out there, was released by force, or the
	// store lost it.
	ErrLost = errors.New("lockd: the lease is gone")
	// ErrForceReleased: an operator ended the lease. It comes as a *[ForcedError], which says who and
	// why, and is an ErrLost too, for code that treats all losses alike.
	ErrForceReleased = errors.New("lockd: the lease was released by force")
	// ErrReleased: Release was called.
	ErrReleased = errors.New("lockd: the lease was released")
	// ErrClosed: the Client was closed.
	ErrClosed = errors.New("lockd: the client is closed")
)

// Why there is no lease, apart from *HeldError, ErrClosed and the errors of the caller's context.
var (
	// ErrInvalid: an argument is wrong; the text names it and says what would be right.
	ErrInvalid = errors.New("lockd: invalid argument")
	// ErrUnavailable: no lockd could be reached, or none could serve; see [WithUnavailableFor].
	ErrUnavailable = errors.New("lockd: unavailable")
	// ErrDenied: lockd does not know who calls, or may not let them do that. See [WithTLS] and [WithTokenFile].
	ErrDenied = errors.New("lockd: denied")
)

// ForcedError is an [ErrForceReleased], and an [ErrLost].
type ForcedError struct {
	By     string // who did it, as they called themselves; "" if they did not
	Reason string // why, in their words
}

func (e *ForcedError) Error() string {
	text := ErrForceReleased.Error()
	if e.By != "" {
		text += fmt.Sprintf(" by %q", e.By)
	}
	return text + ": " + e.Reason
}

// Is makes errors.Is true for ErrForceReleased and for ErrLost.
func (e *ForcedError) Is(target error) bool { return target == ErrForceReleased || target == ErrLost }

// HeldError says who stood in the way when lockd last looked. It is made for people: by the time
// it is read the lease may have changed hands.
type HeldError struct {
	Name      string
	Owner     string        // "" if lockd did not say
	Token     int64         // of the lease in force; 0 if lockd did not say
	Since     time.Time     // of its grant, by the store's clock
	ExpiresIn time.Duration // until the name would have been free without a renewal
	// ClosedFor is set if nobody held the name: the lease ran out, or was ended by force, and the name stayed closed for so
	// long still. Owner, Token and Since are those of the lease that was lost.
	ClosedFor time.Duration
	Position  int // the caller's place in line, 1 being next; 0: not in line, or lockd did not say
}

func (e *HeldError) Error() string {
	text := fmt.Sprintf("lockd: %q is held by another", e.Name)
	switch {
	case e.ClosedFor > 0:
		text = fmt.Sprintf("lockd: %q is closed for another %s after an unclean loss", e.Name, e.ClosedFor.Truncate(time.Millisecond))
		if e.Token != 0 {
			text += fmt.Sprintf(" by %q, who had it since %s", e.Owner, e.Since.UTC().Format(time.RFC3339))
		}
	case e.Token != 0:
		text = fmt.Sprintf("lockd: %q is held by %q since %s, for another %s unless renewed",
			e.Name, e.Owner, e.Since.UTC().Format(time.RFC3339), e.ExpiresIn.Truncate(time.Millisecond))
	}
	if e.Position > 0 {
		text += fmt.Sprintf("; place in line: %d", e.Position)
	}
	return text
}
