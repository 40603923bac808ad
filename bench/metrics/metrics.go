// Package metrics measures what it costs lockd to count what it does: it counts if it has an HTTP port to tell it on, so one
// with such a port is measured beside one without.
package metrics

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"github.com/lockd/lockd/bench/child"
	"github.com/lockd/lockd/bench/figure"
	"github.com/lockd/lockd/bench/goal"
	"github.com/lockd/lockd/bench/machine"
	"github.com/lockd/lockd/bench/pairs"
	"github.com/lockd/lockd/bench/peer"
)

// workers take and give a name of their own each.
const workers = 64

// Result is all that was measured.
type Result struct {
	On, Off pairs.Figures
	Dearer  float64 // the median of the rounds: the processor time of a pair with metrics, of that without
	Rounds  int
}

// Measure gives both a turn in every round, by turns the one and the other first, each measured for so long. Whoever
// counts is asked for its metrics each second.
func Measure(m *machine.Machine, rounds int, measure time.Duration, progress io.Writer) (r Result, err error) {
	redis, err := m.Redis()
	if err != nil {
		return r, err
	}
	defer redis.Remove()
	socket := filepath.Join(m.Dir(), "metrics.sock")
	on, err := m.Lockd(redis, "--http", "unix://"+socket)
	if err != nil {
		return r, err
	}
	defer on.Remove()
	off, err := m.Lockd(redis, "--http", "")
	if err != nil {
		return r, err
	}
	defer off.Remove()
	var ratios []float64
	all := make(map[*machine.Server][]pairs.Figures)
	for round := range rounds {
		order := []*machine.Server{on, off}
		if round%2 == 1 {
			order = []*machine.Server{off, on}
		}
		for _, lockd := range order {
			t := pairs.Turn{Kind: peer.Lockd, Workers: workers, Server: lockd, Redis: redis, WarmUp: measure / 4, Measure: measure}
			if lockd == on {
				t.Beside = func(w child.Window) error { return scrape(socket, w) }
			}
			f, err := t.Run()
			if err != nil {
				return r, err
			}
			all[lockd] = append(all[lockd], f)
		}
		a, b := all[on][round], all[off][round]
		ratios = append(ratios, float64(a.CPU)/float64(max(b.CPU, 1)))
		fmt.Fprintf(progress, "metrics %d/%d  %s each with, %s without; lockd alone %s and %s\n", round+1, rounds,
			figure.Short(a.CPU), figure.Short(b.CPU), figure.Short(a.ServerCPU), figure.Short(b.ServerCPU))
	}
	return Result{figure.Medians(all[on]), figure.Medians(all[off]), figure.Median(ratios), rounds}, nil
}

// scrape asks for the metrics each second of w, as somebody would who cannot wait for the next 15.
func scrape(socket string, w child.Window) error {
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}
	defer transport.CloseIdleConnections()
	for at := w.From; at < w.To; at += int64(time.Second) {
		child.SleepUntil(at)
		reply, err := (&http.Client{Transport: transport, Timeout: time.Second}).Get("http://lockd/metrics")
		if err != nil {
			return err
		}
		n, err := io.Copy(io.Discard, reply.Body)
		_ = reply.Body.Close() // it was only read
		if err != nil || n == 0 || reply.StatusCode != http.StatusOK {
			return fmt.Errorf("GET /metrics = %s, %d bytes, %w", reply.Status, n, err)
		}
	}
	return nil
}

// Print writes the table.
func (r Result) Print(to io.Writer) {
	fmt.Fprintf(to, "Metrics: %d workers, %d rounds; processor time per pair\n", workers, r.Rounds)
	for _, row := range []struct {
		who string
		f   pairs.Figures
	}{{"counting, asked each second", r.On}, {"not counting", r.Off}} {
		fmt.Fprintf(to, "  %-28s %7s  client %s, lockd %s, Redis %s; %.0f pairs/s, p50 %s, %.1f allocations in lockd\n", row.who, figure.Short(row.f.CPU),
			figure.Short(row.f.ClientCPU), figure.Short(row.f.ServerCPU), figure.Short(row.f.RedisCPU), row.f.PerSecond, figure.Short(row.f.Pair.Median), row.f.ServerAllocs)
	}
	fmt.Fprintf(to, "  %-28s %+.1f %%\n", "counting costs, of a pair", 100*(r.Dearer-1))
}

// Goals holds the figures against what issue 8 promises.
func (r Result) Goals() (l goal.List) {
	l.AtMost("metrics: processor time of a pair, of that without", r.Dearer, 1.05)
	return l
}
