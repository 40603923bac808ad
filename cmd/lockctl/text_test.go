package main

import (
	"os/exec"
	"testing"
	"time"
)

func TestPlain(t *testing.T) {
	for s, want := range map[string]string{
		"":             "-",
		"me@host:1 ü":  "me@host:1 ü",
		"a\nb":         `"a\nb"`,
		"\x1b[31mred":  `"\x1b[31mred"`,
		"a\u202eb":     `"a\u202eb"`, // turns the rest of the line round
		"no\xffutf":    `"no\xffutf"`,
		"tab\there":    `"tab\there"`,
		"del\x7fete":   `"del\x7fete"`,
		"c1\u009bcode": `"c1\u009bcode"`,
	} {
		if got := plain(s); got != want {
			t.Errorf("plain(%q) = %s, want %s", s, got, want)
		}
	}
}

// A shell reads what was quoted as it was, and so do we.
func TestShellQuote(t *testing.T) {
	for _, s := range []string{"", "plain-1.2/3:@", "two words", "it's", "'", "''", "'a'b'", `"$HOME"`, "`x` $(y) \\ ! * ~ # ;", "ü\n\tz", "\\'"} {
		quoted := shellQuote(s)
		out, err := exec.Command("sh", "-c", "printf %s "+quoted+"x").Output()
		if err != nil || string(out) != s+"x" {
			t.Errorf("a shell reads shellQuote(%q) = %s as %q, %v", s, quoted, out, err)
		}
		if got := shellUnquote(quoted); got != s {
			t.Errorf("shellUnquote(%s) = %q, want %q", quoted, got, s)
		}
	}
}

func TestRounded(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 1234567 * time.Microsecond: "1.234s", 29*time.Second + 900*time.Millisecond: "29s", 90 * time.Second: "1m30s",
	} {
		if got := rounded(d); got != want {
			t.Errorf("rounded(%d) = %s, want %s", d, got, want)
		}
	}
}

func TestOrdinal(t *testing.T) {
	for n, want := range map[int]string{
		1: "1st", 2: "2nd", 3: "3rd", 4: "4th", 10: "10th", 11: "11th", 12: "12th", 13: "13th", 21: "21st", 102: "102nd", 111: "111th", 1003: "1003rd",
	} {
		if got := ordinal(n); got != want {
			t.Errorf("ordinal(%d) = %s, want %s", n, got, want)
		}
	}
}
