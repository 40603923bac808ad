package goal

import (
	"strings"
	"testing"
	"time"
)

// A bound itself is within it; what was not measured is neither met nor missed, and a zero is missed.
func TestList(t *testing.T) {
	var l List
	l.AtLeast("share", 0.5, 0.5)
	l.AtLeast("share", 0.4, 0.5)
	l.AtMost("ratio", 1.2, 1.2)
	l.AtMost("ratio", 1.3, 1.2)
	l.AtMost("ratio", 0, 1.2)
	l.Within("time", time.Millisecond, time.Millisecond)
	l.Within("time", 0, time.Millisecond)
	l.Absent("etcd", "etcd is not installed")
	var text strings.Builder
	l.Print(&text)
	var got []string
	for line := range strings.Lines(text.String()) {
		verdict, _, _ := strings.Cut(line, " ")
		got = append(got, verdict)
	}
	if got, want := strings.Join(got, " "), "ok MISSED ok MISSED MISSED ok MISSED -"; got != want {
		t.Errorf("verdicts = %q, want %q", got, want)
	}
	if got := l.Missed(); got != 4 {
		t.Errorf("Missed() = %d, want 4", got)
	}
}
