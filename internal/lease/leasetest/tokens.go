package leasetest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lockd/lockd/internal/lease"
)

var tokenTests = []test{
	{"Grow", testTokensGrow},
	{"GrowUnderContention", testTokensGrowUnderContention},
	{"GrowWithOtherNames", testTokensGrowWithOtherNames},
	{"Stay", testTokensStay},
}

// Every grant of a name has a larger token than all before it, however the lease before it ended.
func testTokensGrow(t *testing.T, s Subject) {
	var last lease.Token
	ends := []func(lease.Acquisition, lease.Token){
		func(a lease.Acquisition, _ lease.Token) { s.released(t, a) },
		func(a lease.Acquisition, _ lease.Token) { s.undone(t, a) },
		func(a lease.Acquisition, _ lease.Token) { s.Expire(t, a.Name) },
		func(a lease.Acquisition, token lease.Token) { s.forced(t, a.Name, token) },
	}
	for i := range 10 * len(ends) {
		a := claim("job")
		token := s.granted(t, a).Token
		if token <= last || token >= lease.MaxToken {
			t.Fatalf("grant %d: token went from %d to %d, want larger and below 2^53", i, last, token)
		}
		last = token
		ends[i%len(ends)](a, token)
	}
}

// Tokens grow in the order in which contenders hold the name, and no two of them hold it at once.
func testTokensGrowUnderContention(t *testing.T, s Subject) {
	const contenders, rounds = 8, 15
	end := time.Now().Add(callTime)
	var holding atomic.Int32
	var last lease.Token // the holder's; holding orders the accesses for the race detector
	hold := func() error {
		a := claim("job")
		l, err := s.acquire(t, a)
		for errors.As(err, new(*lease.HeldError)) && time.Now().Before(end) {
			l, err = s.acquire(t, a)
		}
		if err != nil {
			return err
		}
		if n := holding.Add(1); n != 1 {
			return fmt.Errorf("%d hold the name at once", n)
		}
		if l.Token <= last {
			return fmt.Errorf("token went from %d to %d, want larger", last, l.Token)
		}
		last = l.Token
		holding.Add(-1)
		ctx, cancel := call(t)
		defer cancel()
		_, err = s.Release(ctx, lease.ReleaseRequest{Name: a.Name, ID: a.ID})
		return err
	}
	var contending sync.WaitGroup
	for range contenders {
		contending.Go(func() {
			for range rounds {
				if err := hold(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	contending.Wait()
}

// Grants of other names in between never make a name's tokens go back.
func testTokensGrowWithOtherNames(t *testing.T, s Subject) {
	last := map[string]lease.Token{}
	for i := range 60 {
		a := claim(fmt.Sprintf("job/%d", i%7))
		l := s.granted(t, a)
		if l.Token <= last[a.Name] {
			t.Errorf("token of %q went from %d to %d, want larger", a.Name, last[a.Name], l.Token)
		}
		last[a.Name] = l.Token
		s.released(t, a)
	}
}

// One lease, one token: renewals, retries and refusals do not change it.
func testTokensStay(t *testing.T, s Subject) {
	a := claim("job")
	first := s.granted(t, a)
	for attempt := range uint32(3) {
		s.Grace(t, "job")
		if l := s.granted(t, again(a, 2+attempt)); l.Token != first.Token {
			t.Errorf("token of the retry = %d, want %d", l.Token, first.Token)
		}
		if l, err := s.renew(t, lease.Renewal{Name: "job", ID: a.ID}); err != nil || l.Token != first.Token {
			t.Errorf("Renew = token %d, %v, want %d", l.Token, err, first.Token)
		}
		_, err := s.acquire(t, claim("job"))
		wantHeld(t, "Acquire(held)", err, first)
		s.stands(t, "job", first.Token)
	}
}
