package lease_test

import (
	"errors"
	"testing"
	"time"

	"github.com/lockd/lockd/internal/lease"
)

// listening is an Asker that listens for the loss of what it is granted, from the moment it is told of it.
type listening struct {
	ears
	lessor *lease.Lessor
	told   told
}

func (x *listening) Answered(g lease.Grant, err error) {
	if err == nil {
		x.told.listen(x.lessor, g.Lease.Name, g.Lease.Token)
	}
	x.ears.Answered(g, err)
}

// holds has r granted at once to one who listens.
func holds(t *testing.T, l *lease.Lessor, r lease.AcquireRequest) (*listening, lease.Token) {
	t.Helper()
	to := &listening{lessor: l}
	a, err := l.Ask(r, to)
	if err != nil {
		t.Fatal(err)
	}
	a.Run()
	got := to.heard(t, "the holder", 0, 1)
	if got.err != nil {
		t.Fatal(got.err)
	}
	return to, got.grant.Lease.Token
}

// brief is a request for a lease of ten seconds, so of eleven with its grace.
func brief(n int) lease.AcquireRequest {
	r := request("job", n)
	r.TTL = in(10 * time.Second)
	return r
}

var (
	expired   = lease.Loss{Cause: lease.CauseExpired}
	toAnother = lease.Loss{Cause: lease.CauseGrantedToAnother}
)

// Whose lease runs out while somebody waits is told that it expired, also by a store whose clock is a little
// faster than ours; whose lease went to another before that, that it did.
func TestListenExpired(t *testing.T) {
	for after, want := range map[time.Duration]lease.Loss{
		11 * time.Second: expired, 11*time.Second - 10*time.Millisecond: expired, 10 * time.Second: toAnother, 0: toAnother,
	} {
		inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
			holder, _ := holds(t, l, brief(1))
			_, next := ask(t, l, patient(2))
			time.Sleep(after)
			if settle(); after < 11*time.Second {
				s.Expire("job") // as a store that lost it would
			}
			next.heard(t, "the next one", 1, 1)
			holder.told.want(t, "the holder after "+after.String(), want)
		})
	}
}

// A renewal puts off when a lease is over; one that was handed over counts from the hand-over.
func TestListenExpiredAfterRenewals(t *testing.T) {
	for _, renewed := range []bool{false, true} {
		inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
			grant(t, l, request("job", 1))
			holder, r := &listening{lessor: l}, brief(2)
			r.Wait = time.Minute
			a, err := l.Ask(r, holder)
			if err != nil {
				t.Fatal(err)
			}
			a.Run()
			time.Sleep(5 * time.Second)
			free(t, l, "job", 1)
			holder.heard(t, "the holder", 1, 1)
			time.Sleep(6 * time.Second)
			want := toAnother
			if renewed {
				if _, err := l.Renew(lease.RenewRequest{Name: "job", ID: id(2)}); err != nil {
					t.Fatal(err)
				}
				time.Sleep(10 * time.Second)
			} else {
				time.Sleep(5 * time.Second)
				want = expired
			}
			if renewed {
				s.Expire("job")
			}
			grant(t, l, request("job", 3))
			holder.told.want(t, "the holder", want)
		})
	}
}

// An answer that comes late does not take back what a later renewal has proven.
func TestARenewalAnsweredLate(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
		holder, _ := holds(t, l, brief(1))
		renew := func() {
			if _, err := l.Renew(lease.RenewRequest{Name: "job", ID: id(1)}); err != nil {
				t.Error(err)
			}
		}
		delays := make(chan time.Duration, 2)
		delays <- 8 * time.Second
		delays <- 0
		s.renewed = func() { time.Sleep(<-delays) }
		go renew()
		time.Sleep(5 * time.Second)
		renew()
		time.Sleep(7 * time.Second)
		s.Expire("job")
		grant(t, l, request("job", 2))
		holder.told.want(t, "the holder", toAnother)
	})
}

// A renewal of what has run out is told so, if somebody listens for its end here. What was lost before,
// was forced, or is not known here, has not expired.
func TestRenewSaysExpired(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
		renew := func(n int, token lease.Token) (why lease.Loss, known bool) {
			_, err := l.Renew(lease.RenewRequest{Name: "job", ID: id(n), Told: token})
			wantErr(t, "Renew(lost)", err, lease.ErrLost)
			var lost *lease.LostError
			if known = errors.As(err, &lost); known {
				why = lost.Loss
			}
			return why, known
		}
		_, token := holds(t, l, brief(1))
		s.Expire("job")
		if why, known := renew(1, token); known {
			t.Errorf("what the store lost at once was lost by %v, want no cause", why)
		}
		time.Sleep(11 * time.Second)
		if why, _ := renew(1, token); why != expired {
			t.Errorf("what has run out was lost by %v, want %v", why, expired)
		}
		if why, known := renew(1, token-1); known {
			t.Errorf("another token was lost by %v, want no cause", why)
		}

		_, token = holds(t, l, brief(2))
		loss := force(t, l, "job", token)
		time.Sleep(11 * time.Second)
		if why, _ := renew(2, token); why != loss {
			t.Errorf("what was forced was lost by %v, want %v", why, loss)
		}

		token = grant(t, l, brief(3)).Lease.Token
		time.Sleep(11 * time.Second)
		if why, known := renew(3, token); known {
			t.Errorf("what nobody listens for was lost by %v, want no cause", why)
		}
	})
}

// Who begins to listen after its Asker was told of the grant is not told what may not be known any more.
func TestListenWithoutKnowingWhenItIsOver(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, _ *fake) {
		token := grant(t, l, brief(1)).Lease.Token
		var holder told
		holder.listen(l, "job", token)
		time.Sleep(11 * time.Second)
		grant(t, l, request("job", 2))
		holder.want(t, "the holder", toAnother)
	})
}

// Who listens once more, as a session does that comes back, is not judged by the grant that was renewed since.
func TestListenAgainAfterRenewals(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
		_, token := holds(t, l, brief(1)) // until 11 s
		renew := func() error {
			_, err := l.Renew(lease.RenewRequest{Name: "job", ID: id(1), Told: token})
			return err
		}
		for range 3 {
			time.Sleep(5 * time.Second)
			wantErr(t, "Renew(held)", renew(), nil)
		}
		var again told
		again.listen(l, "job", token)
		s.Expire("job") // 10 s before its time
		if err := renew(); !errors.Is(err, lease.ErrLost) || errors.As(err, new(*lease.LostError)) {
			t.Errorf("Renew(lost) = %v, want ErrLost without a cause", err)
		}
		grant(t, l, request("job", 2))
		again.want(t, "the holder", toAnother)
	})
}

// A repeated acquisition restarts the ttl as a renewal does.
func TestListenAfterARepeatedAcquisition(t *testing.T) {
	for after, want := range map[time.Duration]lease.Loss{4 * time.Second: toAnother, 11 * time.Second: expired} {
		inBubble(t, func(t *testing.T, l *lease.Lessor, s *fake) {
			holder, token := holds(t, l, brief(1)) // until 11 s
			time.Sleep(8 * time.Second)
			r := brief(1)
			r.Told = token
			grant(t, l, r) // until 19 s
			time.Sleep(after)
			s.Expire("job")
			grant(t, l, request("job", 2))
			holder.told.want(t, "the holder after "+after.String(), want)
		})
	}
}
