package machine

import (
	"testing"
	"time"
)

// What Redis did between two looks is told apart from what it did before, and from the looking.
func TestCommandsSince(t *testing.T) {
	before := parseCommands("# Commandstats\r\ncmdstat_set:calls=5,usec=10,usec_per_call=2.00\r\ncmdstat_info:calls=1,usec=50\r\n")
	after := parseCommands("# Commandstats\r\ncmdstat_set:calls=7,usec=15,usec_per_call=2.14\r\n" +
		"cmdstat_evalsha:calls=3,usec=90,usec_per_call=30.00\r\ncmdstat_info:calls=2,usec=100\r\ncmdstat_config|get:calls=1,usec=3\r\n")
	since := after.Since(before)
	if got, want := since.Sum(), (Command{6, 98 * time.Microsecond}); got != want {
		t.Errorf("all = %+v, want %+v", got, want)
	}
	if got, want := since.Scripts(), (Command{3, 90 * time.Microsecond}); got != want {
		t.Errorf("scripts = %+v, want %+v", got, want)
	}
	if got, want := since.Sum("set"), (Command{2, 5 * time.Microsecond}); got != want {
		t.Errorf("set = %+v, want %+v", got, want)
	}
}
