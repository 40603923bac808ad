// Package diagnosis says what endangers leases: in the servers that keep them, in the store as a whole, in lockd's own
// settings. Somebody else gathers what is known of each; here it is judged, by tables of small named checks that read as
// the page that they are documented on, docs/doctor.md.
//
// A check finds something or it does not; it asks nobody, and changes nothing. What could not be found out for a check
// is told as such, never as sound.
package diagnosis

import (
	"cmp"
	"slices"
)

// Severity is how grave a finding is.
type Severity int

// From the least grave to the gravest.
const (
	Note     Severity = iota + 1 // it costs something, or may surprise somebody
	Warning                      // a failure, or time, is enough to break a promise
	Critical                     // leases are not granted, or a promise does not hold, now
)

func (s Severity) String() string { return [...]string{"", "note", "warning", "critical"}[s] }

// Finding is something that was found.
type Finding struct {
	Check     string // its name
	Severity  Severity
	Subject   string // of what: a server, the store
	Problem   string // what is wrong with it
	Endangers string // what that may lead to
	Remedy    string // what would be right
}

// Unchecked is a check that could not be made.
type Unchecked struct{ Check, Subject, Why string }

// Report is what was found and what could not be looked at.
type Report struct {
	Findings  []Finding
	Unchecked []Unchecked
	Made      int // checks that were made, findings included
}

// Facts are what is known at a moment.
type Facts struct {
	Store   Store
	Servers []Redis // behind it
	Lockd   Lockd
}

// Judge makes every check. The gravest findings come first.
func Judge(f Facts) (r Report) {
	r.add(judgeStore(f.Store))
	for _, server := range f.Servers {
		r.add(judgeRedis(server))
	}
	r.add(judgeLockd(f.Lockd))
	slices.SortStableFunc(r.Findings, func(a, b Finding) int { return cmp.Compare(b.Severity, a.Severity) })
	return r
}

func (r *Report) add(other Report) {
	r.Findings = append(r.Findings, other.Findings...)
	r.Unchecked = append(r.Unchecked, other.Unchecked...)
	r.Made += other.Made
}

// check is one thing to look at in what is known, F.
type check[F any] struct {
	name      string
	severity  Severity
	needs     need   // what has to be known for it; "": nothing that may be missing
	finds     string // what it looks for
	endangers string
	remedy    string
	look      func(F) string // what is found, "" if nothing
}

// need is a kind of knowledge that may be missing.
type need string

// all is for facts of which none is missing.
func all(need) string { return "" }

// look makes checks. missing says why a need is not met, "" if it is.
func look[F any](checks []check[F], subject string, facts F, missing func(need) string) (r Report) {
	for _, c := range checks {
		if why := missing(c.needs); why != "" {
			r.Unchecked = append(r.Unchecked, Unchecked{c.name, subject, why})
			continue
		}
		r.Made++
		if problem := c.look(facts); problem != "" {
			r.Findings = append(r.Findings, Finding{c.name, c.severity, subject, problem, c.endangers, c.remedy})
		}
	}
	return r
}
