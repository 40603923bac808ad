package main

import (
	"io"
	"os"
	"time"

	"github.com/lockd/lockd/bench/access"
	"github.com/lockd/lockd/bench/goal"
	"github.com/lockd/lockd/bench/keepalive"
	"github.com/lockd/lockd/bench/line"
	"github.com/lockd/lockd/bench/machine"
	"github.com/lockd/lockd/bench/many"
	"github.com/lockd/lockd/bench/metrics"
	"github.com/lockd/lockd/bench/pairs"
	"github.com/lockd/lockd/bench/unary"
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
	{"keepalive", "ten thousand leases that one client holds, beside etcd", measureKeepalive},
	{"many", "a million leases in one Redis: what an acquisition costs then, memory, Get and List", measureMany},
	{"access", "what identities, policy, limits and audit cost a pair at 64 workers", measureAccess},
	{"unary", "unary calls, as other languages use them, beside calls that do nothing", measureUnary},
	{"metrics", "what a pair costs a lockd that counts for Prometheus, beside one that does not", measureMetrics},
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
	return line.Measure(m, line.Settings{Rounds: s.rounds, Measure: 5 * time.Second, Parts: 2000, Long: 10_000, Handovers: 500, Progress: os.Stderr})
}

func measureKeepalive(m *machine.Machine, s settings) (result, error) {
	if s.short {
		return keepalive.Measure(m, keepalive.Settings{Rounds: 1, Leases: 1000, TTL: 2 * time.Second, Progress: os.Stderr})
	}
	return keepalive.Measure(m, keepalive.Settings{Rounds: min(3, s.rounds), Leases: 10_000, TTL: 6 * time.Second, Progress: os.Stderr})
}

func measureMany(m *machine.Machine, s settings) (result, error) {
	if s.short {
		return many.Measure(m, many.Settings{Leases: 50_000, Within: 20 * time.Second, Rounds: 1, Measure: time.Second, Progress: os.Stderr})
	}
	return many.Measure(m, many.Settings{Leases: 1_000_000, Within: 3 * time.Minute, Rounds: s.rounds, Measure: 2 * time.Second, Progress: os.Stderr})
}

func measureUnary(m *machine.Machine, s settings) (result, error) {
	if s.short {
		return unary.Measure(m, 1, time.Second, os.Stderr)
	}
	return unary.Measure(m, s.rounds, 1500*time.Millisecond, os.Stderr)
}

func measureAccess(m *machine.Machine, s settings) (result, error) {
	if s.short {
		return access.Measure(m, 1, 500*time.Millisecond, os.Stderr)
	}
	return access.Measure(m, max(9, s.rounds), 1500*time.Millisecond, os.Stderr)
}

func measureMetrics(m *machine.Machine, s settings) (result, error) {
	if s.short {
		return metrics.Measure(m, 1, time.Second, os.Stderr)
	}
	return metrics.Measure(m, max(9, s.rounds), 2*time.Second, os.Stderr)
}
