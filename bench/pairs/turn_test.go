package pairs

import (
	"testing"
	"time"

	"github.com/lockd/lockd/bench/figure"
	"github.com/lockd/lockd/bench/machine"
	"github.com/lockd/lockd/bench/peer"
)

// What everybody used between two looks is divided among the pairs of that time, by whom it was.
func TestFigures(t *testing.T) {
	before := look{client: time.Second, server: time.Second, redis: time.Second, clientTransfers: 50, memory: machine.Memory{Mallocs: 1000}}
	after := look{
		client: time.Second + 10*time.Millisecond, server: time.Second + 20*time.Millisecond, redis: time.Second + 30*time.Millisecond,
		clientTransfers: 250, serverTransfers: 300, memory: machine.Memory{Mallocs: 4000},
		commands: machine.Commands{"evalsha": {Calls: 200, Time: 5 * time.Millisecond}, "set": {Calls: 100, Time: time.Millisecond}},
	}
	told := tally{Pair: figure.Times{N: 100, Median: 7, Worst: 9}, Mallocs: 500, Stuck: 1}
	got := Turn{Kind: peer.Lockd, Measure: 100 * time.Millisecond}.figures(told, before, after)
	want := Figures{
		PerSecond: 1000, Pair: told.Pair, Stuck: 1,
		CPU: 600 * time.Microsecond, ClientCPU: 100 * time.Microsecond, ServerCPU: 200 * time.Microsecond, RedisCPU: 300 * time.Microsecond,
		RedisCore: 0.3, RedisCalls: 3, RedisScripts: 2, RedisTime: 50 * time.Microsecond,
		ClientAllocs: 5, ServerAllocs: 30, ClientTransfers: 2, ServerTransfers: 3,
	}
	if got != want {
		t.Errorf("figures = %+v, want %+v", got, want)
	}
	// A library that sends SET by itself has its time beside that of its scripts.
	got = Turn{Kind: peer.Redsync, Measure: 100 * time.Millisecond}.figures(told, before, after)
	if want := 60 * time.Microsecond; got.RedisTime != want {
		t.Errorf("Redis's time for redsync = %s, want %s", got.RedisTime, want)
	}
}

// All workers' pairs count alike; who stood still for half the time is said to; nobody's pair is an error.
func TestSum(t *testing.T) {
	workers := []worker{
		{pair: []time.Duration{1, 2}, acquire: []time.Duration{1, 1}, last: time.Second},
		{pair: []time.Duration{3}, acquire: []time.Duration{2}, last: time.Second / 4},
	}
	got, err := sum(workers, 30, time.Second, time.Second/2)
	want := tally{Pair: figure.Times{N: 3, Median: 2, Worst: 3}, Acquire: figure.Times{N: 3, Median: 1, Worst: 2}, Mallocs: 30, Stuck: 1}
	if err != nil || got != want {
		t.Errorf("sum = %+v, %v, want %+v", got, err, want)
	}
	if got, err := sum(make([]worker, 2), 0, time.Second, time.Second/2); err == nil {
		t.Errorf("sum of nothing = %+v, want an error", got)
	}
}

// Every contestant has a turn at every number of workers, the null calls with one only; without etcd none of it.
func TestTurns(t *testing.T) {
	lockd, redis, etcd, bare := &machine.Server{}, &machine.Server{}, &machine.Server{}, &machine.Server{}
	if got, want := len(Result{}.turns(lockd, redis, etcd, bare)), len(Workers)*(len(kinds)+1)+1; got != want {
		t.Errorf("%d turns, want %d", got, want)
	}
	servers := map[peer.Kind]*machine.Server{peer.Lockd: lockd, peer.Floor: lockd, peer.Bare: bare}
	for _, turn := range (Result{}).turns(lockd, redis, nil, bare) {
		if turn.Kind == peer.Etcd || turn.Redis == nil || turn.Server != servers[turn.Kind] {
			t.Errorf("turn = %+v, want each its own server, Redis for all, and no etcd", turn)
		}
	}
}
