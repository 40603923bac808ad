package main

import (
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// A Kind of event is a step of a worker's.
type Kind string

// The steps, in the order in which a worker takes them. After refused and lost it starts over.
const (
	Waiting  Kind = "waiting"  // another has the lease
	Leased   Kind = "leased"   // the worker has it
	Read     Kind = "read"     // the first transaction is through
	Looked   Kind = "looked"   // the lease was still held; the second transaction comes next
	Written  Kind = "written"  // the second transaction is through
	Refused  Kind = "refused"  // the books have seen a larger token: nothing was written
	Lost     Kind = "lost"     // the lease ended before the second transaction: it was not begun
	Finished Kind = "finished" // every transfer is made
)

// An Event is a step taken by a worker, for people (Text) and for the demo (the rest).
type Event struct {
	Worker string `json:"worker"`
	Kind   Kind   `json:"kind"`
	Token  int64  `json:"token,string"` // of the lease it was taken under, 0 if under none
	Seen   int64  `json:"seen,string"`  // with Refused: the largest token the books have seen
	Text   string `json:"text"`
}

// plainly returns a reporter that prints events for people.
func plainly(w io.Writer) func(Event) {
	start := time.Now()
	return func(e Event) { printLine(w, time.Since(start), e.Worker, e.Text) }
}

// asJSON returns a reporter that prints events for a program, one a line.
func asJSON(w io.Writer) func(Event) {
	enc := json.NewEncoder(w)
	return func(e Event) { _ = enc.Encode(e) } // nobody is left to tell
}

// printLine prints one line of the story: when, who, what.
func printLine(w io.Writer, at time.Duration, who, what string) {
	fmt.Fprintf(w, "%7.2fs  %-5s  %s\n", at.Seconds(), who, what)
}
