package parts

import (
	"bufio"
	"slices"
	"strings"
	"testing"
)

// The command of a client is found, whatever its arguments contain; what scripts do is none.
func TestCommand(t *testing.T) {
	told := strings.Join([]string{
		`+1795254.1 [0 lua] "evalsha" "id"`,
		`+1795254.2 [0 127.0.0.1:4711] "get" "id"`,
		`+1795254.3 [0 127.0.0.1:4711] "EVALSHA" "other"`,
		`+1795254.4 [0 unix:/tmp/s] "EVALSHA" "a \"quoted\" \\ \x00\xff" "" "id"`,
		``,
	}, "\r\n")
	m := &monitor{lines: bufio.NewReader(strings.NewReader(told))}
	got, err := m.command("evalsha", "id")
	if want := []any{"EVALSHA", "a \"quoted\" \\ \x00\xff", "", "id"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("command = %q, %v, want %q", got, err, want)
	}
	if got, err := m.command("evalsha", "id"); err == nil {
		t.Errorf("command at the end = %q, want an error", got)
	}
}
