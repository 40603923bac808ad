package check

import (
	"io"
	"testing"
	"time"

	"github.com/lockd/lockd/bench/pairs"
)

// within is a tree that keeps to every limit.
func within() measured {
	ours := pairs.Figures{
		RedisScripts: 0.1, RedisCalls: 1, ServerAllocs: 10, ClientAllocs: 10, ServerTransfers: 0.1, ClientTransfers: 0.1,
		RedisTime: time.Microsecond, CPU: time.Microsecond,
	}
	theirs := pairs.Figures{RedisTime: 10 * time.Microsecond, CPU: 100 * time.Microsecond}
	return measured{One: ours, Many: ours, GoRedis: theirs, Rueidislock: theirs, Redsync: theirs}
}

// Each limit is broken by a figure beyond it, and by one that is not known.
func TestJudge(t *testing.T) {
	if broken := judge(within(), io.Discard); broken != 0 {
		t.Errorf("a good tree breaks %d limits, want none", broken)
	}
	bad := pairs.Figures{
		RedisScripts: 1e3, RedisCalls: 1e3, ServerAllocs: 1e4, ClientAllocs: 1e4, ServerTransfers: 1e3, ClientTransfers: 1e3,
		RedisTime: time.Second, CPU: time.Second,
	}
	all := within()
	all.One, all.Many = bad, bad
	if broken := judge(all, io.Discard); broken != len(limits) {
		t.Errorf("a bad tree breaks %d limits, want all %d", broken, len(limits))
	}
	if broken := judge(measured{}, io.Discard); broken != len(limits) {
		t.Errorf("a tree that was not measured breaks %d limits, want all %d", broken, len(limits))
	}
}
