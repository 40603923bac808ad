package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// demoLimit is how long a demo may take. It needs about a third of it.
const demoLimit = 30 * time.Second

// A Demo stops a worker between its two transactions for longer than its ttl, and looks at what its
// late write does: first to books that check the token, then to books that do not.
type Demo struct {
	Out    io.Writer
	Ledger string // this program, to be run as worker
	Lockd  string // the server's program
	TTL    time.Duration
	Fenced bool // false leaves the check out of the first half too, which must then fail

	start  time.Time
	crew   *crew
	server string // lockd's address
	dir    string // the books are in it
}

// Run plays the demo. It returns nil only if all that it tells has really happened. At its end, by
// whatever cause, its processes have ended and its files are gone.
func (d *Demo) Run(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, demoLimit, fmt.Errorf("the demo was not over after %s", demoLimit))
	defer cancel()
	d.start = time.Now()
	if d.dir, err = os.MkdirTemp("", "ledger-demo-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(d.dir)) }()
	d.crew = newCrew(ctx)
	defer d.crew.dismiss() // before the files go

	lockd, address, err := d.crew.startServer(d.Lockd)
	if err != nil {
		return err
	}
	d.server = address
	d.say("lockd serves on %s (pid %d), leases in memory", address, lockd.Process.Pid)
	if err := d.firstHalf(ctx); err != nil {
		return err
	}
	if err := d.secondHalf(ctx); err != nil {
		return err
	}
	d.title("A lease ends while its holder sleeps. The token is what stopped the late write.")
	return nil
}

func (d *Demo) firstHalf(ctx context.Context) error {
	d.title("1. The books check the token")
	p, err := d.play(ctx, "first.db", d.Fenced)
	if err != nil {
		return err
	}
	return d.judge(p.fencedClaims())
}

func (d *Demo) secondHalf(ctx context.Context) error {
	d.title("2. The same again, and the books do not check: what a lease alone is worth")
	p, err := d.play(ctx, "second.db", false)
	if err != nil {
		return err
	}
	return d.judge(p.unfencedClaims())
}

// judge prints every claim and returns an error that names those that do not hold.
func (d *Demo) judge(claims []claim) error {
	var untrue []string
	for _, c := range claims {
		mark := "ok"
		if !c.holds {
			mark = "NO"
			untrue = append(untrue, c.text)
		}
		d.say("%s  %s", mark, c.text)
	}
	if len(untrue) > 0 {
		return fmt.Errorf("not so: %s", strings.Join(untrue, "; "))
	}
	return nil
}

func (d *Demo) say(format string, args ...any) {
	printLine(d.Out, time.Since(d.start), "demo", fmt.Sprintf(format, args...))
}

func (d *Demo) title(text string) { fmt.Fprintf(d.Out, "\n%s\n\n", text) }
