// Package pairs measures what it costs to take a lock that nobody else wants and to give it back: workers of
// one client process, a name each, lockd beside its peers.
package pairs

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/lockd/lockd/bench/figure"
	"github.com/lockd/lockd/bench/floor"
	"github.com/lockd/lockd/bench/machine"
	"github.com/lockd/lockd/bench/peer"
)

// Workers are how many there may be.
var Workers = []int{1, 64, 256, 1024}

// kinds are the contestants. Each round has all of them, in this order, so that what else the machine does
// meets all alike.
var kinds = []peer.Kind{peer.Lockd, peer.GoRedis, peer.Pipelined, peer.Redsync, peer.Redislock, peer.Rueidislock, peer.Etcd}

// Row is one contestant with so many workers.
type Row struct {
	Kind    peer.Kind
	Workers int
	Figures
}

// Result is all that was measured; rows come in the order of the workers, then of the contestants.
type Result struct {
	Rows   []Row
	Rounds int
	NoEtcd string // why etcd was not measured; "" if it was
}

// Of returns a row's figures; none if it was not measured.
func (r Result) Of(kind peer.Kind, workers int) Figures {
	for _, row := range r.Rows {
		if row.Kind == kind && row.Workers == workers {
			return row.Figures
		}
	}
	return Figures{}
}

// Measure gives every contestant a turn in every round, each measured for so long.
func Measure(m *machine.Machine, rounds int, measure time.Duration, progress io.Writer) (r Result, err error) {
	lockd, redis, err := m.Pair()
	if err != nil {
		return r, err
	}
	defer redis.Remove()
	defer lockd.Remove()
	r.Rounds = rounds
	etcd, err := m.Etcd()
	switch {
	case errors.Is(err, machine.ErrNoEtcd):
		r.NoEtcd = err.Error()
	case err != nil:
		return r, err
	default:
		defer etcd.Remove()
	}
	bare, err := floor.Start(m, redis)
	if err != nil {
		return r, err
	}
	defer bare.Remove()
	turns := r.turns(lockd, redis, etcd, bare)
	all := make([][]Figures, len(turns))
	for round := range rounds {
		for i, t := range turns {
			t.WarmUp, t.Measure = measure/4, measure
			f, err := t.Run()
			if err != nil {
				return r, err
			}
			all[i] = append(all[i], f)
			fmt.Fprintf(progress, "pairs %d/%d  %4d  %-27s %7.0f/s  %s each\n", round+1, rounds, t.Workers, t.Kind, f.PerSecond, figure.Short(f.CPU))
		}
	}
	for i, t := range turns {
		r.Rows = append(r.Rows, Row{t.Kind, t.Workers, figure.Medians(all[i])})
	}
	return r, nil
}

// turns is a round.
func (r Result) turns(lockd, redis, etcd, bare *machine.Server) (turns []Turn) {
	for _, workers := range Workers {
		here := append(slices.Clip(kinds), peer.Bare)
		if workers == 1 {
			here = append(here, peer.Floor)
		}
		for _, kind := range here {
			t := Turn{Kind: kind, Workers: workers, Redis: redis}
			switch kind {
			case peer.Lockd, peer.Floor:
				t.Server = lockd
			case peer.Bare:
				t.Server = bare
			case peer.Etcd:
				t.Server, t.Redis = etcd, nil
			}
			if kind != peer.Etcd || etcd != nil {
				turns = append(turns, t)
			}
		}
	}
	return turns
}
