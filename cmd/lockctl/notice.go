package main

import (
	"fmt"
	"io"
	"math"
	"time"

	lockd "github.com/lockd/lockd/clients/go"
)

// notice says in a log what is waited for, and that the waiting is over: a line each, once. It is used by
// one goroutine at a time.
type notice struct {
	to    io.Writer
	name  string
	since time.Time // the first line was written; zero if it was not
}

// tell is for lockd.WithQueued.
func (n *notice) tell(held lockd.HeldError) {
	if !n.since.IsZero() {
		return
	}
	n.since = time.Now()
	s := standing{name: n.name}
	s.hear(held)
	fmt.Fprintf(n.to, "lockctl: %s\n", s.text(n.since, math.MaxInt))
}

// granted is for after the acquisition.
func (n *notice) granted() {
	if !n.since.IsZero() {
		fmt.Fprintf(n.to, "lockctl: %s is granted after a wait of %s\n", plain(n.name), rounded(time.Since(n.since)))
	}
}
