package main

import (
	"fmt"
	"slices"
)

// meant is ", did you mean …?" for a word that is nearly one of words, else "".
func meant(word string, words []string) string {
	if len(words) == 0 {
		return ""
	}
	best := slices.MinFunc(words, func(a, b string) int { return edits(word, a) - edits(word, b) })
	if edits(word, best) > max(2, len(best)/3) {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// edits is how many bytes must be inserted, left out, changed or swapped with the next to make b of a.
func edits(a, b string) int {
	var before, above []int // the rows for two and for one byte less of a
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before, above, row = above, row, make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			change := above[j]
			if a[i] != b[j] {
				change++
			}
			row[j+1] = min(change, above[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return row[len(b)]
}
