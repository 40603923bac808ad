// Package leasetest says what a lease.Store means, as tests: every store runs them, and a store that
// passes may stand behind a lease.Lessor. They never wait for time to pass; where a lease must run
// out, the store's own tests provide the command that does it. Only that a store notices expiry by
// itself is tested with leases as short as there are, which takes half a second each.
//
// Not covered here, because no store shows it without faults from outside: what survives a crash, a
// failover, a wipe, a stepped clock, a lost or late message. Each store's own tests do that.
package leasetest

import (
	"testing"
	"time"

	"github.com/lockd/lockd/internal/lease"
)

// A Subject is a store under test and what only its own tests can do to it. No hook is optional: what
// cannot be tested cannot be promised.
type Subject struct {
	lease.Store

	// Beside answers another server's store on the same data, open until the test ends: what is done
	// there is seen here. Called again it may answer the same. Memory has nothing beside itself.
	Beside func(t *testing.T) lease.Store

	// OwnLine says that each server has a line of its own: places, and their order, are one server's. Then what is
	// said of lines is tested at one server.
	OwnLine bool

	// Expire makes the lease on name run out now, grace and all, and has the store notice as it would
	// in time: the name is free, or goes to who is first in line, perhaps a moment later; or is closed for the lease's
	// lock-delay. On Redis, PEXPIRE its key to that, else 0, and promote. It fails the test if there is no lease on name.
	Expire func(t *testing.T, name string)

	// Open ends the delay for which name is closed after a lease, and has the store notice as it would in time. On Redis,
	// PEXPIRE its key 0 and promote. It fails the test if name is not closed.
	Open func(t *testing.T, name string)

	// Forget ends the keeping of the place that id, who is away, has in the line of name. It fails the
	// test if there is none.
	Forget func(t *testing.T, name string, id lease.ID)

	// Grace puts the lease on name into the middle of its grace: half of lease.Grace of its ttl is
	// left until the name is free. On Redis, PEXPIRE its key. It fails the test if there is no lease.
	Grace func(t *testing.T, name string)

	// Age has the lease on name granted that much earlier, by the store's clock. On Redis, rewrite its since. It fails
	// the test if there is no lease.
	Age func(t *testing.T, name string, by time.Duration)
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
		{"Line", lineTests},
		{"Place", placeTests},
		{"Equal", equalTests},
		{"Leave", leaveTests},
		{"LineOrders", lineOrderTests},
		{"Renew", renewTests},
		{"Hold", holdTests},
		{"Release", releaseTests},
		{"Force", forceTests},
		{"LockDelay", delayTests},
		{"Tokens", tokenTests},
		{"Get", getTests},
		{"List", listTests},
		{"Names", nameTests},
		{"Watch", watchTests},
	} {
		t.Run(group.name, func(t *testing.T) {
			for _, test := range group.tests {
				t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
			}
		})
	}
}
