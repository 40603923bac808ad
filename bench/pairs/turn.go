package pairs

import (
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lockd/lockd/bench/child"
	"github.com/lockd/lockd/bench/figure"
	"github.com/lockd/lockd/bench/machine"
	"github.com/lockd/lockd/bench/peer"
)

// Turn is one client process whose workers take and give a name of their own each, again and again.
type Turn struct {
	Kind    peer.Kind
	Workers int
	Rate    float64         // pairs a second of all workers together; 0: as fast as they can
	Server  *machine.Server // lockd or etcd; nil for a library
	Redis   *machine.Server // nil for etcd

	WarmUp, Measure time.Duration

	// Beside, unless nil, goes on beside the workers until the window is over.
	Beside func(child.Window) error
}

// Figures is what came of a turn, medians over rounds if there were several. Costs are per pair.
type Figures struct {
	PerSecond     float64
	Pair, Acquire figure.Times // the pair, and its first half

	// Processor time: of all, and of whom.
	CPU, ClientCPU, ServerCPU, RedisCPU time.Duration
	// RedisCore is how much of a core Redis used.
	RedisCore float64
	// RedisCalls counts commands, those that scripts call included, and RedisScripts the scripts sent;
	// RedisTime is what Redis spent on commands, by its own account.
	RedisCalls, RedisScripts float64
	RedisTime                time.Duration
	// Allocations; lockd's are 0 if they are not known.
	ClientAllocs, ServerAllocs float64
	// Reads and writes, of sockets above all.
	ClientTransfers, ServerTransfers float64
	// Stuck is how many workers stood still in the end, waiting for a name that nobody else wants.
	Stuck int
}

// look is what is known at one moment.
type look struct {
	client, server, redis            time.Duration
	clientTransfers, serverTransfers int64
	memory                           machine.Memory
	commands                         machine.Commands
}

// Run runs the client process and returns what it did and what that cost everybody.
func (t Turn) Run() (f Figures, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s, %d workers: %w", t.Kind, t.Workers, err)
		}
	}()
	o := order{Kind: t.Kind, Workers: t.Workers, Rate: t.Rate}
	if t.Server != nil {
		o.Target = t.Server.Addr
	}
	var store *redis.Client
	if t.Redis != nil {
		o.Redis = t.Redis.Addr
		store = redis.NewClient(&redis.Options{Addr: t.Redis.Addr})
		defer store.Close()
	}
	p, err := child.Start(Role, o)
	if err != nil {
		return f, err
	}
	defer p.End()
	if err := p.Ready(); err != nil {
		return f, err
	}
	w := child.NewWindow(t.WarmUp, t.Measure)
	if err := p.Tell(w); err != nil {
		return f, err
	}
	beside := make(chan error, 1)
	go func() {
		if t.Beside == nil {
			beside <- nil
		} else {
			beside <- t.Beside(w)
		}
	}()
	child.SleepUntil(w.From)
	before, err1 := t.look(p.PID(), store)
	child.SleepUntil(w.To)
	after, err2 := t.look(p.PID(), store)
	if err := errors.Join(err1, err2, <-beside); err != nil {
		return f, err
	}
	var told tally
	if err := p.Result(&told); err != nil {
		return f, err
	}
	return t.figures(told, before, after), nil
}

// look takes the processor times first: the rest of it costs some.
func (t Turn) look(client int, store *redis.Client) (l look, err error) {
	l.client, err = machine.CPU(client)
	if err != nil {
		return l, err
	}
	if t.Server != nil {
		if l.server, err = machine.CPU(t.Server.PID()); err != nil {
			return l, err
		}
	}
	if t.Redis != nil {
		if l.redis, err = machine.CPU(t.Redis.PID()); err != nil {
			return l, err
		}
		if l.commands, err = machine.ReadCommands(store); err != nil {
			return l, err
		}
	}
	if l.clientTransfers, err = machine.Transfers(client); err != nil {
		return l, err
	}
	if t.Server != nil {
		if l.serverTransfers, err = machine.Transfers(t.Server.PID()); err != nil {
			return l, err
		}
		l.memory, _, err = t.Server.Memory()
	}
	return l, err
}

func (t Turn) figures(told tally, before, after look) Figures {
	n := told.Pair.N
	each := func(total int64) float64 { return float64(total) / float64(n) }
	f := Figures{
		PerSecond: float64(n) / t.Measure.Seconds(), Pair: told.Pair, Acquire: told.Acquire, Stuck: told.Stuck,
		ClientCPU:       figure.Per(after.client-before.client, n),
		ServerCPU:       figure.Per(after.server-before.server, n),
		RedisCPU:        figure.Per(after.redis-before.redis, n),
		RedisCore:       float64(after.redis-before.redis) / float64(t.Measure),
		ClientAllocs:    each(int64(told.Mallocs)),
		ServerAllocs:    each(int64(after.memory.Mallocs - before.memory.Mallocs)),
		ClientTransfers: each(after.clientTransfers - before.clientTransfers),
		ServerTransfers: each(after.serverTransfers - before.serverTransfers),
	}
	f.CPU = f.ClientCPU + f.ServerCPU + f.RedisCPU
	done := after.commands.Since(before.commands)
	f.RedisCalls = each(done.Sum().Calls)
	f.RedisScripts = each(done.Scripts().Calls)
	f.RedisTime = figure.Per(t.sent(done).Time, n)
	return f
}

// sent adds up what came from clients: the time of what a script calls is the script's.
func (t Turn) sent(done machine.Commands) machine.Command {
	if t.Kind == peer.Bare {
		return done.Sum() // it has no scripts
	}
	sent := done.Scripts()
	if t.Kind.SetsByItself() {
		sent.Time += done.Sum("set").Time
	}
	return sent
}
