package leasetest

import (
	"errors"
	"testing"

	"github.com/lockd/lockd/internal/lease"
)

var forceTests = []test{
	{"TokenInForce", testForceTokenInForce},
	{"InGrace", testForceInGrace},
	{"OtherToken", testForceOtherToken},
	{"FreeName", testForceFreeName},
	{"FormerHolder", testForceFormerHolder},
	{"NextToken", testForceNextToken},
}

func forcing(name string, token lease.Token) lease.ForceRequest {
	return lease.ForceRequest{Name: name, Token: token, Reason: "the host burnt down"}
}

// forced ends the lease that holds name with token, which must succeed.
func (s Subject) forced(t *testing.T, name string, token lease.Token) lease.Lease {
	t.Helper()
	l, err := s.force(t, forcing(name, token))
	if err != nil {
		t.Fatalf("ForceRelease(%q, %d) = %v, want nil", name, token, err)
	}
	return l
}

// stale forces a token that is not in force, and answers what is said to be in force.
func (s Subject) stale(t *testing.T, name string, token lease.Token) *lease.Lease {
	t.Helper()
	_, err := s.force(t, forcing(name, token))
	var stale *lease.TokenError
	if !errors.As(err, &stale) {
		t.Fatalf("ForceRelease(%q, %d) = %v, want *TokenError", name, token, err)
	}
	if stale.Name != name || stale.Token != token {
		t.Errorf("TokenError names %q, %d, want %q, %d", stale.Name, stale.Token, name, token)
	}
	return stale.InForce
}

// The token in force frees the name, and the lease is answered as it was.
func testForceTokenInForce(t *testing.T, s Subject) {
	first := s.granted(t, claim("job"))
	was := s.forced(t, "job", first.Token)
	sameLease(t, "what was forced", was, first)
	wantFresh(t, "what was forced", was, ttl)
	s.free(t, "job")
}

// A lease in its grace can be forced: it is what stands in the way.
func testForceInGrace(t *testing.T, s Subject) {
	first := s.granted(t, claim("job"))
	s.Grace(t, "job")
	was := s.forced(t, "job", first.Token)
	sameLease(t, "what was forced", was, first)
	if was.Left != 0 {
		t.Errorf("Left of what was forced in its grace = %s, want 0", was.Left)
	}
	s.free(t, "job")
}

// Any other token breaks nothing and is told which one is in force: never the next holder's lease.
func testForceOtherToken(t *testing.T, s Subject) {
	first := s.granted(t, claim("job"))
	s.forced(t, "job", first.Token)
	second := s.granted(t, claim("job"))
	for _, token := range []lease.Token{1, first.Token, second.Token - 1, second.Token + 1, lease.MaxToken - 1} {
		inForce := s.stale(t, "job", token)
		if inForce == nil {
			t.Fatalf("ForceRelease(%d): InForce = nil, want the lease with %d", token, second.Token)
		}
		sameLease(t, "the lease in force", *inForce, second)
		wantFresh(t, "the lease in force", *inForce, ttl)
		s.stands(t, "job", second.Token)
	}
}

// On a free name no token is in force, so that a repeated force harms nobody.
func testForceFreeName(t *testing.T, s Subject) {
	if inForce := s.stale(t, "job", 1); inForce != nil {
		t.Errorf("ForceRelease(never held): InForce = %v, want nil", inForce)
	}
	first := s.granted(t, claim("job"))
	s.forced(t, "job", first.Token)
	if inForce := s.stale(t, "job", first.Token); inForce != nil {
		t.Errorf("ForceRelease(again): InForce = %v, want nil", inForce)
	}
	expired := s.granted(t, claim("job"))
	s.Expire(t, "job")
	if inForce := s.stale(t, "job", expired.Token); inForce != nil {
		t.Errorf("ForceRelease(expired): InForce = %v, want nil", inForce)
	}
}

// Whoever was forced out has lost the lease and cannot get it back under its old id.
func testForceFormerHolder(t *testing.T, s Subject) {
	a := claim("job")
	first := s.granted(t, a)
	s.forced(t, "job", first.Token)
	s.lost(t, "forced", a)
	told := again(a, 2)
	told.Told = first.Token
	_, err := s.acquire(t, told)
	wantErr(t, "Acquire(told, forced)", err, lease.ErrLost)
	if r := s.released(t, a); r.Outcome != lease.Gone {
		t.Errorf("Release(forced) = %d, want Gone", r.Outcome)
	}
	s.free(t, "job")
}

// What is granted after a force has a larger token than what was forced.
func testForceNextToken(t *testing.T, s Subject) {
	last := s.granted(t, claim("job")).Token
	for range 20 {
		s.forced(t, "job", last)
		next := s.granted(t, claim("job")).Token
		if next <= last {
			t.Fatalf("token went from %d to %d over a force, want larger", last, next)
		}
		last = next
	}
}
