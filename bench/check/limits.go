package check

import (
	"time"

	"github.com/lockd/lockd/bench/pairs"
)

// measured is what the limits are held against: lockd alone and at 64 workers, and whom it is compared with
// at 64 workers.
type measured struct {
	One, Many                     pairs.Figures
	GoRedis, Rueidislock, Redsync pairs.Figures
}

// limit is what a figure may be at most, and why it is watched.
type limit struct {
	what string
	most float64
	of   func(measured) float64
	why  string
}

// slack is how much worse than when the limit was set a ratio to a peer may be: what else a machine does, and
// what kind of machine it is, moves it by less.
const slack = 1.3

// limits are all of them. Counts are the tree's own when they were set, and a margin for how work happens to
// fall together; lower them when the tree gets better.
var limits = []limit{
	{"one worker: scripts per pair", 2.1, func(m measured) float64 { return m.One.RedisScripts },
		"an acquisition is one round trip to Redis, and a release is one"},
	{"one worker: Redis calls per pair", 8.5, func(m measured) float64 { return m.One.RedisCalls },
		"what safety needs and no more: each call costs Redis about 2 µs"},
	{"one worker: allocations in lockd per pair", 115, func(m measured) float64 { return m.One.ServerAllocs },
		"a lone caller pays for a whole message each time"},
	{"64 workers: scripts per pair", 0.12, func(m measured) float64 { return m.Many.RedisScripts },
		"operations of many callers share a script: two operations a pair, so 0.12 is batches of seventeen"},
	{"64 workers: Redis calls per pair", 2, func(m measured) float64 { return m.Many.RedisCalls },
		"a batch is handled as a set: one MGET, one step of the fence, one DEL; only SET is one a grant"},
	{"64 workers: allocations in lockd per pair", 24, func(m measured) float64 { return m.Many.ServerAllocs },
		"garbage is processor time"},
	{"64 workers: allocations in the client per pair", 10, func(m measured) float64 { return m.Many.ClientAllocs },
		"garbage is processor time, and here it is the user's"},
	{"64 workers: reads and writes of the client per pair", 0.5, func(m measured) float64 { return m.Many.ClientTransfers },
		"operations share messages on the way to lockd, and answers on the way back"},
	{"64 workers: reads and writes of lockd per pair", 0.7, func(m measured) float64 { return m.Many.ServerTransfers },
		"the same, and the way to Redis"},
	{"64 workers: Redis's time per pair, of go-redis's SET NX and delete", 2.6 * slack,
		func(m measured) float64 { return ratio(m.Many.RedisTime, m.GoRedis.RedisTime) },
		"Redis has one thread: it is what all lockds share"},
	{"64 workers: processor time per pair, of rueidislock's", 1.6 * slack,
		func(m measured) float64 { return ratio(m.Many.CPU, m.Rueidislock.CPU) }, "the goal is 0.75"},
	{"64 workers: processor time per pair, of redsync's", 0.8 * slack,
		func(m measured) float64 { return ratio(m.Many.CPU, m.Redsync.CPU) }, "the goal is 0.5"},
}

func ratio(a, b time.Duration) float64 { return float64(a) / float64(max(b, 1)) }
