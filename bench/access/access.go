// Package access measures what it costs to ask who calls, what they may do and how much, and to keep a record of it: pairs
// at a lockd that does all of that beside pairs at one that does none, in front of one Redis. Both speak plaintext: what TLS
// costs is another question.
package access

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/lockd/lockd/bench/figure"
	"github.com/lockd/lockd/bench/goal"
	"github.com/lockd/lockd/bench/machine"
	"github.com/lockd/lockd/bench/pairs"
	"github.com/lockd/lockd/bench/peer"
)

const workers = 64

// Result is what was measured: medians.
type Result struct {
	Rounds     int
	None, Full pairs.Figures
}

// none switches off what is on by default.
var none = []string{
	"--max-leases=0", "--max-waiters=0", "--max-streams=0", "--max-connections=0", "--max-connections-from-one=0",
	"--tenant-leases=0", "--tenant-waiters=0", "--tenant-line=0", "--tenant-streams=0",
}

const (
	token  = "a token of the bench"
	policy = `rules:
  - {who: "token:other-*", may: [acquire, read], under: other}
  - {who: "token:bench", may: [acquire, read], under: bench}
limits:
  - {who: "token:b*", leases: 1000, waiters: 1000, requests: 10000000, metadata: 512, ttl: 1m}
`
)

// Measure gives each its turn in every round.
func Measure(m *machine.Machine, rounds int, measure time.Duration, progress io.Writer) (r Result, err error) {
	r.Rounds = rounds
	redis, err := m.Redis()
	if err != nil {
		return r, err
	}
	defer redis.Remove()
	open, err := m.Lockd(redis, none...)
	if err != nil {
		return r, err
	}
	defer open.Remove()
	full, err := guarded(m, redis)
	if err != nil {
		return r, err
	}
	defer full.Remove()
	turns := [2]pairs.Turn{
		{Kind: peer.Lockd, Workers: workers, Server: open, Redis: redis, WarmUp: measure / 4, Measure: measure},
		{Kind: peer.Known, Workers: workers, Server: full, Redis: redis, WarmUp: measure / 4, Measure: measure},
	}
	var all [2][]pairs.Figures
	for round := range rounds {
		for i := range turns {
			i = (i + round) % 2 // who is first takes turns too
			f, err := turns[i].Run()
			if err != nil {
				return r, err
			}
			all[i] = append(all[i], f)
			fmt.Fprintf(progress, "access %d/%d  %-20s %7.0f/s  %s each, lockd %s\n", round+1, rounds, turns[i].Kind, f.PerSecond, figure.Short(f.CPU), figure.Short(f.ServerCPU))
		}
	}
	r.None, r.Full = figure.Medians(all[0]), figure.Medians(all[1])
	return r, nil
}

// guarded starts a lockd that asks and records everything.
func guarded(m *machine.Machine, redis *machine.Server) (*machine.Server, error) {
	files := make(map[string]string)
	for name, text := range map[string]string{
		"access-tokens": fmt.Sprintf("bench sha256:%x\n", sha256.Sum256([]byte(token))), "access-policy": policy, "access-token": token,
	} {
		files[name] = filepath.Join(m.Dir(), name)
		if err := os.WriteFile(files[name], []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	s, err := m.Lockd(redis, "--token-file", files["access-tokens"], "--policy", files["access-policy"], "--audit-log", filepath.Join(m.Dir(), "access-audit"))
	if err == nil {
		s.Addr = peer.WithToken(s.Addr, files["access-token"])
	}
	return s, err
}

// Print prints both.
func (r Result) Print(to io.Writer) {
	fmt.Fprintf(to, "What identities, policy, limits and audit cost, %d workers, medians of %d\n", workers, r.Rounds)
	for _, row := range []struct {
		what string
		f    pairs.Figures
	}{{"none of it", r.None}, {"all of it", r.Full}} {
		fmt.Fprintf(to, "  %-12s %7.0f pairs/s  %8s of processor time each: lockd %s, client %s, Redis %s; %.1f allocations in lockd\n",
			row.what, row.f.PerSecond, figure.Short(row.f.CPU), figure.Short(row.f.ServerCPU), figure.Short(row.f.ClientCPU), figure.Short(row.f.RedisCPU), row.f.ServerAllocs)
	}
}

// Goals holds the figures against what issue 7 promises.
func (r Result) Goals() (l goal.List) {
	l.AtMost("processor time per pair, 64 workers, with identities, policy, limits and audit, of without", float64(r.Full.CPU)/float64(max(r.None.CPU, 1)), 1.1)
	return l
}
