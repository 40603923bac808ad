package main

import (
	"fmt"
	"strings"
)

// A claim is what the demo says has happened, and whether it has.
type claim struct {
	holds bool
	text  string
}

func claimf(holds bool, format string, args ...any) claim {
	return claim{holds, fmt.Sprintf(format, args...)}
}

// fencedClaims are what must have happened in books that check the token.
func (p *play) fencedClaims() []claim {
	late, overtaken, entered := p.lateStep(), p.overtakenBy(), p.enteredBy("ann")
	return append(p.claimsBefore(),
		claimf(late.Kind == Refused && late.Token == p.looked.Token && late.Seen == overtaken && late.Token < late.Seen,
			"ann's late write was refused by token: %d is smaller than %d", p.looked.Token, overtaken),
		claimf(len(entered) == 1 && entered[0].Token > overtaken,
			"ann has made the transfer all the same, once, under a new lease with a larger token"),
		claimf(len(p.audit.Journal) == 2*othersMake+1, "the journal has all %d transfers", 2*othersMake+1),
		claimf(p.decreases() == 0, "the tokens in the journal never decrease"),
		claimf(len(p.audit.Faults()) == 0, "the books balance: %s", p.verdict()),
	)
}

// unfencedClaims are what must have happened in books that do not: the damage. A control that takes
// none would mean that the first half has proven nothing.
func (p *play) unfencedClaims() []claim {
	late, entered := p.lateStep(), p.enteredBy("ann")
	return append(p.claimsBefore(),
		claimf(late.Kind == Written && late.Token == p.looked.Token, "ann's late write was accepted"),
		claimf(len(entered) == 1 && entered[0].Token == p.looked.Token && p.decreases() == 1,
			"the journal has it after entries with larger tokens"),
		claimf(len(p.audit.Faults()) > 0, "the books do not balance: %s", p.verdict()),
	)
}

// claimsBefore are what must have happened, in either half, before ann was woken.
func (p *play) claimsBefore() []claim {
	made, byAnn := 0, 0
	for _, e := range p.events[:p.woken] {
		switch {
		case e.Kind == Written && e.Worker == "ann":
			byAnn++
		case e.Kind == Written && e.Token > p.looked.Token:
			made++
		}
	}
	return []claim{
		claimf(p.paused >= p.TTL, "ann was stopped for %.2fs, longer than the ttl of %s", p.paused.Seconds(), p.TTL),
		claimf(made == 2*othersMake && byAnn == 0,
			"meanwhile ben and cleo made %d transfers with the same accounts, under larger tokens", 2*othersMake),
	}
}

// lateStep is the first thing that ann did when she was woken.
func (p *play) lateStep() Event {
	for _, e := range p.events[p.woken:] {
		if e.Worker == "ann" {
			return e
		}
	}
	return Event{}
}

// overtakenBy is the largest token that was used while ann was stopped.
func (p *play) overtakenBy() (largest int64) {
	for _, e := range p.events[:p.woken] {
		largest = max(largest, e.Token)
	}
	return largest
}

// enteredBy are the worker's entries in the journal.
func (p *play) enteredBy(worker string) (entries []Entry) {
	for _, e := range p.audit.Journal {
		if e.Worker == worker {
			entries = append(entries, e)
		}
	}
	return entries
}

// decreases is how often a token in the journal is smaller than the one before it.
func (p *play) decreases() (n int) {
	for i, e := range p.audit.Journal {
		if i > 0 && e.Token < p.audit.Journal[i-1].Token {
			n++
		}
	}
	return n
}

// verdict is what the accounts hold, and what is wrong with that.
func (p *play) verdict() string {
	return strings.Join(append([]string{p.audit.String()}, p.audit.Faults()...), "; ")
}
