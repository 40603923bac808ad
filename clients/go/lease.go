package lockd

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Lease is a name held. It is safe for concurrent use.
type Lease struct {
	client *Client
	name   string
	id     string
	owner  string
	token  int64
	asked  *time.Duration  // the ttl that was asked for; nil: the server's choice
	keep   bool            // renewed in the background, and released by Close
	values context.Context // what its Context has the values of

	mu       sync.Mutex
	ttl      time.Duration
	deadline instant             // of the best answer so far
	cause    error               // why it ended; set once, never reset
	release  *releaseRun         // the last one begun
	ctx      *leaseContext       // nil until somebody asks for it
	requests chan ReleaseRequest // nil until somebody asks for it, or for the lease
	hold     *hold               // nil until somebody asks for it, or something bounds it

	failures   int  // renewals that failed in a row; owned by the renewal under way, and by the schedule between two
	unanswered bool // a release was sent whose answer never came; owned by the release under way
	due             // guarded by client.schedule.mu
}

// Name is what is held.
func (l *Lease) Name() string { return l.name }

// ID is the lease id. It is a secret: who has it may renew and release the lease. It appears in no
// error and no other text of this package.
func (l *Lease) ID() string { return l.id }

// Token is the fencing token, larger than every token granted before it for this name; it stays the
// same for as long as the lease lasts. It is no secret.
func (l *Lease) Token() int64 { return l.token }

// Owner says who holds the lease, as lockd shows it to others.
func (l *Lease) Owner() string { return l.owner }

// TTL is how long the lease lasts from each renewal on: the smaller of what was asked for and what
// lockd set.
func (l *Lease) TTL() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ttl
}

// Deadline is until when the lease may be counted on if no further renewal is answered. Each answer
// moves it on, and a machine that is suspended brings it nearer.
func (l *Lease) Deadline() time.Time {
	until, _ := l.lasts(now())
	return until
}

// lasts returns Deadline as it looks at t, and what renewals go by, which is nearly always TTL.
func (l *Lease) lasts(t instant) (until time.Time, ttl time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return t.until(l.deadline), l.rhythmLocked()
}

// renewWithin is how long a renewal may take before it is tried again.
func (l *Lease) renewWithin() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return renewWithin(l.rhythmLocked())
}

// Context ends when the lease does, whatever ends it; context.Cause says why: [ErrExpired],
// [ErrForceReleased] (a *[ForcedError]), [ErrLost], [ErrReleased] or [ErrClosed]. It carries the values of the context that was given to
// Acquire, but neither its cancellation nor its deadline: those bound the waiting only. It has no
// deadline of its own, since each renewal moves that.
//
// Its Err looks at the clocks and never returns nil after the safe deadline. Contexts derived from it
// are told; they end within 50 ms of running.
func (l *Lease) Context() context.Context { return l.context() }

// context makes the context when it is first asked for: most leases end before.
func (l *Lease) context() *leaseContext {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ctx == nil {
		l.ctx = newLeaseContext(context.WithoutCancel(l.values), l)
		if l.cause != nil {
			l.ctx.cancel(l.cause)
		}
	}
	return l.ctx
}

// Err is nil while the lease may be counted on, and then for good why not: [ErrExpired],
// [ErrForceReleased] (a *[ForcedError]), [ErrLost], [ErrReleased] or [ErrClosed]. It looks at the clocks, not at a flag.
func (l *Lease) Err() error {
	l.mu.Lock()
	cause := l.cause
	// Read with the lock held: a deadline that was moved on in between must not be judged by its past.
	expired := cause == nil && l.deadline.passedAt(now())
	l.mu.Unlock()
	if expired {
		return l.end(ErrExpired)
	}
	return cause
}

// errAt is Err as it was at t, little before, for those who look at many.
func (l *Lease) errAt(t instant) error {
	l.mu.Lock()
	cause, expired := l.cause, l.deadline.passedAt(t)
	l.mu.Unlock()
	if cause == nil && expired {
		return l.end(ErrExpired)
	}
	return cause
}

// String describes the lease without its id.
func (l *Lease) String() string { return fmt.Sprintf("lockd.Lease(%q, token %d)", l.name, l.token) }

// GoString is String: %#v would show the id.
func (l *Lease) GoString() string { return l.String() }

// end ends the lease for cause unless it has ended before, and returns the cause that stands. A
// deadline that has passed was first, whether or not anybody looked.
func (l *Lease) end(cause error) error {
	l.mu.Lock()
	first := l.cause == nil
	if first {
		l.cause = cause
		if cause == ErrExpired || l.deadline.passedAt(now()) {
			l.cause = l.expiredLocked()
		}
	}
	cause = l.cause
	ctx := l.ctx
	l.mu.Unlock()
	if first {
		l.client.schedule.remove(l) // nothing renews it from here on
		l.client.link.drop(l)
		if ctx != nil {
			ctx.cancel(cause)
		}
	}
	return cause
}

// extend moves the deadline on to what the answer that was heard at t has proven, never back. An answer that
// comes after the deadline is too late: somebody may have been told by then that the lease has ended.
func (l *Lease) extend(t, deadline instant, ttl time.Duration, g terms) error {
	l.mu.Lock()
	cause, expired := l.cause, l.deadline.passedAt(t)
	if cause == nil && !expired {
		l.deadline = latest(l.deadline, deadline)
		l.ttl = ttl
		l.boundLocked(t, g)
	}
	l.mu.Unlock()
	if cause == nil && expired {
		return l.end(ErrExpired)
	}
	return cause
}
