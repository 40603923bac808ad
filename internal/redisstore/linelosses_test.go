package redisstore

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/lockd/lockd/internal/lease"
	"github.com/lockd/lockd/test/redisproc"
)

// listener is an Asker that listens for the loss of what it is granted.
type listener struct {
	lessor *lease.Lessor
	token  lease.Token
	lost   chan lease.Loss

	answered chan struct{}
	ear      lease.Listener
}

// Lost implements lease.Holder.
func (x *listener) Lost(why lease.Loss)   { x.lost <- why }
func (x *listener) Requested(lease.Event) {}

// Asked implements lease.Asker.
func (*listener) Asked() {}

func (x *listener) Queued(*lease.HeldError) {}

func (x *listener) Answered(g lease.Grant, err error) {
	if err == nil {
		x.token = g.Lease.Token
		x.lessor.Listen(&x.ear, g.Lease.Name, g.Lease.Token, x)
	}
	close(x.answered)
}

// Whose lease runs out here is told so when the next in line has it, and otherwise by its renewal; whose
// lease Redis lost is not.
func TestAnExpiredLeaseIsSaidToBe(t *testing.T) {
	t.Parallel()
	r := redisproc.Start(t)
	s := open(t, r.URL())
	l := lease.NewLessor(s, lease.Limits{MinTTL: 100 * time.Millisecond}.WithDefaults())
	ttl := 200 * time.Millisecond
	holds := func(name string) (*listener, lease.ID) {
		t.Helper()
		x, id := &listener{lessor: l, lost: make(chan lease.Loss, 1), answered: make(chan struct{})}, newID()
		a, err := l.Ask(lease.AcquireRequest{Name: name, ID: id, Attempt: 1, TTL: &ttl}, x)
		if err != nil {
			t.Fatal(err)
		}
		a.Run()
		if <-x.answered; x.token == 0 {
			t.Fatalf("acquire %q: no lease", name)
		}
		return x, id
	}
	renew := func(name string, id lease.ID, token lease.Token) lease.Cause {
		_, err := l.Renew(lease.RenewRequest{Name: name, ID: id, Told: token})
		if !errors.Is(err, lease.ErrLost) {
			t.Errorf("Renew(%q) = %v, want ErrLost", name, err)
		}
		if lost := new(lease.LostError); errors.As(err, &lost) {
			return lost.Loss.Cause
		}
		return 0
	}

	first, _ := holds("contended")
	next := lease.AcquireRequest{Name: "contended", ID: newID(), Attempt: 1, Wait: 10 * time.Second}
	if _, err := l.Acquire(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	if why := <-first.lost; why.Cause != lease.CauseExpired {
		t.Errorf("the next in line has it, cause %v; want expired", why.Cause)
	}

	alone, id := holds("alone")
	until(t, 5*time.Second, "it has run out", func() bool { return !held(t, s, "alone") })
	if why := renew("alone", id, alone.token); why != lease.CauseExpired {
		t.Errorf("renewed too late: cause %v, want expired", why)
	}

	ttl = time.Minute
	robbed, id := holds("robbed")
	if err := client(t, r).Del(t.Context(), s.keys.lock("robbed")).Err(); err != nil {
		t.Fatal(err)
	}
	if why := renew("robbed", id, robbed.token); why != 0 {
		t.Errorf("lost by redis: cause %v, want none", why)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := l.Close(ctx); err != nil {
		t.Error(err)
	}
}
