package redisstore

import (
	"strconv"
	"sync/atomic"
	"time"

	"github.com/lockd/lockd/internal/lease"
)

// operation is one of those that a batch script does in one call: its keys and arguments as go-redis takes
// them, pointers to its own fields. All its texts are parts of one string, and all else of one struct: on a
// busy server it is allocations that operations cost most.
type operation struct {
	name string
	keys []any
	args []any

	lock, line, tag, times, payload string
	told, ttl, px, notAfter, hold   int64
	room                            [9]any // of keys and args

	call     *lease.Call // what it does
	since    time.Time   // in the queue
	deadline time.Time
	lates    int         // how often it came too late
	over     atomic.Bool // it has been settled
}

// settled is what became of an operation.
type settled struct {
	reply reply
	at    int64 // Redis's TIME in µs, if the script tells it
	err   error
}

// What batch.lua calls the kinds of operations.
var kindAcquire, kindRenew, kindRelease, kindHold = "ACQUIRE", "RENEW", "RELEASE", "HOLD"

// roomForTexts is enough for nearly all operations; more is found elsewhere.
const roomForTexts = 384

// acquiring is an ACQUIRE of batch.lua. Later than notAfter, in µs of Redis's TIME, it does nothing.
func (s *Store) acquiring(a lease.Acquisition, notAfter int64) (*operation, error) {
	op := &operation{name: a.Name, told: int64(a.Told), px: px(a.TTL) + max(0, a.LockDelay.Milliseconds()), notAfter: notAfter}
	var room [roomForTexts]byte
	b := s.keys.appendLock(room[:0], a.Name)
	lock := len(b)
	b = s.keys.appendLine(b, a.Name)
	line := len(b)
	b = append(append(b, a.ID...), '|')
	b = append(strconv.AppendUint(b, uint64(a.Tag.Attempt), 10), '|')
	b = append(b, a.Tag.Exec...)
	tag := len(b)
	b = append(strconv.AppendInt(b, a.TTL.Milliseconds(), 10), '|')
	b = appendPX(b, a)
	times := len(b)
	b, err := appendPayload(b, a)
	all := string(b)
	op.lock, op.line, op.tag, op.times, op.payload = all[:lock], all[lock:line], all[line:tag], all[tag:times], all[times:]
	op.keys = append(op.room[:0:2], &op.lock, &op.line)
	op.args = append(op.room[2:2], &kindAcquire, &op.tag, &op.told, &op.times, &op.px, &op.notAfter, &op.payload)
	op.within(a.MaxHold)
	return op, err
}

// within has the script look how much of maxHold is left, if that is not 0.
func (op *operation) within(maxHold time.Duration) {
	if maxHold > 0 {
		op.hold = maxHold.Milliseconds()
		op.args = append([]any{&kindHold, &op.hold}, op.args...)
	}
}

// releasing is a RELEASE of batch.lua.
func (s *Store) releasing(r lease.ReleaseRequest) *operation {
	op := &operation{name: r.Name, tag: string(r.ID)}
	var room [roomForTexts]byte
	b := s.keys.appendLock(room[:0], r.Name)
	lock := len(b)
	all := string(s.keys.appendLine(b, r.Name))
	op.lock, op.line = all[:lock], all[lock:]
	op.keys, op.args = append(op.room[:0:2], &op.lock, &op.line), append(op.room[2:2], &kindRelease, &op.tag)
	return op
}

// renewing is a RENEW of batch.lua.
func (s *Store) renewing(r lease.Renewal) *operation {
	op := &operation{name: r.Name, lock: s.keys.lock(r.Name), tag: string(r.ID), ttl: r.TTL.Milliseconds(), px: px(r.TTL)}
	op.keys, op.args = append(op.room[:0:1], &op.lock), append(op.room[2:2], &kindRenew, &op.tag, &op.ttl, &op.px)
	op.within(r.MaxHold)
	return op
}

// late reports whether nobody waits for op any more.
func (op *operation) late(now time.Time) bool { return !now.Before(op.deadline) }

// acquires reports whether op is an ACQUIRE.
func (op *operation) acquires() bool { return op.times != "" }

// renews reports whether op is a RENEW.
func (op *operation) renews() bool { return op.line == "" }
