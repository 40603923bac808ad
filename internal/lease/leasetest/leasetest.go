// Package leasetest says what a lease.Store means, as tests: every store runs them, and a store that
// passes may stand behind a lease.Lessor. They never wait for time to pass; where a lease must run
// out, the store's own tests provide the command that does it.
//
// Not covered here, because no store shows it without faults from outside: what survives a crash, a
// failover, a wipe, a stepped clock, a lost or late message. Each store's own tests do that.
package leasetest

import (
	"testing"

	"github.com/lockd/lockd/internal/lease"
)

// A Subject is a store under test and the two things that only its own tests can do to it. No hook
// is optional: what cannot be tested cannot be promised.
type Subject struct {
	lease.Store

	// Expire makes the lease on name run out now, grace and all: the name is free. On Redis, PEXPIRE
	// its key 0. It fails the test if there is no lease on name.
	Expire func(t *testing.T, name string)

	// Grace puts the lease on name into the middle of its grace: half of lease.Grace of its ttl is
	// left until the name is free. On Redis, PEXPIRE its key. It fails the test if there is no lease.
	Grace func(t *testing.T, name string)
}

// A test is one sentence of the contract.
type test struct {
	name string
	run  func(*testing.T, Subject)
}

// Run runs every test, each one against a store of its own from open: empty, granting, and closed by
// open's own t.Cleanup. It runs them one after the other, so they may share one server.
func Run(t *testing.T, open func(t *testing.T) Subject) {
	for _, group := range []struct {
		name  string
		tests []test
	}{
		{"Acquire", acquireTests},
		{"Retry", retryTests},
		{"Late", lateTests},
		{"Undo", undoTests},
		{"Orders", orderTests},
		{"Renew", renewTests},
		{"Release", releaseTests},
		{"Force", forceTests},
		{"Tokens", tokenTests},
		{"Get", getTests},
		{"List", listTests},
		{"Names", nameTests},
	} {
		t.Run(group.name, func(t *testing.T) {
			for _, test := range group.tests {
				t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
			}
		})
	}
}
