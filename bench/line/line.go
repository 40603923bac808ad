// Package line measures waiting in line, lockd beside redsync and rueidislock: 64 workers want one name, each
// sleeping a millisecond as its holder and a millisecond after. Contest has them contend, parts takes a
// hand-over apart, longline has ten thousand wait.
package line

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/lockd/lockd/bench/line/contest"
	"github.com/lockd/lockd/bench/line/longline"
	"github.com/lockd/lockd/bench/line/parts"
	"github.com/lockd/lockd/bench/machine"
	"github.com/lockd/lockd/bench/peer"
)

// How many want the name.
const workers, fewer = 64, 16

// contestant is who is measured: a lock, and in how many processes.
type contestant struct {
	kind    peer.Kind
	lockds  int
	clients int
	watched bool
	workers int // of all clients together; 0: workers
}

func (c contestant) String() string {
	text := string(c.kind)
	if c.kind == peer.Lockd {
		text = fmt.Sprintf("%d lockd", c.lockds)
	}
	text += fmt.Sprintf(", %d client", c.clients)
	if c.clients > 1 {
		text += "s"
	}
	if c.watched {
		text += ", watched"
	}
	if c.workers != 0 {
		text += fmt.Sprintf(", %d workers", c.workers)
	}
	return text
}

var (
	oneLockd       = contestant{kind: peer.Lockd, lockds: 1, clients: 1}
	twoLockds      = contestant{kind: peer.Lockd, lockds: 2, clients: 2}
	oneRueidislock = contestant{kind: peer.Rueidislock, clients: 1}

	// Each round has all of them, in this order, so that what else the machine does meets all alike. The
	// peers' second process shows what theirs costs.
	contestants = []contestant{
		oneLockd, twoLockds,
		{kind: peer.Redsync, clients: 1}, {kind: peer.Redsync, clients: 2},
		oneRueidislock, {kind: peer.Rueidislock, clients: 2},
		{kind: peer.Lockd, lockds: 1, clients: 1, workers: fewer},
		{kind: peer.Redsync, clients: 1, workers: fewer}, {kind: peer.Rueidislock, clients: 1, workers: fewer},
	}
	// To be told of every grant costs something, so it is not done while the others are measured.
	watched = []contestant{
		{kind: peer.Lockd, lockds: 1, clients: 1, watched: true},
		{kind: peer.Lockd, lockds: 2, clients: 2, watched: true},
	}
)

// Settings is how thoroughly to measure.
type Settings struct {
	Rounds    int           // how often each contestant has its turn
	Measure   time.Duration // of a turn
	Parts     int           // round trips of each part of a hand-over
	Long      int           // waiters of the long line
	Handovers int           // at each length of the line
	Progress  io.Writer
}

// Measure measures everything, and goes on where something cannot be measured.
func Measure(m *machine.Machine, s Settings) (Result, error) {
	r := Result{Figures: make(map[string]contest.Figures)}
	contended := r.contend(s, m)
	measured := r.measureParts(s, m)
	stood := r.measureLine(s, m)
	return r, errors.Join(contended, measured, stood)
}

// contend lets the contestants contend.
func (r *Result) contend(s Settings, m *machine.Machine) error {
	first, redis, err := m.Pair()
	if err != nil {
		return err
	}
	defer redis.Remove()
	defer first.Remove()
	second, err := m.Lockd(redis)
	if err != nil {
		return err
	}
	defer second.Remove()
	lockds := []*machine.Server{first, second}
	all := make(map[contestant][]contest.Figures)
	turn := func(c contestant) error {
		f, err := c.contest(s, m.Dir(), redis, lockds).Run()
		if err != nil {
			return fmt.Errorf("%s: %w", c, err)
		}
		all[c] = append(all[c], f)
		fmt.Fprintf(s.Progress, "line  %-30s possession %4.1f %%\n", c, 100*f.Possession)
		return nil
	}
	for range s.Rounds {
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
	if err := r.measureLoaded(oneLockd.contest(s, m.Dir(), redis, lockds), lockds[0], redis, s.Parts/2); err != nil {
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

func (c contestant) contest(s Settings, dir string, redis *machine.Server, lockds []*machine.Server) contest.Contest {
	x := contest.Contest{
		Kind: c.kind, Redis: redis, Workers: cmp.Or(c.workers, workers), Dir: dir,
		Hold: time.Millisecond, Between: time.Millisecond, WarmUp: s.Measure / 6, Measure: s.Measure,
	}
	for i := range c.clients {
		if c.kind == peer.Lockd {
			x.Targets = append(x.Targets, lockds[i%c.lockds].Addr)
		} else {
			x.Targets = append(x.Targets, "") // Redis will do
		}
	}
	for _, l := range lockds[:c.lockds] {
		x.Lockds = append(x.Lockds, l.PID())
	}
	if c.watched {
		x.Watch = lockds[0].Addr
	}
	return x
}

// measureLoaded measures the parts of a hand-over in the midst of a contest.
func (r *Result) measureLoaded(c contest.Contest, lockd, redis *machine.Server, n int) error {
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

func (r *Result) measureParts(s Settings, m *machine.Machine) error {
	lockd, redis, err := m.Pair()
	if err != nil {
		return err
	}
	defer redis.Remove()
	defer lockd.Remove()
	r.Parts, err = parts.Measure(lockd, redis, s.Parts)
	return err
}

func (r *Result) measureLine(s Settings, m *machine.Machine) error {
	lockd, redis, err := m.Pair()
	if err != nil {
		return err
	}
	defer redis.Remove()
	defer lockd.Remove()
	if r.Line, err = longline.Measure(lockd, redis, 100, s.Long, s.Handovers); err != nil {
		return err
	}
	for _, wrong := range r.Line.Wrong {
		r.wrong("long line", wrong)
	}
	return nil
}
