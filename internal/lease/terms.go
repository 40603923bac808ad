package lease

import "time"

// Terms are what an operator says of a name, whoever asks for it. The zero value says nothing.
type Terms struct {
	// MaxHold is for how long a lease may be renewed in all, counted from its grant; 0: for ever.
	MaxHold time.Duration
	// LockDelay is for how long the name stays closed once a lease on it has ended otherwise than by a release; 0: not at all.
	LockDelay time.Duration
}

// TermsFrom has f asked for the terms of each name that is acquired, renewed or looked at. Call it before anything
// else; f may answer otherwise each time, and must not block.
func (l *Lessor) TermsFrom(f func(name string) Terms) { l.terms = f }

// termsOf answers the terms of name now.
func (l *Lessor) termsOf(name string) Terms {
	if l.terms == nil {
		return Terms{}
	}
	return l.terms(name)
}
