package lease

import (
	"crypto/sha256"
	"encoding/hex"
)

// boundDigits is the length of an id that is bound to a principal. No client can send one: checkID refuses it.
const boundDigits = 40

// bound is the id under which the store knows what principal asked for with id. Who has another's lease id, and another
// identity, thus asks for another lease, in whatever a store compares ids for: to renew, to release, to take a place in
// line over, to repeat. It finds what anybody would find there: LEASE_HELD, LEASE_LOST, HELD_BY_OTHER. The store, and
// who reads what is in it, does not learn id.
func bound(id ID, principal string) ID {
	if principal == "" {
		return id
	}
	var room [idDigits + 1 + MaxPrincipalBytes]byte
	text := append(append(append(room[:0], id...), '|'), principal...) // id is of one length, so no two pairs are one text
	sum := sha256.Sum256(text)
	var digits [boundDigits]byte
	hex.Encode(digits[:], sum[:boundDigits/2])
	return ID(digits[:])
}

// A lease that was granted while nobody was authenticated is bound to its lease id alone. So that switching
// authentication on loses no lease, whoever does not find a lease under its bound id looks for one under the id
// itself: only such a lease can be there.

// unbound answers r for such a lease, nil if there is no other way to look.
func (r *Renewing) unbound() *Renewing {
	if r.renewal.ID == r.id {
		return nil
	}
	again := &Renewing{id: r.id, renewal: r.renewal, told: r.told, lessor: r.lessor, to: r.to}
	again.renewal.ID = r.id
	return again
}

// unbound is the same for a release.
func (r *Releasing) unbound() *Releasing {
	if r.request.ID == r.id {
		return nil
	}
	again := &Releasing{id: r.id, request: r.request, lessor: r.lessor, to: r.to}
	again.request.ID = r.id
	return again
}

// soon has calls made by one who must not call the store. Whoever waits for their outcome is counted, so Close comes after.
func (l *Lessor) soon(add func(*Calls)) {
	l.cleanup.running.Go(func() {
		calls := l.Calls()
		add(calls)
		calls.Start()
	})
}
