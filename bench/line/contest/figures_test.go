package contest

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/lockd/lockd/bench/child"
	"github.com/lockd/lockd/bench/figure"
	"github.com/lockd/lockd/test/history"
)

// lease is what a worker tells of one lease.
func lease(client string, worker int, token, asked, from, to int64) []history.Record {
	return []history.Record{
		{Kind: history.Asked, Client: client, Worker: worker, Name: name, Call: asked},
		{Kind: history.Granted, Client: client, Worker: worker, Name: name, Call: asked, Return: from, Token: token},
		{Kind: history.Released, Client: client, Worker: worker, Name: name, Call: to, Token: token},
	}
}

func told(parts ...[]history.Record) (all []history.Record) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

// What was held, granted and waited for within the window counts, and nothing else.
func TestMeasure(t *testing.T) {
	records := told(
		lease("a", 0, 1, 0, 50, 150),      // granted before the window, held in half of it
		lease("a", 1, 2, 10, 160, 260),    // handed over within a client
		lease("b", 0, 3, 20, 280, 380),    // handed over to another one
		lease("a", 1, 4, 390, 400, 500),   // had not been waiting
		lease("a", 0, 5, 200, 1090, 1200), // held beyond the window
		[]history.Record{{Kind: history.Refused, Client: "b", Worker: 1, Name: name, Call: 50, Return: 1300}},
	)
	f, _ := measure(records, child.Window{From: 100, To: 1100}, 4)
	if got, want := f.Possession, (50+100+100+100+10)/1000.0; math.Abs(got-want) > 1e-9 {
		t.Errorf("possession = %v, want %v", got, want)
	}
	// Of four workers one was granted two, two were granted one, and one none.
	if got, want := f.Fairness, 16.0/(4*6); math.Abs(got-want) > 1e-9 {
		t.Errorf("fairness = %v, want %v", got, want)
	}
	if got := f.LongestWait; got != 1050 {
		t.Errorf("longest wait = %d, want 1050: from 50 to the end of the window", got)
	}
	if got, want := f.Grants, 4/time.Duration(1000).Seconds(); got != want {
		t.Errorf("grants per second = %v, want %v", got, want)
	}
	if got, want := f.HandoverNear, times(2, 590, 590); got != want {
		t.Errorf("hand-overs within a client = %v, want %v", got, want)
	}
	if got, want := f.HandoverFar, times(1, 20, 20); got != want {
		t.Errorf("hand-overs to another client = %v, want %v", got, want)
	}
	if len(f.Wrong) != 0 {
		t.Errorf("found %v, want nothing wrong", f.Wrong)
	}
}

// Two holders show.
func TestMeasureFindsTwoHolders(t *testing.T) {
	f, _ := measure(told(lease("a", 0, 1, 0, 10, 30), lease("b", 0, 2, 0, 20, 40)), child.Window{To: 100}, 2)
	if len(f.Wrong) != 1 {
		t.Errorf("found %v, want two holders", f.Wrong)
	}
}

// The middle of several contests keeps what was wrong in any of them.
func TestMedian(t *testing.T) {
	m := Median([]Figures{
		{Possession: 0.9},
		{Possession: 0.1, Wrong: []error{errors.New("two holders")}},
		{Possession: 0.5},
	})
	if m.Possession != 0.5 || len(m.Wrong) != 1 {
		t.Errorf("Median = %+v, want possession 0.5 and what was wrong in one round", m)
	}
}

func times(n int, median, worst time.Duration) figure.Times {
	return figure.Times{N: n, Median: median, Worst: worst}
}
