package main

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// plain is s as a terminal may show it: what others have chosen and is not printable is quoted.
func plain(s string) string {
	if s == "" {
		return "-"
	}
	if utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0 {
		return s
	}
	return strconv.Quote(s)
}

// inert is a sentence of a server's as a terminal may show it.
func inert(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}

// plainPairs is metadata on one line, in order.
func plainPairs(pairs map[string]string) string {
	parts := make([]string, 0, len(pairs))
	for _, key := range slices.Sorted(maps.Keys(pairs)) {
		parts = append(parts, plain(key+"="+pairs[key]))
	}
	return plain(strings.Join(parts, " "))
}

// rounded is d for people: whole seconds, or milliseconds below ten of them.
func rounded(d time.Duration) string {
	if d < 10*time.Second {
		return d.Truncate(time.Millisecond).String()
	}
	return d.Truncate(time.Second).String()
}

// age is how long ago something was, to the unit that matters.
func age(d time.Duration) string {
	const day = 24 * time.Hour
	for _, unit := range []struct {
		of   time.Duration
		name string
	}{{day, "d"}, {time.Hour, "h"}, {time.Minute, "m"}} {
		if d >= 2*unit.of {
			return strconv.FormatInt(int64(d/unit.of), 10) + unit.name
		}
	}
	return strconv.FormatInt(int64(max(d, 0)/time.Second), 10) + "s"
}

// ordinal is n for people: 1st, 2nd, 11th.
func ordinal(n int) string {
	suffix := "th"
	if n%100/10 != 1 {
		switch n % 10 {
		case 1:
			suffix = "st"
		case 2:
			suffix = "nd"
		case 3:
			suffix = "rd"
		}
	}
	return strconv.Itoa(n) + suffix
}

// clock is a time for who sits before the terminal: in their zone, with the date unless it is today's.
func clock(t, now time.Time) string {
	t, now = t.Local(), now.Local()
	if t.Format(time.DateOnly) == now.Format(time.DateOnly) {
		return t.Format(time.TimeOnly)
	}
	return t.Format(time.DateTime)
}

// clip is as much of s as fits into so many columns.
func clip(s string, limit int) string {
	used := 0
	for i, r := range s {
		if used += columnsOf(r); used > limit {
			return s[:i]
		}
	}
	return s
}

// columns is how many columns of a terminal s takes, or somewhat more.
func columns(s string) (n int) {
	for _, r := range s {
		n += columnsOf(r)
	}
	return n
}

// columnsOf takes everything from Hangul on for wide.
func columnsOf(r rune) int {
	if r >= 0x1100 {
		return 2
	}
	return 1
}

// shellQuote is s as one word of a POSIX shell, whatever it holds.
func shellQuote(s string) string {
	safe := func(r rune) bool {
		return r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("@%_+:,./-", r))
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !safe(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// shellUnquote undoes shellQuote, and only that.
func shellUnquote(s string) string {
	if inner, ok := strings.CutPrefix(s, "'"); ok {
		s = strings.TrimSuffix(inner, "'")
	}
	return strings.ReplaceAll(s, `'\''`, "'")
}

// checkText refuses what protobuf cannot carry, before it fails there without saying which field it was.
func checkText(field, value string) error {
	if !utf8.ValidString(value) {
		return usagef("the %s is not valid UTF-8: %q", field, value)
	}
	return nil
}
