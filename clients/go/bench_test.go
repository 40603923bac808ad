package lockd_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	lockd "github.com/lockd/lockd/clients/go"
	"github.com/lockd/lockd/clients/go/lockdtest"
)

// BenchmarkPair is an acquisition without contention and its release, client and server in this process;
// cpu-µs/op is the processor time of both.
func BenchmarkPair(b *testing.B) {
	for name, dial := range map[string]func(string, ...lockd.DialOption) (*lockd.Client, error){"session": lockd.Dial, "unary": lockd.DialUnary} {
		for _, workers := range []int{1, 64} {
			b.Run(fmt.Sprintf("%s/%d", name, workers), func(b *testing.B) {
				server := lockdtest.Start(b)
				c, err := dial(server.Addr())
				if err != nil {
					b.Fatal(err)
				}
				defer c.Close()
				pair(b, c, "first")
				b.ReportAllocs()
				b.SetParallelism((workers + 1) / 2)
				before := processorTime(b)
				b.ResetTimer()
				if workers == 1 {
					for b.Loop() {
						pair(b, c, "job")
					}
				} else {
					b.RunParallel(func(pb *testing.PB) {
						for name := fmt.Sprintf("job-%p", pb); pb.Next(); {
							pair(b, c, name)
						}
					})
				}
				b.StopTimer()
				b.ReportMetric(float64((processorTime(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
			})
		}
	}
}

func pair(b *testing.B, c *lockd.Client, name string) {
	l, err := c.Acquire(b.Context(), name)
	if err == nil {
		err = l.Release(b.Context())
	}
	if err != nil {
		b.Error(err)
	}
}

// processorTime is what this process has used so far.
func processorTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
