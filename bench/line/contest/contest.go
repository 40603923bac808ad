// Package contest has many workers in client processes of their own want one name, each sleeping as its
// holder and again after, and measures what comes of it, from the processes' own records on one clock.
package contest

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/lockd/lockd/bench/child"
	"github.com/lockd/lockd/bench/machine"
	"github.com/lockd/lockd/bench/peer"
	"github.com/lockd/lockd/test/history"
)

// Contest is a way to contend.
type Contest struct {
	Kind    peer.Kind
	Targets []string // where each client process goes
	Redis   *machine.Server
	Workers int    // of all client processes together
	Lockds  []int  // the pids of what serves them beside Redis
	Dir     string // for what the processes write
	Watch   string // a lockd to watch, to see the order of grants; "" for none, which costs less

	Hold, Between time.Duration
	WarmUp        time.Duration // not measured
	Measure       time.Duration
}

// Run runs the client processes and returns what they did.
func (c Contest) Run() (f Figures, err error) {
	var all []*child.Process
	defer func() {
		for _, one := range all {
			one.End()
		}
	}()
	var files []string
	pids := append([]int{c.Redis.PID()}, c.Lockds...)
	for i, target := range c.Targets {
		o := c.order(i, target)
		one, err := child.Start(Role, o)
		if err != nil {
			return f, err
		}
		all, files, pids = append(all, one), append(files, o.History), append(pids, one.PID())
	}
	for _, one := range all {
		if err := one.Ready(); err != nil {
			return f, err
		}
	}
	if c.Watch != "" {
		w, err := startWatch(c.Watch)
		if err != nil {
			return f, err
		}
		defer func() { f.Wrong = append(f.Wrong, w.stop()...) }()
	}
	window := child.NewWindow(c.WarmUp, c.Measure)
	for _, one := range all {
		if err := one.Tell(window); err != nil {
			return f, err
		}
	}
	cpu, err := cost(pids, window)
	if err != nil {
		return f, err
	}
	for _, one := range all {
		if err := one.Result(new(any)); err != nil {
			return f, err
		}
	}
	records, err := history.ReadFiles(files...)
	if err != nil {
		return f, err
	}
	f, holds := measure(records, window, c.Workers)
	f.CPU = float64(cpu) / float64(c.Measure)
	if c.Kind == peer.Lockd {
		f.Wrong = append(f.Wrong, history.CheckTokens(holds)...)
	}
	return f, nil
}

func (c Contest) order(i int, target string) order {
	id := fmt.Sprintf("client-%d", i)
	return order{
		Kind: c.Kind, Target: target, Redis: c.Redis.Addr, Number: int64(i) + 1, Client: id, Workers: c.Workers / len(c.Targets),
		History: filepath.Join(c.Dir, id+".jsonl"), Hold: c.Hold, Between: c.Between,
	}
}

// cost is the processor time that everybody involved uses in the window.
func cost(pids []int, w child.Window) (time.Duration, error) {
	child.SleepUntil(w.From)
	before, err := machine.CPU(pids...)
	if err != nil {
		return 0, err
	}
	child.SleepUntil(w.To)
	after, err := machine.CPU(pids...)
	return after - before, err
}
