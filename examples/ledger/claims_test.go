package main

import (
	"slices"
	"testing"
	"time"
)

// goodPlay is what the first half of a demo brings when all is well.
func goodPlay() *play {
	by := func(worker string, kind Kind, token, seen int64) Event {
		return Event{Worker: worker, Kind: kind, Token: token, Seen: seen}
	}
	p := &play{Demo: &Demo{TTL: time.Second}, paused: 2 * time.Second}
	p.looked = by("ann", Looked, 10, 0)
	p.events = []Event{by("ann", Leased, 10, 0), p.looked}
	for _, name := range []string{"alice", "bob", "carol"} {
		p.audit.Accounts = append(p.audit.Accounts, Account{Name: name, Balance: opening, Wants: opening})
	}
	write := func(worker string, token int64, t Transfer) {
		p.events = append(p.events, by(worker, Leased, token, 0), by(worker, Written, token, 0))
		p.audit.enter(Entry{worker, token, t})
	}
	for i := range int64(othersMake) {
		write("ben", 11+2*i, benPays)
		write("cleo", 12+2*i, cleoPays)
	}
	p.woken = len(p.events)
	p.events = append(p.events, by("ann", Refused, 10, 16))
	write("ann", 17, annPays)
	for i := range p.audit.Accounts {
		p.audit.Accounts[i].Balance = p.audit.Accounts[i].Wants
	}
	return p
}

// damagedPlay is what the second half brings: ann's late write got in.
func damagedPlay() *play {
	p := goodPlay()
	p.events = append(p.events[:p.woken], Event{Worker: "ann", Kind: Written, Token: 10})
	p.audit.Journal[len(p.audit.Journal)-1].Token = 10
	p.audit.Accounts[0].Balance -= 60
	p.audit.Accounts[1].Balance += 90
	return p
}

func (p *play) last() *Entry { return &p.audit.Journal[len(p.audit.Journal)-1] }

// untrue counts the claims that do not hold.
func untrue(claims []claim) (texts []string) {
	for _, c := range claims {
		if !c.holds {
			texts = append(texts, c.text)
		}
	}
	return texts
}

// Every claim of the demo can fail: for each thing that may go wrong there is one that notices.
func TestClaims(t *testing.T) {
	if got := untrue(goodPlay().fencedClaims()); len(got) > 0 {
		t.Errorf("of a good play these are said to be untrue: %q", got)
	}
	if got := untrue(damagedPlay().unfencedClaims()); len(got) > 0 {
		t.Errorf("of a damaged play these are said to be untrue: %q", got)
	}
	for _, test := range []struct {
		name     string
		play     func() *play
		claims   func(*play) []claim
		sabotage func(*play)
	}{
		{"ann was stopped too shortly", goodPlay, (*play).fencedClaims, func(p *play) { p.paused = p.TTL - 1 }},
		{"ann wrote while she was stopped", goodPlay, (*play).fencedClaims, func(p *play) {
			p.events = slices.Insert(p.events, 2, Event{Worker: "ann", Kind: Written, Token: 10})
			p.woken++
		}},
		{"a transfer was made under a smaller token", goodPlay, (*play).fencedClaims, func(p *play) { p.events[3].Token = 9 }},
		{"the others did nothing", goodPlay, (*play).fencedClaims, func(p *play) { p.events, p.woken = slices.Delete(p.events, 2, p.woken), 2 }},
		{"ann noticed by herself", goodPlay, (*play).fencedClaims, func(p *play) { p.events[p.woken].Kind = Lost }},
		{"another token was refused", goodPlay, (*play).fencedClaims, func(p *play) { p.events[p.woken].Token = 17 }},
		{"it was refused by another token", goodPlay, (*play).fencedClaims, func(p *play) { p.events[p.woken].Seen = 15 }},
		{"ann said nothing more", goodPlay, (*play).fencedClaims, func(p *play) { p.events = p.events[:p.woken] }},
		{"the late write is in the journal", goodPlay, (*play).fencedClaims, func(p *play) { p.last().Token = 10 }},
		{"ann's transfer is missing", goodPlay, (*play).fencedClaims, func(p *play) { p.last().Worker = "ben" }},
		{"an entry is missing", goodPlay, (*play).fencedClaims, func(p *play) { p.audit.Journal = p.audit.Journal[1:] }},
		{"the tokens are out of order", goodPlay, (*play).fencedClaims, func(p *play) { p.audit.Journal[0].Token = 13 }},
		{"the books do not balance", goodPlay, (*play).fencedClaims, func(p *play) { p.audit.Accounts[0].Balance++ }},
		{"the control was refused", damagedPlay, (*play).unfencedClaims, func(p *play) { p.events[p.woken].Kind = Refused }},
		{"the control wrote under a new token", damagedPlay, (*play).unfencedClaims, func(p *play) { p.last().Token = 17 }},
		{"the control lost nothing", damagedPlay, (*play).unfencedClaims, func(p *play) {
			for i := range p.audit.Accounts {
				p.audit.Accounts[i].Balance = p.audit.Accounts[i].Wants
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := test.play()
			test.sabotage(p)
			if len(untrue(test.claims(p))) == 0 {
				t.Errorf("every claim holds, want one that does not")
			}
		})
	}
}
