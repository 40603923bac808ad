package redlock

import (
	"strconv"
	"sync/atomic"
	"time"

	"github.com/lockd/lockd/internal/lease"
)

// operation is one of those that batch.lua does at one node in one call.
type operation struct {
	ask      *ask      // the same for all nodes that are asked it, and not changed any more
	deadline time.Time // when who waits for it is told that nothing is known
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
	kindFollow  = "FOLLOW"
	kindUndo    = "UNDO"
	kindForce   = "FORCE"
	kindLook    = "LOOK"
	kindHold    = "HOLD" // is about the next one
)

// ask is an operation as it is for every node.
type ask struct {
	name  string
	kind  string
	args  []any
	late  int           // which of args is not_after, 0: none; it is for each node to say what time that is
	since int64         // µs, of ACQUIRE: when it is granted, if it is
	ttl   time.Duration // of the lease, 0: not known
	until time.Time     // of the whole call

	hold time.Duration // bounds the ttl of ACQUIRE and RENEW; 0: nothing does

	lock, want any // the keys, spelled once for all nodes, see of
}

// acquiring is an ACQUIRE. Its proposal is filled in when it is queued, see Store.put.
func acquiring(a lease.Acquisition, flags string, w wants, until time.Time) (ask, error) {
	body, err := encodePayload(a)
	tag := string(a.ID) + "|" + strconv.FormatUint(uint64(a.Tag.Attempt), 10) + "|" + a.Tag.Exec
	since := time.Now().UnixMicro()
	times := strconv.FormatInt(px(a.TTL), 10)
	expiry := times
	if delay := a.LockDelay.Milliseconds(); delay > 0 {
		times += "+" + strconv.FormatInt(delay, 10)
		expiry = strconv.FormatInt(px(a.TTL)+delay, 10)
	}
	rest := "0|" + strconv.FormatInt(a.TTL.Milliseconds(), 10) + "|" + times + "|" + strconv.FormatInt(since, 10) + "|" + body
	return ask{
		name: a.Name, kind: kindAcquire, late: 3, since: since, ttl: a.TTL, hold: a.MaxHold, until: until,
		args: []any{tag, flags, int64(0), int64(0), w.mine, w.next, expiry, rest},
	}, err
}

// Where the proposal is among the arguments of ACQUIRE, and among those of FORCE.
const (
	proposalOfAcquire = 2
	proposalOfForce   = 1
)

// wants are what ACQUIRE tells of who waits here: as <instance>|<since in µs>, or nothing.
type wants struct{ mine, next string }

// of is the operation as it is put to one node. What a has by then is not to be changed any more.
func (a *ask) of(k keys, timeout time.Duration, now time.Time, to func(answer)) *operation {
	deadline := now.Add(timeout)
	if a.until.Before(deadline) {
		deadline = a.until
	}
	if a.lock == nil {
		a.lock, a.want = k.lock(a.name), k.want(a.name)
	}
	return &operation{ask: a, deadline: deadline, to: to}
}

// tell settles op, once.
func (op *operation) tell(a answer) {
	if op.over.CompareAndSwap(false, true) {
		op.to(a)
	}
}
