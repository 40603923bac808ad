package scripts

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	lockd "github.com/lockd/lockd/clients/go"
	"github.com/lockd/lockd/test/lockdproc"
)

// BenchmarkPair acquires and releases names that nobody else wants, before each kind of store as scripts/topology sets it up: what
// docs/stores.md says of their cost comes from
//
//	go test ./test/scripts -run '^$' -bench Pair -benchtime 5s
//
// It answers pairs per second, the median time of a pair, and the processor time that a pair costs all processes together.
func BenchmarkPair(b *testing.B) {
	for _, workers := range []int{1, 64} {
		for _, profile := range []string{"memory", "single", "sentinel", "cluster", "redlock"} {
			b.Run(fmt.Sprintf("workers=%d/store=%s", workers, profile), func(b *testing.B) { benchmarkPair(b, workers, profile) })
		}
	}
}

func benchmarkPair(b *testing.B, workers int, profile string) {
	var flags []string
	pids := []int{os.Getpid()}
	if profile != "memory" {
		p := newTopology(b)
		flags = strings.Fields(p.must("up", profile))
		pids = append(pids, p.pids(profile)...)
	}
	server := lockdproc.Start(b, flags...)
	pids = append(pids, server.PID())
	client, err := lockd.Dial(server.Addr())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = client.Close() })
	times := make([]time.Duration, b.N)
	pairs(b, client, workers, times[:min(b.N, 8*workers)]) // connections, and what is made once
	used := processorTime(b, pids)
	b.ResetTimer()
	pairs(b, client, workers, times)
	b.StopTimer()
	slices.Sort(times)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "pairs/s")
	b.ReportMetric(float64(times[len(times)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64((processorTime(b, pids)-used).Microseconds())/float64(b.N), "cpu-µs/pair")
}

// pairs notes how long each pair took, one of times for each.
func pairs(b *testing.B, client *lockd.Client, workers int, times []time.Duration) {
	var working sync.WaitGroup
	for w := range workers {
		working.Go(func() {
			for i := w; i < len(times); i += workers {
				start := time.Now()
				err := client.Do(b.Context(), fmt.Sprintf("pair/%d", w), func(context.Context, *lockd.Lease) error { return nil })
				if err != nil {
					b.Error(err)
					return
				}
				times[i] = time.Since(start)
			}
		})
	}
	working.Wait()
}

// processorTime is what processes have used so far, to a hundredth of a second each.
func processorTime(b *testing.B, pids []int) (sum time.Duration) {
	b.Helper()
	for _, pid := range pids {
		text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
		if err != nil {
			b.Fatal(err)
		}
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		for _, ticks := range fields[11:13] { // utime, stime
			n, err := strconv.Atoi(ticks)
			if err != nil {
				b.Fatal(err)
			}
			sum += time.Duration(n) * time.Second / ticksPerSecond
		}
	}
	return sum
}

// ticksPerSecond is how the kernel counts for others, on every Linux.
const ticksPerSecond = 100
