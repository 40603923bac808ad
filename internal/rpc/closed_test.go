package rpc

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/lockd/lockd/internal/lease"
	lockdv1 "github.com/lockd/lockd/proto/lockd/v1"
)

const closedFor = 12 * time.Second

// closedAfter is holder's lease once its name is closed.
func closedAfter() lease.Lease {
	l := holder
	l.Left, l.ExpiresIn, l.Delay, l.Closed = 0, 0, 15*time.Second, closedFor
	return l
}

// Who is refused a closed name is told that nobody holds it, who did, and to come back when it is open; that, too, where the
// holder is not for the caller to know.
func TestAClosedNameSaysForHowLong(t *testing.T) {
	refused := &lease.HeldError{Holder: closedAfter(), Place: 2}
	for _, masked := range []bool{false, true} {
		says := refused
		if masked {
			says = maskedHeld(refused)
		}
		err := statusOf(t.Context(), says).Err()
		if status.Code(err) != codes.Aborted || reason(err) != "LEASE_HELD" {
			t.Errorf("masked %t: %v, want LEASE_HELD", masked, err)
		}
		held := detail[*lockdv1.Held](err)
		if held.GetLease().GetClosedFor().AsDuration() != closedFor || held.GetExpiresIn().AsDuration() != closedFor || held.GetPlace() != 2 {
			t.Errorf("masked %t: Held = %v, want it closed, and free, in %s", masked, held, closedFor)
		}
		if hides := held.GetLease().GetOwner() == ""; hides != masked {
			t.Errorf("masked %t: Held = %v, want the owner only where it may be known", masked, held)
		}
		if got := detail[*errdetails.RetryInfo](err).GetRetryDelay().AsDuration(); got != closedFor {
			t.Errorf("masked %t: RetryInfo = %s, want %s", masked, got, closedFor)
		}
		if want := "closed for another 12s after an unclean loss"; !strings.Contains(err.Error(), want) {
			t.Errorf("masked %t: %v, want it to say %q", masked, err, want)
		}
	}
}

// A lease with a lock-delay is in the way for so much longer.
func TestALockDelayIsPartOfWhenANameIsFree(t *testing.T) {
	l := holder
	l.ExpiresIn, l.Delay = 200*time.Millisecond, 500*time.Millisecond
	err := statusOf(t.Context(), &lease.HeldError{Holder: l}).Err()
	if held := detail[*lockdv1.Held](err); held.GetExpiresIn().AsDuration() != 700*time.Millisecond || held.GetLease().GetClosedFor() != nil {
		t.Errorf("Held = %v, want it free in 700ms", held)
	}
	if got := detail[*errdetails.RetryInfo](err).GetRetryDelay().AsDuration(); got != 700*time.Millisecond {
		t.Errorf("RetryInfo = %s, want 700ms", got)
	}
}

// Get and List show what is closed: nobody holds it.
func TestWhatIsClosedIsShown(t *testing.T) {
	got := encodeStanding("job", lease.Standing{Lease: closedAfter()})
	if got.GetHeld() || got.GetLease().GetClosedFor().AsDuration() != closedFor || got.GetLease().GetOwner() != holder.Owner {
		t.Errorf("Get = %v, want nobody to hold it, and it closed after %q", got, holder.Owner)
	}
	page := encodePage(lease.Page{Leases: []lease.Lease{closedAfter(), holder}})
	if a, b := page.GetLeases()[0], page.GetLeases()[1]; a.GetClosedFor().AsDuration() != closedFor || b.GetClosedFor() != nil {
		t.Errorf("List = %v, want the first closed, and the second not", page)
	}
}
