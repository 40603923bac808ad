package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/lockd/lockd/bench/contest"
	"github.com/lockd/lockd/bench/longline"
	"github.com/lockd/lockd/bench/machine"
	"github.com/lockd/lockd/bench/parts"
)

// workers is how many want the name.
const workers = 64

// contestant is who is measured: a lock, and in how many processes.
type contestant struct {
	kind    contest.Kind
	lockds  int
	clients int
	watched bool
}

func (c contestant) String() string {
	text := string(c.kind)
	if c.kind == contest.Lockd {
		text = fmt.Sprintf("%d lockd", c.lockds)
	}
	text += fmt.Sprintf(", %d client", c.clients)
	if c.clients > 1 {
		text += "s"
	}
	if c.watched {
		text += ", watched"
	}
	return text
}

var (
	oneLockd       = contestant{kind: contest.Lockd, lockds: 1, clients: 1}
	twoLockds      = contestant{kind: contest.Lockd, lockds: 2, clients: 2}
	oneRueidislock = contestant{kind: contest.Rueidislock, clients: 1}

	// Each round has all of them, in this order, so that what else the machine does meets all alike. The
	// peers' second process shows what theirs costs.
	contestants = []contestant{
		oneLockd, twoLockds,
		{kind: contest.Redsync, clients: 1}, {kind: contest.Redsync, clients: 2},
		oneRueidislock, {kind: contest.Rueidislock, clients: 2},
	}
	// To be told of every grant costs something, so it is not done while the others are measured.
	watched = []contestant{
		{kind: contest.Lockd, lockds: 1, clients: 1, watched: true},
		{kind: contest.Lockd, lockds: 2, clients: 2, watched: true},
	}
)

// contend lets the contestants contend.
func (r *report) contend(s settings, m *machine.Machine) error {
	redis, err := m.Redis()
	if err != nil {
		return err
	}
	defer redis.Remove()
	var lockds []*machine.Server
	for range 2 {
		l, err := m.Lockd(redis)
		if err != nil {
			return err
		}
		defer l.Remove()
		lockds = append(lockds, l)
	}
	all := make(map[contestant][]contest.Figures)
	turn := func(c contestant) error {
		f, err := c.contest(s, m.Dir(), redis, lockds).Run()
		if err != nil {
			return fmt.Errorf("%s: %w", c, err)
		}
		all[c] = append(all[c], f)
		fmt.Fprintf(os.Stderr, "%-30s possession %4.1f %%\n", c, 100*f.Possession)
		return nil
	}
	for range s.rounds {
		for _, c := range contestants {
			if err := turn(c); err != nil {
				return err
			}
		}
	}
	for _, c := range watched {
		if err := turn(c); err != nil {
			return err
		}
	}
	if err := r.measureLoaded(oneLockd.contest(s, m.Dir(), redis, lockds), lockds[0], redis, s.parts/2); err != nil {
		return err
	}
	for c, figures := range all {
		f := contest.Median(figures)
		r.Figures[c.String()] = f
		for _, wrong := range f.Wrong {
			r.wrong(c.String(), wrong)
		}
	}
	return nil
}

func (c contestant) contest(s settings, dir string, redis *machine.Server, lockds []*machine.Server) contest.Contest {
	x := contest.Contest{
		Kind: c.kind, Workers: workers, Servers: []int{redis.PID()}, Dir: dir,
		Hold: time.Millisecond, Between: time.Millisecond, WarmUp: s.measure / 6, Measure: s.measure,
	}
	for i := range c.clients {
		if c.kind == contest.Lockd {
			x.Targets = append(x.Targets, lockds[i%c.lockds].Addr)
		} else {
			x.Targets = append(x.Targets, redis.Addr)
		}
	}
	for _, l := range lockds[:c.lockds] {
		x.Servers = append(x.Servers, l.PID())
	}
	if c.watched {
		x.Watch = lockds[0].Addr
	}
	return x
}

// measureLoaded measures the parts of a hand-over in the midst of a contest.
func (r *report) measureLoaded(c contest.Contest, lockd, redis *machine.Server, n int) error {
	contested := make(chan error, 1)
	go func() {
		_, err := c.Run()
		contested <- err
	}()
	time.Sleep(c.WarmUp)
	loaded, err := parts.Measure(lockd, redis, n)
	r.Loaded = loaded
	return errors.Join(err, <-contested)
}

// fresh starts a Redis and a lockd for one measurement.
func fresh(m *machine.Machine) (lockd, redis *machine.Server, err error) {
	if redis, err = m.Redis(); err != nil {
		return nil, nil, err
	}
	lockd, err = m.Lockd(redis)
	return lockd, redis, err
}

func (r *report) measureParts(s settings, m *machine.Machine) error {
	lockd, redis, err := fresh(m)
	if err != nil {
		return err
	}
	defer redis.Remove()
	defer lockd.Remove()
	r.Parts, err = parts.Measure(lockd, redis, s.parts)
	return err
}

func (r *report) measureLine(s settings, m *machine.Machine) error {
	lockd, redis, err := fresh(m)
	if err != nil {
		return err
	}
	defer redis.Remove()
	defer lockd.Remove()
	if r.Line, err = longline.Measure(lockd, redis, 100, s.long, s.handovers); err != nil {
		return err
	}
	for _, wrong := range r.Line.Wrong {
		r.wrong("long line", wrong)
	}
	return nil
}
