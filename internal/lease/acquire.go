package lease

import (
	"context"
	"errors"
)

// Acquire asks and waits for the answer. If ctx ends first, nothing is left behind but a place in line
// for KeepPlace.
func (l *Lessor) Acquire(ctx context.Context, r AcquireRequest) (Grant, error) {
	if err := ctx.Err(); err != nil {
		return Grant{}, err
	}
	answer := make(answer, 1)
	a, err := l.Ask(r, answer)
	if err != nil {
		return Grant{}, err
	}
	a.Run()
	var got answered
	select {
	case got = <-answer:
	case <-ctx.Done():
		if a.Cancel(true) {
			return Grant{}, ctx.Err()
		}
		got = <-answer
	}
	if gone := ctx.Err(); gone != nil {
		switch {
		case got.err == nil:
			l.TakeBack(got.grant)
		case errors.Is(got.err, ErrUnknown):
			a.giveUp()
		}
		return Grant{}, gone
	}
	return got.grant, got.err
}

// answer is the Asker of one who does nothing but wait; it has room for one.
type answer chan answered

type answered struct {
	grant Grant
	err   error
}

// Asked implements Asker.
func (answer) Asked() {}

// Queued implements Asker.
func (answer) Queued(*HeldError) {}

// Answered implements Asker.
func (c answer) Answered(g Grant, err error) { c <- answered{g, err} }
