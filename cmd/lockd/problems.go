package main

import (
	"fmt"
	"slices"
	"strings"
)

// problems is everything that is wrong with a configuration, a line each, with what would be right. No
// line shows a secret.
type problems struct {
	lines []string
	about []string // the settings that are wrong by themselves
}

// Error implements error.
func (p *problems) Error() string { return strings.Join(p.lines, "\n") }

// add says what is wrong with a setting and, unless that is its default, where it was set.
func (p *problems) add(setting, origin string, err error) {
	p.about = append(p.about, setting)
	if origin == byDefault {
		p.addf("%v", err)
	} else {
		p.addf("%s: %v", origin, err)
	}
}

// addf says what is wrong with no single setting.
func (p *problems) addf(format string, args ...any) {
	p.lines = append(p.lines, fmt.Sprintf(format, args...))
}

// spare reports whether all settings are right by themselves, so that it is worth saying how they fit.
func (p *problems) spare(settings ...string) bool {
	return !slices.ContainsFunc(settings, func(s string) bool { return slices.Contains(p.about, s) })
}

// orNil answers p as an error: nil if nothing is wrong.
func (p *problems) orNil() error {
	if len(p.lines) == 0 {
		return nil
	}
	return p
}

// nearest answers the one of names, which are in lower case, that takes the fewest edits to become key.
func nearest(key string, names []string) string {
	key = strings.ToLower(key)
	return slices.MinFunc(names, func(a, b string) int { return edits(key, a) - edits(key, b) })
}

// edits is the Levenshtein distance in bytes.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
