// Package goal holds figures against what is promised of them.
package goal

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/lockd/lockd/bench/figure"
)

// Goal is a promise and what became of it.
type Goal struct {
	What     string
	Measured string // "" if it could not be
	Want     string
	Met      bool
	Floor    string // what the least is that it could be here: what a floor was measured as; "" if none was
}

// List is goals in the order in which they are printed.
type List []Goal

// Add judges by met.
func (l *List) Add(what, measured, want string, met bool) {
	*l = append(*l, Goal{What: what, Measured: measured, Want: want, Met: met})
}

// AtLeast wants a number of at least want.
func (l *List) AtLeast(what string, measured, want float64) {
	l.Add(what, fmt.Sprintf("%.3g", measured), fmt.Sprintf("at least %.3g", want), measured >= want)
}

// AtMost wants a number of at most want. What is not positive was not measured, and misses.
func (l *List) AtMost(what string, measured, want float64) {
	l.Add(what, fmt.Sprintf("%.3g", measured), fmt.Sprintf("at most %.3g", want), measured > 0 && measured <= want)
}

// Within wants a duration of at most want, and more than none.
func (l *List) Within(what string, measured, want time.Duration) {
	l.Add(what, figure.Short(measured), "at most "+figure.Short(want), measured > 0 && measured <= want)
}

// Floor says of the last goal what was measured of a program that does nothing but what cannot be left out: what is
// better than that nobody can reach. 0 says nothing.
func (l List) Floor(measured float64) {
	if measured > 0 {
		l[len(l)-1].Floor = fmt.Sprintf("floor %.3g", measured)
	}
}

// Absent says that a goal could not be measured here, and what is missing.
func (l *List) Absent(what, missing string) {
	*l = append(*l, Goal{What: what, Want: missing})
}

// Print writes one line a goal: ok, MISSED or "-" for what could not be measured.
func (l List) Print(to io.Writer) {
	t := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	for _, g := range l {
		verdict := "MISSED"
		switch {
		case g.Met:
			verdict = "ok"
		case g.Measured == "":
			verdict = "-"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", verdict, g.What, g.Measured, g.Want, g.Floor)
	}
	t.Flush()
}

// Missed is how many were measured and missed.
func (l List) Missed() (n int) {
	for _, g := range l {
		if !g.Met && g.Measured != "" {
			n++
		}
	}
	return n
}
