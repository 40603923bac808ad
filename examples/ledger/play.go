package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"time"
)

// Who moves what. The transfers go round in a ring, so that money taken or given twice shows in the
// total as well.
var (
	annPays  = Transfer{Payer: "alice", Payee: "bob", Amount: 100}
	benPays  = Transfer{Payer: "bob", Payee: "carol", Amount: 30}
	cleoPays = Transfer{Payer: "carol", Payee: "alice", Amount: 20}
)

// othersMake is how many transfers ben and cleo make each, while ann is stopped on the way to her one.
const othersMake = 3

// A play is one half of the demo: what the workers report, and what the books say in the end.
type play struct {
	*Demo
	file   string // the books
	fenced bool   // whether they check the token

	events []Event       // in the order in which they came
	looked Event         // ann's last look at the lease before she was stopped
	woken  int           // how many events there were when she was woken
	paused time.Duration // how long she was stopped
	audit  Audit         // the books in the end
}

// play has three workers make transfers in new books, and stops one of them at the worst moment: it
// has read, it has looked at its lease, it is about to write.
func (d *Demo) play(ctx context.Context, file string, fenced bool) (*play, error) {
	p := &play{Demo: d, file: filepath.Join(d.dir, file), fenced: fenced}
	books, err := OpenBooks(ctx, p.file, fenced)
	if err != nil {
		return nil, err
	}
	defer books.Close()
	ann, err := p.hire("ann", annPays, 1, "--step")
	if err != nil {
		return nil, err
	}
	if p.looked, err = p.await(ctx, "ann", Looked); err != nil {
		return nil, err
	}
	if _, err := p.hire("ben", benPays, othersMake); err != nil {
		return nil, err
	}
	if _, err := p.hire("cleo", cleoPays, othersMake); err != nil {
		return nil, err
	}
	if err := p.pause(ctx, ann); err != nil {
		return nil, err
	}
	if _, err := p.await(ctx, "ann", Finished); err != nil {
		return nil, err
	}
	p.audit, err = books.Audit(ctx)
	return p, err
}

// pause stops ann, past her ttl and until the others have made their transfers, and lets her run on.
func (p *play) pause(ctx context.Context, ann *member) error {
	// Both have been told that ann has the lease, which is what makes them wait.
	if err := p.awaitOthers(ctx, Waiting); err != nil {
		return err
	}
	if err := ann.stop(); err != nil {
		return err
	}
	stopped := time.Now()
	p.say("STOPS ann (SIGSTOP, pid %d) between the look and the write", ann.Process.Pid)
	if err := p.awaitOthers(ctx, Finished); err != nil {
		return err
	}
	select { // the others can have the lease only once ann's has run out, so this is a formality
	case <-time.After(time.Until(stopped.Add(p.TTL))):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	p.woken, p.paused = len(p.events), time.Since(stopped)
	p.say("WAKES ann (SIGCONT) after %.2fs; the ttl is %s", p.paused.Seconds(), p.TTL)
	if err := ann.stdin.Close(); err != nil { // --step waits for it, so that she cannot be too early
		return err
	}
	return ann.resume()
}

// hire starts a worker in the play's books.
func (p *play) hire(name string, t Transfer, times int, more ...string) (*member, error) {
	args := append([]string{"worker", "--json",
		"--server", p.server, "--ttl", p.TTL.String(),
		"--db", p.file, "--unfenced=" + strconv.FormatBool(!p.fenced),
		"--name", name, "--times", strconv.Itoa(times),
		"--from", t.Payer, "--to", t.Payee, "--amount", strconv.FormatInt(t.Amount, 10),
	}, more...)
	m, err := p.crew.startWorker(name, p.Ledger, args...)
	if err == nil {
		p.say("starts %s (pid %d): %d x %d from %s to %s", name, m.Process.Pid, times, t.Amount, t.Payer, t.Payee)
	}
	return m, err
}

func (p *play) awaitOthers(ctx context.Context, kind Kind) error {
	if _, err := p.await(ctx, "ben", kind); err != nil {
		return err
	}
	_, err := p.await(ctx, "cleo", kind)
	return err
}

// await takes in and prints what the workers report until worker has taken the step, perhaps earlier.
func (p *play) await(ctx context.Context, worker string, kind Kind) (Event, error) {
	for {
		for _, e := range p.events {
			if e.Worker == worker && e.Kind == kind {
				return e, nil
			}
		}
		select {
		case e := <-p.crew.events:
			printLine(p.Out, time.Since(p.start), e.Worker, e.Text)
			p.events = append(p.events, e)
		case err := <-p.crew.fault:
			return Event{}, err
		case <-ctx.Done():
			return Event{}, fmt.Errorf("waiting for %s to report %q: %w", worker, kind, context.Cause(ctx))
		}
	}
}
