package redlock

import (
	"strconv"
	"sync/atomic"
	"time"

	"github.com/lockd/lockd/internal/lease"
)

// operation is one of those that batch.lua does at one node in one call.
type operation struct {
	keys     []any
	args     []any
	deadline time.Time // when who waits for it is told that nothing is known
	notAfter int64     // of an ACQUIRE: where it is among args; it is the node's to say what time that is
	since    time.Time // in the queue

	over atomic.Bool  // it has been settled
	to   func(answer) // told once what came of it; must not block
}

// answer is what one node said to one operation, or why it did not.
type answer struct {
	reply reply
	at    int64 // the node's TIME in µs
	err   error // errNotDone, wrapped: certainly nothing was done; any other: not known
}

// What batch.lua calls the kinds of operations.
const (
	kindAcquire = "ACQUIRE"
	kindCommit  = "COMMIT"
	kindRenew   = "RENEW"
	kindRelease = "RELEASE"
	kindUndo    = "UNDO"
	kindForce   = "FORCE"
	kindLook    = "LOOK"
)

// ask is an operation as it is for every node; each node has its own copy.
type ask struct {
	name  string
	kind  string
	args  []any
	late  int           // which of args is not_after, 0: none
	ttl   time.Duration // of the lease, 0: not known
	until time.Time     // of the whole call
}

// acquiring is an ACQUIRE. Its proposal is filled in when it is queued, see Store.put.
func acquiring(a lease.Acquisition, flags string, w wants, until time.Time) (ask, error) {
	body, err := encodePayload(a)
	tag := string(a.ID) + "|" + strconv.FormatUint(uint64(a.Tag.Attempt), 10) + "|" + a.Tag.Exec
	return ask{
		name: a.Name, kind: kindAcquire, late: 6, ttl: a.TTL, until: until,
		args: []any{tag, flags, int64(0), a.TTL.Milliseconds(), px(a.TTL), int64(0), int64(0), w.mine, w.next, body},
	}, err
}

// Where the proposal and its time are among the arguments of ACQUIRE, and the proposal among those of FORCE.
const (
	proposalOfAcquire = 2
	sinceOfAcquire    = 5
	proposalOfForce   = 1
)

// wants are what ACQUIRE tells of who waits here: as <instance>|<since in µs>, or nothing.
type wants struct{ mine, next string }

// of is the operation as it is put to one node.
func (a ask) of(k keys, timeout time.Duration, now time.Time, to func(answer)) *operation {
	deadline := now.Add(timeout)
	if a.until.Before(deadline) {
		deadline = a.until
	}
	args := make([]any, 0, 1+len(a.args))
	args = append(append(args, a.kind), a.args...)
	op := &operation{keys: []any{k.lock(a.name), k.want(a.name)}, args: args, deadline: deadline, to: to}
	if a.late != 0 {
		op.notAfter = int64(1 + a.late)
	}
	return op
}

// tell settles op, once.
func (op *operation) tell(a answer) {
	if op.over.CompareAndSwap(false, true) {
		op.to(a)
	}
}
