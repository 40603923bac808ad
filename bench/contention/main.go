// Command contention measures waiting in line, lockd beside redsync and rueidislock, on this machine and in
// one run: 64 workers want one name, each sleeping a millisecond as its holder and a millisecond after. It
// starts what it needs: redis-server, lockd from this tree, and itself as the client processes.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/lockd/lockd/bench/contest"
	"github.com/lockd/lockd/bench/machine"
)

const usage = `usage: go run ./contention [flags]     (in bench/, on Linux; redis-server must be installed)

Measures lockd beside redsync and rueidislock, and prints what issue and README promise with "ok" or "MISSED":
possession, fairness, longest wait, processor time, hand-over latency, the order of grants, and what ten
thousand waiters cost. Rounds of all contestants are interleaved; figures are medians over the rounds. The
machine should do nothing else. The exit code is 1 if anything broke (two holders, tokens or grants out
of order), not if it was slow.

`

// settings is what the flags set.
type settings struct {
	rounds    int
	measure   time.Duration
	parts     int // round trips of each part of a hand-over
	long      int // waiters of the long line
	handovers int // at each length of the line
	json      string
	lockd     string
}

func parse() settings {
	s := settings{parts: 2000, long: 10_000, handovers: 500}
	short := flag.Bool("short", false, "about 15 s in all, one round: does it work at all?")
	flag.IntVar(&s.rounds, "rounds", 5, "how often each contestant has its turn")
	flag.DurationVar(&s.measure, "measure", 6*time.Second, "how long a turn is measured")
	flag.StringVar(&s.json, "json", "", "write the figures to this `file`, too")
	flag.StringVar(&s.lockd, "lockd", "", "measure this `command` instead of the lockd of this tree")
	flag.Usage = func() {
		fmt.Fprint(flag.CommandLine.Output(), usage)
		flag.PrintDefaults()
	}
	flag.Parse()
	if *short {
		s.rounds, s.measure, s.parts, s.long, s.handovers = 1, time.Second, 300, 2000, 100
	}
	return s
}

func main() {
	if contest.Client() {
		return
	}
	s := parse()
	r, err := run(s)
	if len(r.Figures) > 0 { // also if not everything could be measured
		r.print(os.Stdout)
	}
	if s.json != "" {
		text, failed := json.MarshalIndent(r, "", "  ")
		if failed == nil {
			failed = os.WriteFile(s.json, append(text, '\n'), 0o644)
		}
		err = errors.Join(err, failed)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "contention:", err)
	}
	if err != nil || r.Wrong != nil {
		os.Exit(1)
	}
}

// run measures everything, and goes on where something cannot be measured.
func run(s settings) (report, error) {
	m, err := machine.New(s.lockd)
	if err != nil {
		return report{}, err
	}
	defer m.Close()
	r := report{Figures: make(map[string]contest.Figures)}
	contended := r.contend(s, m)
	measured := r.measureParts(s, m)
	stood := r.measureLine(s, m)
	return r, errors.Join(contended, measured, stood)
}
