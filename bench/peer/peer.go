// Package peer has the locks that are compared, each as its own documentation recommends it for one Redis,
// and the calls that do nothing, which say what a lock could cost at best.
package peer

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"time"
)

// Kind is a lock.
type Kind string

// What can be measured.
const (
	Lockd       Kind = "lockd"
	GoRedis     Kind = "go-redis alone"
	Pipelined   Kind = "go-redis, AutoPipeline"
	Redsync     Kind = "redsync"
	Redislock   Kind = "redislock"
	Rueidislock Kind = "rueidislock"
	Etcd        Kind = "etcd"

	Known     Kind = "lockd, access" // of a target that WithToken answers
	Unary     Kind = "lockd, unary calls"
	NullUnary Kind = "null unary calls"
	Floor     Kind = "null unary calls and PINGs"
	// Bare is lockd's messages and Redis's commands with nothing between them: see package floor.
	Bare Kind = "bare messages, commands"
)

// ttl is what every lock is taken for: long enough that none expires.
const ttl = 8 * time.Second

// Client is a lock as one client process has it.
type Client interface {
	// Worker returns the lock on name as one worker has it, which uses it from one goroutine.
	Worker(ctx context.Context, name string) (Locker, error)
	Close()
}

// Locker takes one name.
type Locker interface {
	// Acquire waits until the name is held.
	Acquire(ctx context.Context) (Lease, error)
}

// Lease is a name that is held. It may have a Token() int64 as well.
type Lease interface {
	Release(ctx context.Context) error
}

// Open returns the client of a kind. lockd and redis are addresses; of an etcd, the first.
func Open(kind Kind, target, redis string) (Client, error) {
	switch kind {
	case Lockd:
		return openLockd(target)
	case Known:
		return openKnown(target)
	case GoRedis, Pipelined:
		return openGoRedis(redis, kind == Pipelined)
	case Redsync:
		return openRedsync(redis), nil
	case Redislock:
		return openRedislock(redis), nil
	case Rueidislock:
		return openRueidislock(redis)
	case Etcd:
		return openEtcd(target)
	case Bare:
		return openBare(target)
	case Unary, NullUnary, Floor:
		return openUnary(kind, target, redis)
	}
	return nil, fmt.Errorf("no such kind: %q", kind)
}

// SetsByItself reports whether a kind sends SET outside of scripts.
func (k Kind) SetsByItself() bool {
	return k == GoRedis || k == Pipelined || k == Redsync
}

// random returns 128 random bits in hex.
func random() string {
	var bits [16]byte
	_, _ = rand.Read(bits[:]) // it never fails
	return hex.EncodeToString(bits[:])
}
