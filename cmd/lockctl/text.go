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
