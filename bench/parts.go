package main

import (
	"io"
	"os"
	"time"

	"github.com/lockd/lockd/bench/goal"
	"github.com/lockd/lockd/bench/line"
	"github.com/lockd/lockd/bench/machine"
	"github.com/lockd/lockd/bench/pairs"
)

// result is what a part has measured.
type result interface {
	Print(to io.Writer)
	Goals() goal.List
}

// part is something that is measured by itself.
type part struct {
	name, about string
	measure     func(*machine.Machine, settings) (result, error)
}

// parts come in the order in which they are measured and printed.
var parts = []part{
	{"pairs", "acquire and release of names that nobody else wants, at 1 to 1024 workers, beside the peers", measurePairs},
	{"line", "64 workers wanting one name: possession, fairness, hand-over; ten thousand waiters", measureLine},
}

func measurePairs(m *machine.Machine, s settings) (result, error) {
	if s.short {
		return pairs.Measure(m, 1, 500*time.Millisecond, os.Stderr)
	}
	return pairs.Measure(m, s.rounds, 1500*time.Millisecond, os.Stderr)
}

func measureLine(m *machine.Machine, s settings) (result, error) {
	if s.short {
		return line.Measure(m, line.Settings{Rounds: 1, Measure: time.Second, Parts: 300, Long: 2000, Handovers: 100, Progress: os.Stderr})
	}
	return line.Measure(m, line.Settings{Rounds: s.rounds, Measure: 6 * time.Second, Parts: 2000, Long: 10_000, Handovers: 500, Progress: os.Stderr})
}
