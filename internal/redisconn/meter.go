package redisconn

import (
	"time"

	"github.com/redis/go-redis/v9"
)

// A Meter measures the calls of a script to one Redis. Its methods must not block.
type Meter interface {
	// Called is told how long a call took, from its sending to its answer, and what came of it: nil, or go-redis's error.
	Called(took time.Duration, err error)
	// Together is told of a call that does several operations, and how many.
	Together(operations int)
}

// Meters has the meter of each script that is measured.
type Meters map[*redis.Script]Meter

// NewMeter makes the meter of a script at the Redis that has this address.
type NewMeter func(address, script string) Meter

// MetersFor answers the meters of scripts, by their names; make may be nil.
func MetersFor(address string, scripts map[string]*redis.Script, make NewMeter) Meters {
	meters := Meters{}
	if make == nil {
		return meters
	}
	for name, script := range scripts {
		meters[script] = make(address, name)
	}
	return meters
}

// Called tells the meter of script.
func (m Meters) Called(script *redis.Script, sent time.Time, err error) {
	if meter := m[script]; meter != nil {
		meter.Called(time.Since(sent), err)
	}
}

// Together tells the meter of script.
func (m Meters) Together(script *redis.Script, operations int) {
	if meter := m[script]; meter != nil {
		meter.Together(operations)
	}
}

// Pool is what is open to one Redis, or to all nodes of a Cluster together.
type Pool struct {
	Address                string // as in lease.Node, or of all
	Connections, Idle      int
	Hits, Misses, Timeouts int64 // calls that found a connection, that had to make one, that got none in time
}

// PoolOf answers what c has open.
func PoolOf(address string, c interface{ PoolStats() *redis.PoolStats }) Pool {
	s := c.PoolStats()
	return Pool{
		Address: address, Connections: int(s.TotalConns), Idle: int(s.IdleConns),
		Hits: int64(s.Hits), Misses: int64(s.Misses), Timeouts: int64(s.Timeouts),
	}
}
