package redlock

import (
	"context"
	"errors"
	"time"

	"github.com/go-redsync/redsync/v4"
	redsyncredis "github.com/go-redsync/redsync/v4/redis"

	"github.com/lockd/lockd/internal/redlock/ballot"
)

// How redsync counts a round: each seat is a Pool, and its Conn.

// mutex is redsync's for this round. It tries once, since waiting is ours, never creates what it is to extend, and has
// its verdict as soon as a quorum has one. ttl bounds how long that may take, less drift.
func (r *round) mutex(ttl time.Duration) *redsync.Mutex {
	pools := make([]redsyncredis.Pool, len(r.seats))
	for i, s := range r.seats {
		pools[i] = pool{s}
	}
	return redsync.New(pools...).NewMutex(r.ask.name,
		redsync.WithTries(1), redsync.WithFailFast(true), redsync.WithExpiry(ttl),
		redsync.WithDriftFactor(drift), redsync.WithTimeoutFactor(1), redsync.WithGenValueFunc(noValue))
}

// noValue is what redsync would tell a lock's executions apart by: ours have tags.
func noValue() (string, error) { return "", nil }

// drift is by how much clocks may run apart: what is left of a ttl is counted with as much less.
const drift = 0.01

// leastValid is the validity of leases whose ttl is shorter than any call may take: their grace is longer.
const leastValid = 100 * time.Millisecond

func validity(ttl time.Duration) time.Duration { return max(ttl, leastValid) }

// lock has redsync lock what was put as ACQUIRE, and reports whether a quorum granted in time.
func (r *round) lock() bool {
	<-r.ripe
	// A lock that failed is released by redsync, which asks each connection once more.
	r.store.counting.Add(2 * len(r.seats))
	err := r.mutex(validity(r.ask.ttl)).TryLock()
	if err == nil {
		r.store.counting.Add(-len(r.seats))
	}
	return err == nil
}

// extend has redsync extend what was put as RENEW or COMMIT, and reports whether a quorum did.
func (r *round) extend(ttl time.Duration) bool {
	<-r.ripe
	r.store.counting.Add(len(r.seats))
	extended, _ := r.mutex(validity(ttl)).Extend() // what each node said is in the seats
	return extended
}

// unlock has redsync unlock what was put as something that frees, and reports whether a quorum answered.
func (r *round) unlock() bool {
	<-r.ripe
	r.store.counting.Add(len(r.seats))
	unlocked, _ := r.mutex(leastValid).Unlock() // what each node said is in the seats
	return unlocked
}

// pool is redsync's Pool of one node in this round: each connection is the seat.
type pool struct{ seat *seat }

// Get implements redsync's Pool.
func (p pool) Get(context.Context) (redsyncredis.Conn, error) { return p.seat, nil }

// SetNX implements redsync's Conn: the first round of an acquisition.
func (s *seat) SetNX(string, string, time.Duration) (bool, error) {
	<-s.came
	return s.round.done(s), s.trouble()
}

// Eval implements redsync's Conn: the release of a lock that failed, which is ours to undo by its tag; and for every
// round that locks nothing, what was put.
func (s *seat) Eval(*redsyncredis.Script, ...any) (any, error) {
	if s.round.ask.kind == kindAcquire {
		return int64(0), nil
	}
	<-s.came
	if s.round.done(s) {
		return int64(1), nil
	}
	return int64(0), s.trouble()
}

// trouble is why it is not known what the node has done; nil if it is.
func (s *seat) trouble() error {
	if s.said.Kind == ballot.Silent {
		return s.answer.err
	}
	return nil
}

// Close implements redsync's Conn; redsync calls it at the end of whatever it does with one.
func (s *seat) Close() error {
	s.round.store.counting.Done()
	return nil
}

// errNotOurs: redsync asks for what it does nowhere that we use it. The rest of its Conn is that.
var errNotOurs = errors.New("redsync asks for what no round does")

// Get implements redsync's Conn.
func (s *seat) Get(string) (string, error) { return "", errNotOurs }

// Set implements redsync's Conn.
func (s *seat) Set(string, string) (bool, error) { return false, errNotOurs }

// ScriptLoad implements redsync's Conn.
func (s *seat) ScriptLoad(*redsyncredis.Script) error { return errNotOurs }

// PTTL implements redsync's Conn.
func (s *seat) PTTL(string) (time.Duration, error) { return 0, errNotOurs }
