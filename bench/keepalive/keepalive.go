// Package keepalive measures what it costs to keep many leases that one client holds: lockd beside etcd.
package keepalive

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lockd/lockd/bench/child"
	"github.com/lockd/lockd/bench/figure"
	"github.com/lockd/lockd/bench/floor"
	"github.com/lockd/lockd/bench/goal"
	"github.com/lockd/lockd/bench/machine"
	"github.com/lockd/lockd/bench/peer"
)

// Settings is how thoroughly to measure.
type Settings struct {
	Rounds   int
	Leases   int
	TTL      time.Duration // whole seconds, as etcd has it; both clients renew when about a third is over
	Progress io.Writer
}

// Result is all that was measured.
type Result struct {
	Leases      int
	TTL         time.Duration
	Lockd, Etcd Figures
	Bare        Figures // the floor
	NoEtcd      string  // why etcd was not measured; "" if it was
}

// Figures is what keeping costs, medians over the rounds.
type Figures struct {
	PerSecond float64 // renewals
	// Processor time for a renewal, of all, and of whom.
	CPU, ClientCPU, ServerCPU, RedisCPU time.Duration
	Lost                                int // leases that did not last
}

// Measure has lockd, nothing but its messages and commands, and etcd keep leases in turn.
func Measure(m *machine.Machine, s Settings) (r Result, err error) {
	r.Leases, r.TTL = s.Leases, s.TTL
	lockd, store, err := m.Pair()
	if err != nil {
		return r, err
	}
	defer store.Remove()
	defer lockd.Remove()
	bare, err := floor.Start(m, store)
	if err != nil {
		return r, err
	}
	defer bare.Remove()
	var ours, theirs, least []Figures
	for round := range s.Rounds {
		f, err := turn(s, peer.Lockd, lockd, store)
		if err != nil {
			return r, err
		}
		ours = append(ours, f)
		fmt.Fprintf(s.Progress, "keepalive %d/%d  lockd  %.0f/s, %s each\n", round+1, s.Rounds, f.PerSecond, figure.Short(f.CPU))
		if f, err = turn(s, peer.Bare, bare, store); err != nil {
			return r, err
		}
		least = append(least, f)
		fmt.Fprintf(s.Progress, "keepalive %d/%d  bare   %.0f/s, %s each\n", round+1, s.Rounds, f.PerSecond, figure.Short(f.CPU))
		f, err = etcd(m, s)
		if errors.Is(err, machine.ErrNoEtcd) {
			r.NoEtcd = err.Error()
			continue
		}
		if err != nil {
			return r, err
		}
		theirs = append(theirs, f)
		fmt.Fprintf(s.Progress, "keepalive %d/%d  etcd   %.0f/s, %s each\n", round+1, s.Rounds, f.PerSecond, figure.Short(f.CPU))
	}
	r.Lockd, r.Etcd, r.Bare = figure.Medians(ours), figure.Medians(theirs), figure.Medians(least)
	return r, nil
}

// etcd has a turn of its own etcd, which would spend the next one revoking what ran out.
func etcd(m *machine.Machine, s Settings) (Figures, error) {
	e, err := m.Etcd()
	if err != nil {
		return Figures{}, err
	}
	defer e.Remove()
	return turn(s, peer.Etcd, e, nil)
}

// look is what is known at one moment.
type look struct {
	cpu      [3]time.Duration // client, server, Redis
	renewals int64            // that Redis has seen
}

// turn has one client process hold the leases for as long as they last without renewal, and measures that.
func turn(s Settings, kind peer.Kind, server, store *machine.Server) (f Figures, err error) {
	p, err := child.Start(Role, order{kind, server.Addr, s.Leases, s.TTL})
	if err != nil {
		return f, err
	}
	defer p.End()
	if err := p.Ready(); err != nil {
		return f, err
	}
	pids := []int{p.PID(), server.PID()}
	var client *redis.Client
	if store != nil {
		client = redis.NewClient(&redis.Options{Addr: store.Addr})
		defer client.Close()
		pids = append(pids, store.PID())
	}
	w := child.NewWindow(s.TTL/2, s.TTL)
	if err := p.Tell(w); err != nil {
		return f, err
	}
	child.SleepUntil(w.From)
	before, err1 := take(client, pids)
	child.SleepUntil(w.To)
	after, err2 := take(client, pids)
	if err := errors.Join(err1, err2); err != nil {
		return f, err
	}
	var told tally
	if err := p.Result(&told); err != nil {
		return f, err
	}
	n := int(told.Renewals)
	if store != nil {
		n = int(after.renewals - before.renewals)
	}
	return figures(s, told.Lost, n, before, after)
}

func take(client *redis.Client, pids []int) (l look, err error) {
	for i, pid := range pids {
		if l.cpu[i], err = machine.CPU(pid); err != nil {
			return l, err
		}
	}
	if client != nil {
		var done machine.Commands
		done, err = machine.ReadCommands(client)
		l.renewals = done.Sum("pexpire").Calls // one a renewal that leaves the ttl as it is
	}
	return l, err
}

// figures believes a count of renewals only if each lease was renewed twice to five times: a client that
// renews when a third of the ttl is over does so three times.
func figures(s Settings, lost, n int, before, after look) (Figures, error) {
	if n < 2*s.Leases || n > 5*s.Leases {
		return Figures{}, fmt.Errorf("counted %d renewals of %d leases within their ttl of %s, want about three each", n, s.Leases, s.TTL)
	}
	f := Figures{
		PerSecond: float64(n) / s.TTL.Seconds(), Lost: lost,
		ClientCPU: figure.Per(after.cpu[0]-before.cpu[0], n),
		ServerCPU: figure.Per(after.cpu[1]-before.cpu[1], n),
		RedisCPU:  figure.Per(after.cpu[2]-before.cpu[2], n),
	}
	f.CPU = f.ClientCPU + f.ServerCPU + f.RedisCPU
	return f, nil
}

// Print writes the table.
func (r Result) Print(to io.Writer) {
	fmt.Fprintf(to, "Keepalive: %d leases of %s held by one client; processor time for each renewal\n", r.Leases, r.TTL)
	row := func(who string, f Figures) {
		fmt.Fprintf(to, "  %-6s %6s  client %s, server %s, Redis %s; %.0f renewals/s, %d leases lost\n", who, figure.Short(f.CPU),
			figure.Short(f.ClientCPU), figure.Short(f.ServerCPU), figure.Short(f.RedisCPU), f.PerSecond, f.Lost)
	}
	row("lockd", r.Lockd)
	row("bare", r.Bare)
	if r.NoEtcd != "" {
		fmt.Fprintf(to, "  %s: not measured\n", r.NoEtcd)
		return
	}
	row("etcd", r.Etcd)
}

// Goals holds the figures against what issue 4 promises.
func (r Result) Goals() (l goal.List) {
	l.Within(fmt.Sprintf("processor time per renewal, %d leases", r.Leases), r.Lockd.CPU, 12*time.Microsecond)
	l.Floor(float64(r.Bare.CPU) / float64(time.Microsecond))
	const ofEtcd = "processor time per renewal, of etcd's keepalive"
	if r.NoEtcd != "" {
		l.Absent(ofEtcd, r.NoEtcd)
	} else {
		l.AtMost(ofEtcd, float64(r.Lockd.CPU)/float64(max(r.Etcd.CPU, 1)), 1.0/3)
		l.Floor(float64(r.Bare.CPU) / float64(max(r.Etcd.CPU, 1)))
	}
	l.Add("leases lost while kept alive", fmt.Sprint(r.Lockd.Lost), "none", r.Lockd.Lost == 0)
	return l
}
