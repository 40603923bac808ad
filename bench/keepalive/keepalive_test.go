package keepalive

import (
	"testing"
	"time"
)

// What is spent in the window is divided among the renewals in it; a count that cannot be is an error.
func TestFigures(t *testing.T) {
	s := Settings{Leases: 100, TTL: 2 * time.Second}
	before := look{cpu: [3]time.Duration{time.Second, time.Second, time.Second}}
	after := look{cpu: [3]time.Duration{time.Second + 3*time.Millisecond, time.Second + 6*time.Millisecond, time.Second}}
	f, err := figures(s, 1, 300, before, after)
	want := Figures{PerSecond: 150, CPU: 30 * time.Microsecond, ClientCPU: 10 * time.Microsecond, ServerCPU: 20 * time.Microsecond, Lost: 1}
	if err != nil || f != want {
		t.Errorf("figures = %+v, %v, want %+v", f, err, want)
	}
	for _, n := range []int{0, 199, 501} {
		if f, err := figures(s, 0, n, before, after); err == nil {
			t.Errorf("figures of %d renewals of 100 leases = %+v, want an error", n, f)
		}
	}
}
